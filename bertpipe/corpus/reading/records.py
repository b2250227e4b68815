"""JSON Lines: one record a line, with text in one of its fields."""

import json
from collections.abc import Iterable, Iterator

from bertpipe.corpus.files.limits import LineError


def paragraphs_of(text: str) -> list[str]:
    """Return the paragraphs of a text that is one document: its lines that are not blank."""
    return [line for line in text.split("\n") if line and not line.isspace()]


def texts_of(lines: Iterable[str], field: str) -> Iterator[str]:
    """Yield the text of each record.

    Raises:
        LineError: a line is no JSON object with text in ``field``.
    """
    for number, record in records(lines):
        yield text_in(record, field, number)


def records(lines: Iterable[str]) -> Iterator[tuple[int, object]]:
    """Yield the number and the JSON value of each line that is not blank.

    Raises:
        LineError: a line is not valid JSON.
    """
    for number, line in enumerate(lines):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise LineError(number, f"not valid JSON: {error}", "one JSON object a line") from None


def text_in(record: object, field: str, number: int) -> str:
    """Return the text in a field.

    Raises:
        LineError: there is none.
    """
    hint = "name a field that holds text with corpus.text_field"
    if not isinstance(record, dict):
        raise LineError(number, f"not a JSON object: {str(record)[:40]}", "one JSON object a line")
    if field not in record:
        keys = ", ".join(repr(key) for key in list(record)[:10]) or "nothing"
        raise LineError(number, f"no field {field!r}, only {keys}", hint)
    text = record[field]
    if not isinstance(text, str):
        raise LineError(number, f"field {field!r} is no text: {str(text)[:40]}", hint)
    if not text.isascii() and not _is_unicode(text):
        raise LineError(
            number,
            f"field {field!r} holds half of a surrogate pair (\\ud800 to \\udfff)",
            "write the character whole, or leave it out",
        )
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
