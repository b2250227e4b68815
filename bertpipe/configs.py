"""Settings: sections of ``params.yaml`` become frozen models, once, at the start of a command.

Nothing deeper reads YAML, the environment or the disk to find a setting. The parser is the one
that DVC uses (YAML 1.2, where ``1e-4`` is a number), so both read the same values.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bertpipe.errors import ConfigError

DEFAULT_PARAMS = Path("params.yaml")

# The parser lets a ValueError through for what looks like a date but is none.
_YAML_ERRORS = (YAMLError, ValueError)

_SHOWN_CHARACTERS = 60

# Every section that a command or dvc.yaml reads. A command checks its own sections only, so that it
# does not depend on the code of the others; a section that nobody knows is an error everywhere.
SECTIONS = (
    "compare",
    "corpus",
    "eval",
    "experiments",
    "finetune",
    "inputs",
    "masking",
    "model",
    "predict",
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

    workers: int | None = Field(None, ge=1, description="Processes of the local executor; unset: one a core.")
    executor: Literal["local", "dask"] | None = Field(
        None,
        description="Where data stages work: in processes of this machine, or in the workers of a Dask "
        "scheduler; unset: dask where a scheduler is named.",
    )
    scheduler: str | None = Field(None, description="Address of the Dask scheduler, such as tcp://host:8786.")
    threads: int | None = Field(None, ge=1, description="Threads for tensor work; unset: one a core.")
    device: str | None = Field(None, description="Torch device; unset: cuda where there is one, else cpu.")
    gradient_checkpointing: bool = Field(
        False, description="Compute the layers again in the backward pass: less memory, about a third slower."
    )
    parallel: Literal["ddp", "fsdp"] = Field(
        "ddp", description="With several processes: each has a copy of the model (ddp), or a share (fsdp)."
    )
    log_interval: int = Field(50, ge=1, description="Steps between two progress lines.")
    checkpoint_steps: int = Field(500, ge=1, description="Steps between two checkpoints.")
    tensorboard: str | None = Field(
        None, description="Folder for TensorBoard's event files of training; unset: none are written."
    )
    old_progress: Literal["refuse", "continue", "restart"] = Field(
        "refuse", description="What to do with progress that another version of the code has made."
    )

    @field_validator("scheduler")
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        if address is not None and not re.fullmatch(r"(tcp|tls)://.+:\d+", address):
            raise ValueError("expected an address such as tcp://host:8786")
        return address

    @model_validator(mode="after")
    def _has_scheduler(self) -> Self:
        if self.executor == "dask" and self.scheduler is None:
            raise ValueError("executor = dask needs scheduler, the address of a Dask scheduler")
        return self


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
        return cls(values, source=str(path) if path is not None else "settings")

    def read(self, model: type[S]) -> S:
        """Turn the sections that a stage reads into its settings.

        Args:
            model: its fields are the sections, such as ``vocab`` and ``runtime``.

        Raises:
            ConfigError: all that is wrong in any of them, and all unknown sections, at once.
        """
        unknown = [str(name) for name in self._values if name not in SECTIONS]
        problems = [_unknown(name, SECTIONS, where=self._source) for name in unknown]
        present = {name: self._values.get(name) for name in model.model_fields}
        sections = {name: {} if values is None else values for name, values in present.items()}
        try:
            settings = model.model_validate(sections)
        except ValidationError as error:
            problems += [_explain(details, model, self._source) for details in error.errors()]
        if problems:
            hint = f"mend {self._source} or the --set options"
            raise ConfigError("; ".join(problems), hint=hint) from None
        return settings


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
    except _YAML_ERRORS as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
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
    except _YAML_ERRORS:
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
        raise ConfigError(f"{where}: expected settings by name, found {_shown(value)}")
    return value


def _shown(value: object) -> str:
    """Return a value as it fits into a message: the whole file may stand where a name should."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _explain(details: ErrorDetails, model: type[Settings], source: str) -> str:
    """Say in one line what is wrong with one setting."""
    path, annotation = _as_written(model, details["loc"])
    dotted = ".".join(path)
    if details["type"] == "extra_forbidden":
        beside = dotted.removesuffix(path[-1])
        return _unknown(path[-1], _known(annotation), where=source, beside=beside)
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "missing":
        return f"{source}: {dotted} is not set"
    if details["type"] == "union_tag_not_found":
        known = ", ".join(_by_tag(annotation))
        return f"{source}: {dotted}.{_discriminator(annotation)} is not set, known are {known}"
    if details["type"] == "union_tag_invalid":
        name, found = _discriminator(annotation), details["input"][_discriminator(annotation)]
        return _unknown(str(found), _by_tag(annotation), where=source, beside=f"{dotted}.{name} = ")
    if details["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return f"{source}: {dotted}: expected settings by name, found {_shown(details['input'])}"
    if len(path) == 1:
        return f"{source}: {dotted}: {message}"
    return f"{source}: {dotted} = {_shown(details['input'])}: {message[:1].lower()}{message[1:]}"


def _unknown(name: str, known: Iterable[str], *, where: str, beside: str = "") -> str:
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    suggestion = f"did you mean {beside}{nearest[0]}?" if nearest else f"known are {', '.join(known)}"
    return f"{where}: unknown setting {beside}{name}, {suggestion}"


def _as_written(model: Any, place: Sequence[int | str]) -> tuple[list[str], Any]:
    """Return the place of an error as the user wrote it, and what is expected beside it.

    Where one of several settings is chosen by a word in it, such as the kind of a task, pydantic puts
    that word into the place.
    """
    path: list[str] = []
    annotation = above = model
    for part in map(str, place):
        above = annotation
        chosen = _by_tag(annotation).get(part)
        if chosen is not None:
            annotation = above = chosen
            continue
        path.append(part)
        if _is_settings(annotation):
            field = annotation.model_fields.get(part)
            annotation = None if field is None else _annotated(field)
        else:  # such as dict[str, TaskDescription]
            annotation = (get_args(annotation) or (None,))[-1]
    return path, annotation if _by_tag(annotation) else above


def _annotated(field: FieldInfo) -> Any:
    return Annotated[field.annotation, field] if field.discriminator else field.annotation


def _discriminator(annotation: Any) -> str | None:
    """Return the word by which one of several settings is chosen; none where there is no choice."""
    facts = [part for part in get_args(annotation)[1:] if isinstance(part, FieldInfo)]
    name = next((fact.discriminator for fact in facts if fact.discriminator), None)
    return name if isinstance(name, str) else None


def _by_tag(annotation: Any) -> dict[str, Any]:
    """Return the settings to choose from by that word; empty where there is no choice."""
    name = _discriminator(annotation)
    if name is None:
        return {}
    members = get_args(get_args(annotation)[0])
    return {get_args(member.model_fields[name].annotation)[0]: member for member in members}


def _known(annotation: Any) -> Iterable[str]:
    """Return the names of settings; none where the user chooses the names."""
    return annotation.model_fields if _is_settings(annotation) else ()


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)
