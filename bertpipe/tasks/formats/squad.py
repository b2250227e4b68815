"""SQuAD's JSON: articles of paragraphs with questions; also that of KorQuAD and XQuAD."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertpipe.corpus.files import compression
from bertpipe.errors import CorpusError, TaskDataError
from bertpipe.tasks.qa.questions import Question, answers_of, id_of, impossible_of, text_of

_HINT = "the file must have the form of SQuAD: data, paragraphs, context, qas, question, id, answers"


def read_squad(path: Path) -> Iterator[Question]:
    """Yield the questions of a file, which may be compressed.

    ``plausible_answers`` are no answers: they stand beside questions that have none.

    Raises:
        TaskDataError: it is no such JSON; the place is named, such as ``data[3].paragraphs[0]``.
    """
    for article, place in _members(_json(path), "data", f"{path}: "):
        for paragraph, within in _members(article, "paragraphs", place):
            context = text_of(_value(paragraph, "context", within), "context", within)
            for asked, where in _members(paragraph, "qas", within):
                yield _question(asked, context, where)


def _question(asked: Any, context: str, place: str) -> Question:
    name = id_of(_value(asked, "id", place), "id", place)
    question = text_of(_value(asked, "question", place), "question", place)
    answers = answers_of(asked.get("answers"), context, "answers", place)
    impossible = impossible_of(asked.get("is_impossible"), answers, "is_impossible", place)
    return Question(name, question, context, answers, impossible, place)


def _members(value: Any, name: str, place: str) -> Iterator[tuple[Any, str]]:
    """Yield what a list holds, each with its place."""
    members = _value(value, name, place)
    path = f"{place}{name}" if place.endswith(": ") else f"{place}.{name}"
    if not isinstance(members, list):
        raise TaskDataError(f"{path}: a list is expected, found {type(members).__name__}", hint=_HINT)
    for number, member in enumerate(members):
        yield member, f"{path}[{number}]"


def _value(value: Any, name: str, place: str) -> Any:
    if not isinstance(value, dict):
        found = type(value).__name__
        raise TaskDataError(f"{_bare(place)}: a JSON object is expected, found {found}", hint=_HINT)
    if name not in value:
        raise TaskDataError(f"{_bare(place)}: no {name!r}", hint=_HINT)
    return value[name]


def _bare(place: str) -> str:
    return place.removesuffix(": ")


def _json(path: Path) -> Any:
    """Return what a file holds."""
    try:
        text = _content(path).decode("utf-8-sig")
        values = json.loads(text)
    except UnicodeDecodeError:
        raise TaskDataError(
            f"{path}: not valid UTF-8", hint="convert it, for example with iconv -t utf-8"
        ) from None
    except (ValueError, RecursionError) as error:
        raise TaskDataError(f"{path}: not valid JSON: {error}") from None
    if r"\ud" in text.lower():  # else no half can be written
        _check_surrogates(values, path)
    return values


def _content(path: Path) -> bytes:
    with path.open("rb") as stored:
        try:
            return (compression.unpacked(stored, where=str(path)) or stored).read()
        except CorpusError as error:
            raise TaskDataError(error.message, hint=error.hint) from None


def _check_surrogates(values: Any, path: Path) -> None:
    try:
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise TaskDataError(
            f"{path}: holds half of a surrogate pair (\\ud800 to \\udfff)",
            hint="write the character whole, or leave it out",
        ) from None
