"""SQuAD's JSON: articles of paragraphs with questions; also that of KorQuAD and XQuAD."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertpipe.errors import TaskDataError
from bertpipe.tasks.formats.files import read_text
from bertpipe.tasks.formats.objects import check_unicode, parsed
from bertpipe.tasks.qa.questions import Question, answers_of, id_of, impossible_of, text_of

_HINT = "the file must have the form of SQuAD: data, paragraphs, context, qas, question, id, answers"


def read_squad(path: Path) -> Iterator[Question]:
    """Yield the questions of a file, which may be compressed.

    ``plausible_answers`` are no answers: they stand beside questions that have none.

    Raises:
        TaskDataError: it is no such JSON; the place is named, such as ``data[3].paragraphs[0]``.
    """
    values = parsed(read_text(path), path)
    check_unicode(values, place=str(path))
    for article, place in _members(values, "data", f"{path}: "):
        for paragraph, within in _members(article, "paragraphs", place):
            context = text_of(_value(paragraph, "context", within), "context", within)
            for asked, where in _members(paragraph, "qas", within):
                yield _question(asked, context, where)


def _question(asked: Any, context: str, place: str) -> Question:
    name = id_of(_value(asked, "id", place), "id", place)
    question = text_of(_value(asked, "question", place), "question", place)
    listed = asked.get("answers")
    answers = answers_of(listed, context, "answers", place)
    impossible = impossible_of(asked.get("is_impossible"), answers, "is_impossible", place)
    return Question(name, question, context, answers, impossible, place, listed is not None)


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
