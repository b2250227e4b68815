"""The recipe for pre-training in two phases: what its files say fits the code, and it runs."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertpipe.artifacts import read_manifest
from bertpipe.configs import Params

PHASES = ("short", "long")
STAGES = ("vocab", "prepare@short", "prepare@long", "pretrain-short", "pretrain-long")
# dvc.yaml of the default pipeline tracks no masks for prepare either: dynamic ones are drawn by pretrain.
UNTRACKED = {"runtime", "masking"}

Call = Callable[..., Any]
Stages = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def recipe(open_recipe: Call) -> Any:
    return open_recipe("two-phases")


@pytest.fixture(scope="module")
def stages(recipe: Any) -> Stages:
    """Return the stages as DVC sees them, one for each phase where there is one for each."""
    phases = recipe.params["experiments"]["phases"]
    assert tuple(phases) == PHASES
    prepare = recipe.described["prepare"]
    assert prepare["foreach"] == "${experiments.phases}"
    plain = {name: recipe.stage(stage) for name, stage in recipe.described.items() if "do" not in stage}
    return plain | {
        f"prepare@{key}": recipe.stage(prepare["do"], key=key, item=item) for key, item in phases.items()
    }


@pytest.mark.parametrize("name", STAGES)
def test_every_command_parses_and_writes_its_output(name: str, recipe: Any, stages: Stages) -> None:
    """Options are known, what is read is a dependency, what is written is the output."""
    assert set(stages) == set(STAGES)
    _, options = recipe.command_of(stages[name])
    assert [str(options["out"])] == stages[name]["outs"]
    read = {str(path) for path in (options.get("shards"), options.get("init"), options.get("vocab")) if path}
    assert read | set(options.get("corpus", ())) == recipe.inputs_of(stages[name])


@pytest.mark.parametrize("name", STAGES)
def test_settings_decode(name: str, recipe: Any, stages: Stages) -> None:
    """``params.yaml`` with the overrides of the phase is valid, and the phase is what it says."""
    command, options = recipe.command_of(stages[name])
    module = importlib.import_module(f"bertpipe.stages.{command}")
    settings_class = getattr(module, f"{command.capitalize()}Settings")
    settings = Params.load(recipe.folder / "params.yaml", options["overrides"]).read(settings_class)
    assert {entry.split(".")[0] for entry in stages[name]["params"]} == set(
        settings_class.model_fields
    ) - UNTRACKED | ({"masking"} if command == "pretrain" else set())
    phases = recipe.params["experiments"]["phases"]
    if command == "prepare":
        assert settings.prepare.max_seq_length == phases[name.removeprefix("prepare@")]["max_seq_length"]
    if command == "pretrain":
        phase = phases[name.removeprefix("pretrain-")]
        assert settings.pretrain.total_steps == phase["total_steps"]
        assert settings.pretrain.batch_size == phase["batch_size"]
        assert settings.model.max_position_embeddings == phases["long"]["max_seq_length"] == 512


@pytest.mark.parametrize("name", STAGES)
def test_the_code_of_every_stage_is_tracked(name: str, recipe: Any, stages: Stages) -> None:
    """Both phases of a stage run the same."""
    recipe.check_code_of(stages[name])


def text() -> str:
    """Return 400 sentences in documents of twelve."""
    kinds, things = ("old", "red", "small", "tall", "dry"), ("house", "river", "road", "letter", "garden")
    states, places = ("open", "warm", "lost", "quiet"), ("home", "away", "north", "down")
    lines = [
        f"the {kind} {thing} was {state} and then the {thing} went {place}."
        for kind in kinds
        for thing in things
        for state in states
        for place in places
    ]
    documents = ["\n".join(lines[start : start + 12]) for start in range(0, len(lines), 12)]
    return "\n\n".join(documents) + "\n"


@pytest.mark.slow
def test_the_recipe_runs(tmp_path: Path, checkout: Call, repro: Call, change: Call) -> None:
    """Both phases in one graph; the second goes on from the first; a setting of it reruns it alone."""
    folder = checkout("two-phases")
    (tmp_path / "text.txt").write_text(text(), encoding="utf-8")
    phases = {
        "short": {"max_seq_length": 16, "total_steps": 6, "batch_size": 8},
        "long": {"max_seq_length": 32, "total_steps": 3, "batch_size": 4},
    }
    small = {
        f"experiments.phases.{phase}.{name}": value
        for phase, values in phases.items()
        for name, value in values.items()
    }
    change(folder, small | {"inputs.corpus": "../../text.txt", "vocab.size": 120})
    change(folder, {"model.hidden_size": 16, "model.max_position_embeddings": 32})
    change(folder, {"pretrain.evaluate_steps": 3})
    change(folder, {"runtime.device": "cpu", "runtime.threads": 1, "runtime.workers": 1})
    repro(folder)
    short, long = (read_manifest(folder / "models" / phase, stage="pretrain") for phase in PHASES)
    assert long.inputs["init"] == short.content_hash()
    assert "optimizer.safetensors" in short.files and "optimizer.safetensors" not in long.files
    steps = [json.loads((folder / "models" / phase / "metrics.json").read_text())["step"] for phase in PHASES]
    assert steps == [6, 3]
    change(folder, {"experiments.phases.long.learning_rate": 0.0001})
    assert repro(folder) == ["pretrain-long"]
    assert read_manifest(folder / "models" / "short").content_hash() == short.content_hash()
