"""What dvc.yaml, params.yaml, the commands and the code say about each other is the same."""

import ast
import importlib
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

import bertpipe
from bertpipe.cli import COMMANDS, STAGES, TOOLS, main
from bertpipe.configs import SECTIONS, Params, Settings

ROOT = Path(__file__).parents[1]
PACKAGE = Path(bertpipe.__file__).parent
DATA_STAGES = ("samples", "vocab", "prepare", "report")
# All stages, for tests that start a fresh Python; loading torch takes it two seconds.
FRESH = [pytest.param(name, marks=() if name in DATA_STAGES else pytest.mark.slow) for name in STAGES]
# Read by dvc.yaml alone, in its templates.
TEMPLATE_SECTIONS = {"inputs", "experiments"}
# Sections that a stage reads but that do not change its result.
UNTRACKED = {"prepare": {"masking"}}  # dynamic masks are drawn by pretrain

TELL_MODULES = """
import importlib, sys
importlib.import_module("bertpipe.stages." + sys.argv[1])
print(*sys.modules)
"""


@cache
def dvc_stages() -> dict[str, dict[str, Any]]:
    """Return the stages of dvc.yaml by name."""
    stages: dict[str, dict[str, Any]] = read_yaml(ROOT / "dvc.yaml")["stages"]
    return stages


def read_yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def module_of(name: str) -> ModuleType:
    return importlib.import_module(f"bertpipe.{'stages' if name in STAGES else 'tools'}.{name}")


def settings_class(name: str) -> type[Settings] | None:
    """Return what the command reads; the report and submit have no settings."""
    return getattr(module_of(name), f"{name.capitalize()}Settings", None)


def settings_classes() -> list[type[Settings]]:
    return [settings for name in COMMANDS if (settings := settings_class(name))]


@cache
def imported(name: str) -> frozenset[str]:
    """Return the modules that a fresh Python has loaded after importing a stage."""
    result = subprocess.run(
        [sys.executable, "-c", TELL_MODULES, name], capture_output=True, text=True, check=True
    )
    return frozenset(result.stdout.split())


def code_of(name: str) -> set[str]:
    """Return the folders and files of the package that a stage imports, as in its ``CODE``."""
    own = [module.split(".")[1:] for module in imported(name) if module.startswith("bertpipe.")]
    return {_place(parts) for parts in own} - {"stages"}


def _place(parts: list[str]) -> str:
    if parts[0] == "stages" and len(parts) > 1:
        return f"stages/{parts[1]}.py"
    return parts[0] if (PACKAGE / parts[0]).is_dir() else f"{parts[0]}.py"


@pytest.mark.parametrize("name", FRESH)
def test_a_stage_names_the_code_that_it_runs(name: str) -> None:
    """``CODE``, which guards old progress, is what the stage imports: nothing missing or superfluous."""
    assert set(module_of(name).CODE) == code_of(name)


@pytest.mark.parametrize("name", FRESH)
def test_dvc_tracks_the_code_that_a_stage_runs(name: str) -> None:
    """The dependencies in dvc.yaml are what the stage imports; the command line is presentation."""
    dependencies = [
        dependency for dependency in dvc_stages()[name]["deps"] if dependency.startswith("bertpipe/")
    ]
    assert set(dependencies) == {f"bertpipe/{place}" for place in code_of(name)}
    assert dependencies == sorted(dependencies)
    assert all((ROOT / dependency).exists() for dependency in dependencies)


def test_below_the_command_line_every_import_stands_at_the_top() -> None:
    """A module that a function imports late would be missing in what the tests above compare."""
    late = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in ("cli", "extras.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bertpipe"))
        or (isinstance(node, ast.Import) and any(alias.name.startswith("bertpipe") for alias in node.names))
        or (isinstance(node, ast.Name | ast.Attribute) and _name(node) in ("import_module", "__import__"))
    ]
    assert late == []


