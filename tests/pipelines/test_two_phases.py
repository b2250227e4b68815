"""The recipe for pre-training in two phases: what its files say fits the code, and it runs."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

import bertpipe
from bertpipe.artifacts import read_manifest
from bertpipe.cli import main
from bertpipe.configs import Params

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "pipelines" / "two-phases"
PHASES = ("short", "long")
STAGES = ("vocab", "prepare@short", "prepare@long", "pretrain-short", "pretrain-long")
CODE = "../../bertpipe/"
# dvc.yaml of the default pipeline tracks no masks for prepare either: dynamic ones are drawn by pretrain.
UNTRACKED = {"runtime", "masking"}


def read_yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def filled(value: Any, names: dict[str, Any]) -> Any:
    """Put values where ``${dotted.name}`` stands, as DVC does."""
    if isinstance(value, dict):
        return {name: filled(part, names) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, names) for part in value]

    def found(match: re.Match[str]) -> str:
        node: Any = names
        for part in match[1].split("."):
            node = node[part]
        return json.dumps(node) if isinstance(node, bool) else str(node)

    return re.sub(r"\$\{([\w.]+)\}", found, value)


@pytest.fixture(scope="module")
def stages() -> dict[str, dict[str, Any]]:
    """Return the stages as DVC sees them, one for each phase where there is one for each."""
    params, described = read_yaml(RECIPE / "params.yaml"), read_yaml(RECIPE / "dvc.yaml")["stages"]
    phases = params["experiments"]["phases"]
    assert tuple(phases) == PHASES
    assert described["prepare"]["foreach"] == "${experiments.phases}"
    plain = {name: filled(stage, params) for name, stage in described.items() if "do" not in stage}
    return plain | {
        f"prepare@{key}": filled(described["prepare"]["do"], params | {"key": key, "item": item})
        for key, item in phases.items()
    }


def command_of(stage: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the subcommand and its options."""
    program, name, *arguments = shlex.split(stage["cmd"])
    assert program == "bertpipe"
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return name, command.make_context(name, arguments).params


@pytest.mark.parametrize("name", STAGES)
def test_every_command_parses_and_writes_its_output(name: str, stages: dict[str, dict[str, Any]]) -> None:
    """Options are known, what is read is a dependency, what is written is the output."""
    assert set(stages) == set(STAGES)
    _, options = command_of(stages[name])
    assert [str(options["out"])] == stages[name]["outs"]
    read = {str(path) for path in (options.get("shards"), options.get("init"), options.get("vocab")) if path}
    read |= set(options.get("corpus", ()))
    assert read == {dependency for dependency in stages[name]["deps"] if CODE not in dependency}


@pytest.mark.parametrize("name", STAGES)
def test_settings_decode(name: str, stages: dict[str, dict[str, Any]]) -> None:
    """``params.yaml`` with the overrides of the phase is valid, and the phase is what it says."""
    command, options = command_of(stages[name])
    module = importlib.import_module(f"bertpipe.stages.{command}")
    settings_class = getattr(module, f"{command.capitalize()}Settings")
    settings = Params.load(RECIPE / "params.yaml", options["overrides"]).read(settings_class)
    assert {entry.split(".")[0] for entry in stages[name]["params"]} == set(
        settings_class.model_fields
    ) - UNTRACKED | ({"masking"} if command == "pretrain" else set())
    phases = read_yaml(RECIPE / "params.yaml")["experiments"]["phases"]
    if command == "prepare":
        assert settings.prepare.max_seq_length == phases[name.removeprefix("prepare@")]["max_seq_length"]
    if command == "pretrain":
        phase = phases[name.removeprefix("pretrain-")]
        assert settings.pretrain.total_steps == phase["total_steps"]
        assert settings.pretrain.batch_size == phase["batch_size"]
        assert settings.model.max_position_embeddings == phases["long"]["max_seq_length"] == 512


@pytest.mark.parametrize("name", STAGES)
def test_the_code_of_every_stage_is_tracked(name: str, stages: dict[str, dict[str, Any]]) -> None:
    """Its dependencies are what the stage names as its code, which the architecture tests hold to be true."""
    command, _ = command_of(stages[name])
    code = [path.removeprefix(CODE) for path in stages[name]["deps"] if path.startswith(CODE)]
    assert tuple(code) == importlib.import_module(f"bertpipe.stages.{command}").CODE
    assert all((RECIPE / CODE / path).exists() for path in code)


def project_in(folder: Path) -> Path:
    """Lay out a checkout: the package, the recipe, some text; a DVC repository, without git's history."""
    package = Path(bertpipe.__file__).parent
    shutil.copytree(package, folder / "bertpipe", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dvcignore", folder)
    recipe = folder / "pipelines" / "two-phases"
    shutil.copytree(RECIPE, recipe, ignore=shutil.ignore_patterns("data", "models", ".bertpipe", "dvc.lock"))
    lines = [f"the {a} {b} was {c} and then the {b} went {d}." for a, b, c, d in words()]
    documents = ["\n".join(lines[start : start + 12]) for start in range(0, len(lines), 12)]
    (folder / "text.txt").write_text("\n\n".join(documents) + "\n", encoding="utf-8")
    yaml = YAML()
    params = yaml.load(recipe / "params.yaml")
    params["inputs"]["corpus"] = "../../text.txt"
    params["experiments"]["phases"]["short"].update(max_seq_length=16, total_steps=6, batch_size=8)
    params["experiments"]["phases"]["long"].update(max_seq_length=32, total_steps=3, batch_size=4)
    params["vocab"]["size"] = 120
    params["model"].update(hidden_size=16, max_position_embeddings=32)
    params["pretrain"]["evaluate_steps"] = 3
    params["runtime"].update(device="cpu", threads=1, workers=1)
    yaml.dump(params, recipe / "params.yaml")
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return recipe


def words() -> list[tuple[str, str, str, str]]:
    kinds, things = ("old", "red", "small", "tall", "dry"), ("house", "river", "road", "letter", "garden")
    states, places = ("open", "warm", "lost", "quiet"), ("home", "away", "north", "down")
    return [(a, b, c, d) for a in kinds for b in things for c in states for d in places]


def repro(recipe: Path) -> str:
    """Run DVC in the recipe's folder; return what it said."""
    inherited = {name: value for name, value in os.environ.items() if name != "BERTPIPE_WORK"}
    environment = {**inherited, "PYTHONPATH": str(recipe.parents[1]), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(["dvc", "repro"], cwd=recipe, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_recipe_runs(tmp_path: Path) -> None:
    """Both phases in one graph; the second goes on from the first; a setting of it reruns it alone."""
    recipe = project_in(tmp_path)
    repro(recipe)
    short, long = (read_manifest(recipe / "models" / phase, stage="pretrain") for phase in PHASES)
    assert long.inputs["init"] == short.content_hash()
    assert "optimizer.safetensors" in short.files and "optimizer.safetensors" not in long.files
    steps = [json.loads((recipe / "models" / phase / "metrics.json").read_text())["step"] for phase in PHASES]
    assert steps == [6, 3]
    yaml = YAML()
    params = yaml.load(recipe / "params.yaml")
    params["experiments"]["phases"]["long"]["learning_rate"] = 0.0001
    yaml.dump(params, recipe / "params.yaml")
    again = repro(recipe)
    assert re.findall(r"Running stage '([\w@-]+)'", again) == ["pretrain-long"]
    assert read_manifest(recipe / "models" / "short").content_hash() == short.content_hash()
