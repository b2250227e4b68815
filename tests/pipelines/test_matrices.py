"""The recipes that fine-tune many times: what their files say fits the code, and the search runs."""

import importlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertModel

from bertpipe.configs import Params, Settings
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

RECIPES = ("glue", "grid")
STAGES = ("finetune", "eval", "report")

Call = Callable[..., Any]


@pytest.fixture
def cells(open_recipe: Call) -> Call:
    """Return what gives each cell of a stage with its values, as DVC sees it."""

    def of(name: str, stage: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        recipe = open_recipe(name)
        described = dict(recipe.described[stage])
        lists = {
            name: recipe.params["experiments"][template.removeprefix("${experiments.").removesuffix("}")]
            for name, template in described.pop("matrix", {}).items()
        }
        values = [dict(zip(lists, row, strict=True)) for row in itertools.product(*lists.values())]
        return [(item, recipe.stage(described, item=item)) for item in values]

    return of


def test_the_grid_is_the_paper_s(open_recipe: Call, cells: Call) -> None:
    """Appendix A.3: two batch sizes, three rates, two to four epochs; each cell is a model and its scores."""
    experiments = open_recipe("grid").params["experiments"]
    assert experiments["batch_sizes"] == [16, 32] and experiments["epochs"] == [2, 3, 4]
    assert experiments["learning_rates"] == [5e-5, 3e-5, 2e-5]
    for stage in ("finetune", "eval"):
        outs = [cell["outs"][0] for _, cell in cells("grid", stage)]
        assert len(set(outs)) == len(outs) == 18 * len(experiments["tasks"]) * len(experiments["seeds"])


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("stage", STAGES)
def test_every_command_parses_and_writes_its_output(
    name: str, stage: str, open_recipe: Call, cells: Call
) -> None:
    """Options are known, what is read is a dependency, what is written is the output."""
    recipe = open_recipe(name)
    for _, cell in cells(name, stage):
        command, options = recipe.command_of(cell)
        assert command == stage and [str(options["out"])] == cell["outs"]
        read = {str(options[option]) for option in ("model", "data", "scores") if options.get(option)}
        assert read == recipe.inputs_of(cell)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("stage", STAGES)
def test_settings_decode(name: str, stage: str, open_recipe: Call, cells: Call) -> None:
    """``params.yaml`` with the overrides of a cell is valid, and the cell is what it says."""
    recipe = open_recipe(name)
    module = importlib.import_module(f"bertpipe.stages.{stage}")
    settings_class = getattr(module, f"{stage.capitalize()}Settings", Settings)
    for item, cell in cells(name, stage):
        _, options = recipe.command_of(cell)
        settings = Params.load(recipe.folder / "params.yaml", options["overrides"]).read(settings_class)
        tracked = {entry.split(".")[0] for entry in cell.get("params", [])}
        assert tracked == set(settings_class.model_fields) - {"runtime"}
        if stage == "finetune":
            told = {key: value for key, value in item.items() if key != "task"}
            assert settings.finetune.model_dump(include=set(told)) == told
        assert not item or item["task"] in settings.tasks


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("stage", STAGES)
def test_the_code_of_every_stage_is_tracked(name: str, stage: str, open_recipe: Call, cells: Call) -> None:
    """The cells of a stage share their code."""
    _, cell = cells(name, stage)[0]
    open_recipe(name).check_code_of(cell)


def add_model_and_task(folder: Path) -> None:
    """Put what the search starts from into a checkout."""
    tokenizer = Tokenizer.build([*SPECIAL_TOKENS, *"abcdefgh"], lowercase=True)
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=tokenizer.vocab_size, **shape)).save_pretrained(folder / "model")
    tokenizer.save(folder / "model")
    for split, size in (("train", 32), ("dev", 8), ("test", 8)):
        rows = [{"text": "abcdefgh"[n % 8], "label": "xy"[n % 2]} for n in range(size)]
        (folder / "tasks" / "film-reviews").mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "tasks" / "film-reviews" / f"{split}.jsonl").write_text(text)


@pytest.mark.slow
def test_the_recipe_runs_and_a_new_value_runs_its_cells_alone(
    tmp_path: Path, checkout: Call, repro: Call, change: Call
) -> None:
    """One cell, then a second; with two settings the report chooses between them."""
    recipe = checkout("grid")
    add_model_and_task(tmp_path)
    small = {"experiments.batch_sizes": [16], "experiments.learning_rates": [0.01], "experiments.epochs": [2]}
    change(recipe, small | {"inputs.model": "../../model", "inputs.tasks": "../../tasks"})
    change(recipe, {"runtime.device": "cpu", "runtime.threads": 1, "runtime.workers": 1})
    kinds = ["eval", "finetune", "report"]
    assert sorted(name.split("@")[0] for name in repro(recipe)) == kinds
    assert "Chosen on dev" not in (recipe / "report" / "report.md").read_text()
    change(recipe, {"experiments.learning_rates": [0.01, 0.001]})
    again = repro(recipe)
    assert sorted(name.split("@")[0] for name in again) == kinds
    assert all("0.001" in name for name in again if name != "report")
    page = (recipe / "report" / "report.md").read_text()
    assert "Chosen on dev among 2 settings: pretrained, learning rate 0.0" in page
