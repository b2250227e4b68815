"""Records: what a line of labelled data holds, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertpipe.errors import TaskDataError


@dataclass(frozen=True)
class Record:
    """One line of a data file.

    Attributes:
        values: its fields by name.
        place: file and line, for messages.
        is_text: whether all values are text, also numbers, as in a table.
    """

    values: Mapping[str, Any]
    place: str
    is_text: bool = False


def optional_field(record: Record, name: str) -> Any:
    """Return one field of a record, none where it is not there.

    A dot leads into a nested object: ``labels.label``, if no field has that very name.
    """
    if name in record.values:
        return record.values[name]
    value: Any = record.values
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def field(record: Record, name: str) -> Any:
    """Return one field of a record.

    Raises:
        TaskDataError: the record has no such field.
    """
    value = optional_field(record, name)
    if value is None and name not in record.values:
        raise TaskDataError(
            f"{record.place}: no field {name!r}, only {shown(record.values)}",
            hint="describe the fields of your own data under tasks.<name> in params.yaml",
        )
    return value


def text_field(record: Record, name: str, *, may_be_empty: bool = False) -> str:
    """Return one field of a record that has to hold text.

    Raises:
        TaskDataError: it is missing, no text, or empty.
    """
    value = field(record, name)
    if not isinstance(value, str) or not (may_be_empty or value.strip()):
        must = "a text" if may_be_empty else "a text that is not empty"
        raise TaskDataError(f"{record.place}: {name!r} must be {must}, found {value!r}")
    return value


def shown(names: Mapping[str, Any]) -> str:
    """Return the names of fields for a message."""
    return ", ".join(map(repr, names)) or "nothing"
