"""Recipes as DVC sees them, and a checkout to run one in."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

import bertpipe
from bertpipe.cli import main

ROOT = Path(__file__).parents[2]
CODE = "../../bertpipe/"
MADE = (".bertpipe", "data", "models", "scores", "report", "dvc.lock")


class Recipe:
    """What the files of a folder of ``pipelines`` say.

    Attributes:
        folder: where they are.
        params: of ``params.yaml``.
        described: the stages of ``dvc.yaml``, as they are written.
    """

    def __init__(self, name: str) -> None:
        self.folder = ROOT / "pipelines" / name
        self.params = _read(self.folder / "params.yaml")
        self.described = _read(self.folder / "dvc.yaml")["stages"]

    def stage(self, value: Any, **names: Any) -> Any:
        """Put values where ``${dotted.name}`` stands, as DVC does."""
        if isinstance(value, dict):
            return {name: self.stage(part, **names) for name, part in value.items()}
        if isinstance(value, list):
            return [self.stage(part, **names) for part in value]

        def found(match: re.Match[str]) -> str:
            node: Any = self.params | names
            for part in match[1].split("."):
                node = node[part]
            return json.dumps(node) if isinstance(node, bool) else str(node)

        return re.sub(r"\$\{([\w.]+)\}", found, value)

    def command_of(self, stage: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the subcommand that a stage calls, and its options."""
        program, name, *arguments = shlex.split(stage["cmd"])
        assert program == "bertpipe"
        command = main.get_command(click.Context(main), name)
        assert command is not None
        return name, command.make_context(name, arguments).params

    def inputs_of(self, stage: dict[str, Any]) -> set[str]:
        """Return the dependencies that are not code."""
        return {path for path in stage["deps"] if not path.startswith(CODE)}

    def check_code_of(self, stage: dict[str, Any]) -> None:
        """Hold its dependencies to what the stage names as its code, and the architecture tests hold to."""
        command, _ = self.command_of(stage)
        code = [path.removeprefix(CODE) for path in stage["deps"] if path.startswith(CODE)]
        assert tuple(code) == importlib.import_module(f"bertpipe.stages.{command}").CODE
        assert all((self.folder / CODE / path).exists() for path in code)


def _read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def open_recipe() -> Callable[[str], Recipe]:
    return Recipe


@pytest.fixture
def checkout(tmp_path: Path) -> Callable[[str], Path]:
    """Return what lays out a checkout: the package and a recipe in a DVC repository; its folder there."""

    def lay_out(name: str) -> Path:
        package = Path(bertpipe.__file__).parent
        shutil.copytree(package, tmp_path / "bertpipe", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / ".dvcignore", tmp_path)
        recipe = tmp_path / "pipelines" / name
        shutil.copytree(ROOT / "pipelines" / name, recipe, ignore=shutil.ignore_patterns(*MADE))
        for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
            subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        return recipe

    return lay_out


@pytest.fixture
def repro() -> Callable[[Path], list[str]]:
    """Return what runs DVC in a recipe's folder and tells the stages that it ran."""

    def run(recipe: Path) -> list[str]:
        inherited = {name: value for name, value in os.environ.items() if name != "BERTPIPE_WORK"}
        environment = {**inherited, "PYTHONPATH": str(recipe.parents[1]), "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(["dvc", "repro"], cwd=recipe, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return re.findall(r"Running stage '([^']+)'", done.stdout + done.stderr)

    return run


@pytest.fixture
def change() -> Callable[..., None]:
    """Return what puts values into a recipe's ``params.yaml``, by dotted name."""

    def put(recipe: Path, values: dict[str, Any]) -> None:
        yaml = YAML()
        params = yaml.load(recipe / "params.yaml")
        for name, value in values.items():
            *sections, last = name.split(".")
            section = params
            for part in sections:
                section = section[part]
            section[last] = value
        yaml.dump(params, recipe / "params.yaml")

    return put
