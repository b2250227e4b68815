"""JSON: one object a line, or one array of objects."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertpipe.errors import TaskDataError
from bertpipe.tasks.formats.files import lines_of, read_text
from bertpipe.tasks.formats.records import Record

_SPACE = re.compile(r"[ \t\r\n]*")


def read_jsonl(path: Path) -> Iterator[Record]:
    """Yield the records of a JSONL file; empty lines are skipped.

    Raises:
        TaskDataError: a line is no JSON object, or holds what is no Unicode text.
    """
    for number, line in lines_of(read_text(path)):
        if line.strip():
            yield _record(parsed(line, path, first_line=number), f"{path}:{number}")


def read_json(path: Path) -> Iterator[Record]:
    """Yield the records of a file that is one array; a record's place is where it begins.

    Raises:
        TaskDataError: it is no array of JSON objects, or holds what is no Unicode text.
    """
    text = read_text(path)
    values = parsed(text, path)
    if not isinstance(values, list):
        raise TaskDataError(
            f"{path}: an array of JSON objects is expected, found {type(values).__name__}",
            hint="where each line is an object, set tasks.<name>.format to jsonl",
        )
    line, counted = 1, 0
    for start, value in zip(_starts(text), values, strict=True):
        line += text.count("\n", counted, start)
        counted = start
        yield _record(value, f"{path}:{line}")


def _starts(text: str) -> Iterator[int]:
    """Yield where the elements of a valid array begin."""
    decoder = json.JSONDecoder()
    at = _after_space(text, text.index("[") + 1)
    while text[at] != "]":
        yield at
        at = _after_space(text, decoder.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None  # it may be empty
    return space.end()


def parsed(text: str, path: Path, *, first_line: int = 1) -> Any:
    """Return the value of some JSON.

    Raises:
        TaskDataError: it is none.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{path}:{first_line + error.lineno - 1}"
        raise TaskDataError(f"{place}: not valid JSON: {error.msg} (column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise TaskDataError(f"{path}:{first_line}: not valid JSON: {error}") from None


def check_unicode(value: Any, *, place: str) -> None:
    """Refuse half of a character, which JSON can spell and UTF-8 cannot.

    Raises:
        TaskDataError: some text in the value has one.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise TaskDataError(
            f"{place}: holds half of a surrogate pair (\\ud800 to \\udfff)",
            hint="write the character whole, or leave it out",
        ) from None


def _record(values: Any, place: str) -> Record:
    if not isinstance(values, dict):
        raise TaskDataError(f"{place}: a JSON object is expected, found {type(values).__name__}")
    check_unicode(values, place=place)
    return Record(values, place)
