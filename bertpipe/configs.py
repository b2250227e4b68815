"""Settings: sections of ``params.yaml`` become frozen models, once, at the start of a command.

Nothing deeper reads YAML, the environment or the disk to find a setting. The parser is the one
that DVC uses (YAML 1.2, where ``1e-4`` is a number), so both read the same values.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bertpipe.errors import ConfigError

DEFAULT_PARAMS = Path("params.yaml")

# Every section that a stage or dvc.yaml reads. A stage checks its own sections only, so that it
# does not depend on the code of the others; a section that nobody knows is an error everywhere.
SECTIONS = (
    "corpus",
    "eval",
    "experiments",
    "finetune",
    "inputs",
    "masking",
    "model",
    "prepare",
    "pretrain",
    "runtime",
    "samples",
    "tasks",
    "vocab",
)


class Settings(BaseModel):
    """Base of all sections: frozen, and every key must be known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class RuntimeConfig(Settings):
    """What does not change a result: never tracked by DVC, never part of a fingerprint."""

    workers: int | None = Field(None, ge=1, description="Processes for data stages; unset: one a core.")
    threads: int | None = Field(None, ge=1, description="Threads for tensor work; unset: one a core.")
    device: str | None = Field(None, description="Torch device; unset: cuda where there is one, else cpu.")
    log_interval: int = Field(50, ge=1, description="Steps between two progress lines.")
    checkpoint_steps: int = Field(500, ge=1, description="Steps between two checkpoints.")
    old_progress: Literal["refuse", "continue", "restart"] = Field(
        "refuse", description="What to do with progress that another version of the code has made."
    )


S = TypeVar("S", bound=Settings)


class Params:
    """The settings of one command: the file, then the overrides on top."""

    def __init__(self, values: Mapping[str, Any], *, source: str = "params.yaml") -> None:
        self._values = values
        self._source = source

    @classmethod
    def load(cls, path: Path | None, overrides: Sequence[str] = ()) -> "Params":
        """Read a YAML file and apply ``KEY=VALUE`` overrides.

        Args:
            path: the file; unset: ``params.yaml`` where there is one.
            overrides: such as ``pretrain.learning_rate=1e-3``; values are read as YAML.

        Raises:
            ConfigError: the file is missing or no YAML mapping, or an override has no such form.
        """
        if path is None and DEFAULT_PARAMS.exists():
            path = DEFAULT_PARAMS
        values = {} if path is None else _read_mapping(path)
        for override in overrides:
            _apply(override, values)
        source = str(path) if path is not None else "settings"
        problems = [_unknown(name, SECTIONS, where=source) for name in values if name not in SECTIONS]
        if problems:
            raise ConfigError("; ".join(problems), hint=f"the sections are {', '.join(SECTIONS)}")
        return cls(values, source=source)

    def read(self, model: type[S]) -> S:
        """Turn the sections that a stage reads into its settings.

        Args:
            model: its fields are the sections, such as ``vocab`` and ``runtime``.

        Raises:
            ConfigError: all that is wrong in any of them, at once.
        """
        sections = {
            name: dict(_mapping(self._values.get(name), where=f"{self._source}: {name}"))
            for name in model.model_fields
        }
        try:
            return model.model_validate(sections)
        except ValidationError as error:
            problems = [_explain(details, model, self._source) for details in error.errors()]
            hint = f"mend {self._source} or the --set options"
            raise ConfigError("; ".join(problems), hint=hint) from None


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file", hint="name another file with --params") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    try:
        values = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    return dict(_mapping(values, where=str(path)))


def _apply(override: str, values: dict[str, Any]) -> None:
    """Set one dotted key in place."""
    dotted, equals, text = override.partition("=")
    keys = dotted.split(".")
    if not equals or len(keys) < 2 or not all(keys):
        raise ConfigError(
            f"--set {override}: not of the form KEY=VALUE",
            hint="the key as in params.yaml, such as --set pretrain.learning_rate=1e-3",
        )
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        value = text
    node = values
    for depth, part in enumerate(keys[:-1]):
        where = ".".join(keys[: depth + 1])
        node[part] = dict(_mapping(node.get(part), where=f"--set {where}"))
        node = node[part]
    node[keys[-1]] = value


def _mapping(value: object, *, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected settings by name, found {value!r}")
    return value


def _explain(details: ErrorDetails, model: type[Settings], source: str) -> str:
    """Say in one line what is wrong with one setting."""
    path = [str(part) for part in details["loc"]]
    dotted = ".".join(path)
    if details["type"] == "extra_forbidden":
        section = model.model_fields[path[0]].annotation
        known = section.model_fields if isinstance(section, type) and issubclass(section, Settings) else ()
        return _unknown(dotted, [f"{path[0]}.{name}" for name in known], where=source)
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "missing":
        return f"{source}: {dotted} is not set"
    if len(path) == 1:
        return f"{source}: {dotted}: {message}"
    return f"{source}: {dotted} = {details['input']!r}: {message[:1].lower()}{message[1:]}"


def _unknown(name: str, known: Iterable[str], *, where: str) -> str:
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    suggestion = f", did you mean {nearest[0]}?" if nearest else ""
    return f"{where}: unknown setting {name}{suggestion}"
