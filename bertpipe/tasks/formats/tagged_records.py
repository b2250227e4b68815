"""Tagged words as JSONL: a list of words and a list of tags a line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertpipe.errors import TaskDataError
from bertpipe.tasks.formats.objects import read_jsonl
from bertpipe.tasks.formats.records import Record, field, optional_field
from bertpipe.tasks.formats.sentences import Sentence


def read_tagged_records(path: Path, *, token_column: str, tag_column: str) -> Iterator[Sentence]:
    """Yield the sentences of a JSONL file.

    Args:
        path: the file.
        token_column: field of the words.
        tag_column: field of the tags; records without it have none.

    Raises:
        TaskDataError: a line is no such record.
    """
    for number, record in enumerate(read_jsonl(path)):
        words = _texts(record, token_column, field(record, token_column))
        found = optional_field(record, tag_column)
        tags = None if found is None else _tags(record, tag_column, found)
        if tags is not None and len(tags) != len(words):
            raise TaskDataError(f"{record.place}: {len(words)} words, but {len(tags)} tags")
        yield Sentence(str(record.values.get("id", number)), words, tags, record.place)


def _texts(record: Record, name: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise TaskDataError(f"{record.place}: {name!r} must be a list of words, found {values!r}")
    return tuple(values)


def _tags(record: Record, name: str, values: Any) -> tuple[str, ...]:
    tags = _texts(record, name, values)
    for tag in tags:
        if not tag or set(tag) & set("\t\r\n"):  # one line of a table holds a tag (confusion.tsv)
            raise TaskDataError(f"{record.place}: {name!r} holds {tag!r}, which is no tag")
    return tags
