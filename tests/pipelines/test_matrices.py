"""The recipes that fine-tune many times: what their files say fits the code, and the search runs."""

import importlib
import itertools
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
from transformers import BertConfig, BertModel

import bertpipe
from bertpipe.cli import main
from bertpipe.configs import Params, Settings
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "pipelines"
GRID = RECIPES / "grid"
CODE = "../../bertpipe/"
STAGES = ("finetune", "eval", "report")


def read_yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


PARAMS = {name: read_yaml(RECIPES / name / "params.yaml") for name in ("glue", "grid")}
DESCRIBED = {name: read_yaml(RECIPES / name / "dvc.yaml")["stages"] for name in PARAMS}


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
        return str(node)

    return re.sub(r"\$\{([\w.]+)\}", found, value)


def cells(recipe: str, stage: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return each cell of a stage with its values, as DVC sees it."""
    described = dict(DESCRIBED[recipe][stage])
    lists = {
        name: PARAMS[recipe]["experiments"][template.removeprefix("${experiments.").removesuffix("}")]
        for name, template in described.pop("matrix", {}).items()
    }
    values = [dict(zip(lists, row, strict=True)) for row in itertools.product(*lists.values())]
    return [(item, filled(described, PARAMS[recipe] | {"item": item})) for item in values]


def options_of(cell: dict[str, Any], stage: str) -> dict[str, Any]:
    program, name, *arguments = shlex.split(cell["cmd"])
    assert (program, name) == ("bertpipe", stage)
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return command.make_context(name, arguments).params


def test_the_grid_is_the_paper_s() -> None:
    """Appendix A.3: two batch sizes, three rates, two to four epochs; each cell is a model and its scores."""
    experiments = PARAMS["grid"]["experiments"]
    assert experiments["batch_sizes"] == [16, 32] and experiments["epochs"] == [2, 3, 4]
    assert experiments["learning_rates"] == [5e-5, 3e-5, 2e-5]
    for stage in ("finetune", "eval"):
        outs = [cell["outs"][0] for _, cell in cells("grid", stage)]
        assert len(set(outs)) == len(outs) == 18 * len(experiments["tasks"]) * len(experiments["seeds"])


@pytest.mark.parametrize("recipe", PARAMS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_command_parses_and_writes_its_output(recipe: str, stage: str) -> None:
    """Options are known, what is read is a dependency, what is written is the output."""
    for _, cell in cells(recipe, stage):
        options = options_of(cell, stage)
        assert [str(options["out"])] == cell["outs"]
        read = {str(options[name]) for name in ("model", "data", "scores") if options.get(name)}
        assert read == {dependency for dependency in cell["deps"] if CODE not in dependency}


@pytest.mark.parametrize("recipe", PARAMS)
@pytest.mark.parametrize("stage", STAGES)
def test_settings_decode(recipe: str, stage: str) -> None:
    """``params.yaml`` with the overrides of a cell is valid, and the cell is what it says."""
    module = importlib.import_module(f"bertpipe.stages.{stage}")
    settings_class = getattr(module, f"{stage.capitalize()}Settings", Settings)
    for item, cell in cells(recipe, stage):
        overrides = options_of(cell, stage)["overrides"]
        settings = Params.load(RECIPES / recipe / "params.yaml", overrides).read(settings_class)
        tracked = {entry.split(".")[0] for entry in cell.get("params", [])}
        assert tracked == set(settings_class.model_fields) - {"runtime"}
        if stage == "finetune":
            told = {name: value for name, value in item.items() if name != "task"}
            assert settings.finetune.model_dump(include=set(told)) == told
        assert not item or item["task"] in settings.tasks


@pytest.mark.parametrize("recipe", PARAMS)
@pytest.mark.parametrize("stage", STAGES)
def test_the_code_of_every_stage_is_tracked(recipe: str, stage: str) -> None:
    """Its dependencies are what the stage names as its code, which the architecture tests hold to be true."""
    _, cell = cells(recipe, stage)[0]
    code = [path.removeprefix(CODE) for path in cell["deps"] if path.startswith(CODE)]
    assert tuple(code) == importlib.import_module(f"bertpipe.stages.{stage}").CODE
    assert all((GRID / CODE / path).exists() for path in code)


def project_in(folder: Path) -> Path:
    """Lay out a checkout: the package, the recipe, a model and a task; a DVC repository."""
    package = Path(bertpipe.__file__).parent
    shutil.copytree(package, folder / "bertpipe", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dvcignore", folder)
    recipe = folder / "pipelines" / "grid"
    shutil.copytree(GRID, recipe, ignore=shutil.ignore_patterns("models", "scores", "report", "dvc.lock"))
    tokenizer = Tokenizer.build([*SPECIAL_TOKENS, *"abcdefgh"], lowercase=True)
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=tokenizer.vocab_size, **shape)).save_pretrained(folder / "model")
    tokenizer.save(folder / "model")
    for split, size in (("train", 32), ("dev", 8), ("test", 8)):
        rows = [{"text": "abcdefgh"[n % 8], "label": "xy"[n % 2]} for n in range(size)]
        (folder / "tasks" / "film-reviews").mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "tasks" / "film-reviews" / f"{split}.jsonl").write_text(text)
    change(recipe, batch_sizes=[16], learning_rates=[0.01], epochs=[2])
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return recipe


def change(recipe: Path, **experiments: Any) -> None:
    yaml = YAML()
    params = yaml.load(recipe / "params.yaml")
    params["inputs"].update(model="../../model", tasks="../../tasks")
    params["experiments"].update(experiments)
    params["runtime"].update(device="cpu", threads=1, workers=1)
    yaml.dump(params, recipe / "params.yaml")


def repro(recipe: Path) -> list[str]:
    """Run DVC in the recipe's folder; return the stages that it ran."""
    inherited = {name: value for name, value in os.environ.items() if name != "BERTPIPE_WORK"}
    environment = {**inherited, "PYTHONPATH": str(recipe.parents[1]), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(["dvc", "repro"], cwd=recipe, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"Running stage '([^']+)'", done.stdout + done.stderr)


@pytest.mark.slow
def test_the_recipe_runs_and_a_new_value_runs_its_cells_alone(tmp_path: Path) -> None:
    """One cell, then a second; with two settings the report chooses between them."""
    recipe = project_in(tmp_path)
    kinds = ["eval", "finetune", "report"]
    assert sorted(name.split("@")[0] for name in repro(recipe)) == kinds
    assert "Chosen on dev" not in (recipe / "report" / "report.md").read_text()
    change(recipe, learning_rates=[0.01, 0.001])
    again = repro(recipe)
    assert sorted(name.split("@")[0] for name in again) == kinds
    assert all("0.001" in name for name in again if name != "report")
    page = (recipe / "report" / "report.md").read_text()
    assert "Chosen on dev among 2 settings: pretrained, learning rate 0.0" in page