def _name(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


@pytest.mark.parametrize("name", DATA_STAGES)
def test_data_stages_import_no_torch(name: str) -> None:
    """They start at once, and run where torch is not at home."""
    assert not {"torch", "safetensors", "transformers"} & imported(name)


def test_every_stage_has_one_name() -> None:
    """The command, the stage of dvc.yaml, the module in stages/ and the one in cli/ are called the same."""
    assert tuple(dvc_stages()) == STAGES
    assert modules_that_run("stages") == set(STAGES)
    for name in STAGES:
        assert dvc_stages()[name]["cmd"].split()[:2] == ["bertpipe", name]


def test_every_command_has_one_name() -> None:
    """Stages and tools: the command, its module in cli/, and the one that does the work."""
    assert modules_that_run("tools") == set(TOOLS)
    assert (*STAGES, *TOOLS) == COMMANDS
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None and command.name == name


def modules_that_run(folder: str) -> set[str]:
    return {path.stem for path in (PACKAGE / folder).glob("*.py") if "def run(" in path.read_text()}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_has_every_command(name: str) -> None:
    """A row of its table: what the command reads and writes."""
    assert f"| `bertpipe {name} " in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STAGES)
def test_every_command_line_parses(name: str) -> None:
    """Each ``cmd`` of dvc.yaml has only known options, all that are required, and writes its ``outs``."""
    stage = dvc_stages()[name]
    line = re.sub(r"\$\{([^}]*)\}", r"<\1>", stage["cmd"])
    command = main.get_command(click.Context(main), name)
    assert command is not None
    context = command.make_context(name, shlex.split(line)[2:])
    assert [str(context.params["out"])] == [re.sub(r"\$\{([^}]*)\}", r"<\1>", out) for out in stage["outs"]]


@pytest.mark.parametrize("name", STAGES)
def test_params_yaml_decodes(name: str) -> None:
    """The settings of the default pipeline are valid for every stage, with the overrides of its ``cmd``."""
    experiments = read_yaml(ROOT / "params.yaml")["experiments"]
    item = {
        "task": experiments["tasks"][0],
        "start": experiments["starts"][0],
        "seed": experiments["seeds"][0],
    }
    overrides = re.findall(r"--set (\S+)", dvc_stages()[name]["cmd"])
    filled = [re.sub(r"\$\{item\.(\w+)\}", lambda found: str(item[found[1]]), text) for text in overrides]
    params = Params.load(ROOT / "params.yaml", filled)
    settings = params.read(settings_class(name) or Settings)
    assert settings_class(name) is None or getattr(settings, name)


@pytest.mark.parametrize("name", STAGES)
def test_dvc_tracks_the_settings_that_a_stage_reads(name: str) -> None:
    """``params`` in dvc.yaml are the sections of the stage's settings, but never ``runtime``."""
    settings = settings_class(name)
    read = set(settings.model_fields) if settings else set()
    tracked = {entry.split(".")[0] for entry in dvc_stages()[name].get("params", [])}
    assert tracked == read - {"runtime"} - UNTRACKED.get(name, set())


def test_every_section_is_read_by_somebody() -> None:
    """A section is known because a command or a template of dvc.yaml reads it; params.yaml has no others."""
    read = {section for settings in settings_classes() for section in settings.model_fields}
    templates = set(re.findall(r"\$\{(\w+)\.", (ROOT / "dvc.yaml").read_text(encoding="utf-8"))) - {"item"}
    assert templates == TEMPLATE_SECTIONS
    assert set(SECTIONS) == read | templates
    assert list(SECTIONS) == sorted(SECTIONS)
    assert set(read_yaml(ROOT / "params.yaml")) <= set(SECTIONS)


def test_every_setting_says_what_it_is() -> None:
    """Each setting has a description, which ``explain`` and the README are made from."""
    missing = [
        f"{section}.{key}"
        for settings in settings_classes()
        for section, field in settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
        for key, setting in field.annotation.model_fields.items()
        if not setting.description
    ]
    assert missing == []
