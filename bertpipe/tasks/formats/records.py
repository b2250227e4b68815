"""Records: what a line of labelled data holds, by name."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertpipe.errors import TaskDataError


@dataclass(frozen=True)
class Record:
    """One line of a data file.

    Attributes:
        values: its fields by name.
        place: file and line, for messages.
    """

    values: Mapping[str, Any]
    place: str


def read_split(folder: Path, split: str, files: Mapping[str, str]) -> list[Record]:
    """Return the records of one split, at least one.

    Raises:
        TaskDataError: there is no such file, it holds nothing, or a line is wrong.
    """
    path = split_file(folder, split, files)
    records = list(read_records(path))
    if not records:
        raise TaskDataError(f"{path} holds no examples")
    return records


def split_file(folder: Path, split: str, files: Mapping[str, str]) -> Path:
    """Return the file of one split.

    Args:
        folder: of the task.
        split: such as ``dev``.
        files: names that differ from the split's.

    Raises:
        TaskDataError: the folder or the file does not exist.
    """
    path = folder / files.get(split, f"{split}.jsonl")
    if not folder.is_dir():
        raise TaskDataError(f"{folder} does not exist", hint="name the folder of the task's data with --data")
    if not path.is_file():
        raise TaskDataError(
            f"{path} does not exist", hint="a task folder holds train.jsonl, dev.jsonl and test.jsonl"
        )
    return path


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a JSONL file; empty lines are skipped.

    Raises:
        TaskDataError: a line is not UTF-8, no JSON object, or holds what is no Unicode text.
    """
    for number, raw in enumerate(path.read_bytes().split(b"\n"), start=1):
        if raw.strip():
            yield Record(_parse(raw, place=f"{path}:{number}", first=number == 1), f"{path}:{number}")


def _parse(raw: bytes, *, place: str, first: bool) -> dict[str, Any]:
    try:
        values = json.loads(raw.decode("utf-8-sig" if first else "utf-8"))
    except UnicodeDecodeError:
        raise TaskDataError(
            f"{place}: not valid UTF-8", hint="convert it, for example with iconv -t utf-8"
        ) from None
    except (ValueError, RecursionError) as error:
        raise TaskDataError(f"{place}: not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise TaskDataError(f"{place}: a JSON object is expected, found {type(values).__name__}")
    if not _is_unicode(values):
        raise TaskDataError(
            f"{place}: holds half of a surrogate pair (\\ud800 to \\udfff)",
            hint="write the character whole, or leave it out",
        )
    return values


def _is_unicode(values: Mapping[str, Any]) -> bool:
    try:
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def field(record: Record, name: str) -> Any:
    """Return one field of a record.

    Raises:
        TaskDataError: the record has no such field.
    """
    if name not in record.values:
        raise TaskDataError(
            f"{record.place}: no field {name!r}, only {', '.join(map(repr, record.values)) or 'nothing'}",
            hint="describe the fields of your own data under tasks.<name> in params.yaml",
        )
    return record.values[name]


def text_field(record: Record, name: str) -> str:
    """Return one field of a record that has to hold text.

    Raises:
        TaskDataError: it is missing, no text, or empty.
    """
    value = field(record, name)
    if not isinstance(value, str) or not value.strip():
        raise TaskDataError(f"{record.place}: {name!r} must be a text that is not empty, found {value!r}")
    return value
