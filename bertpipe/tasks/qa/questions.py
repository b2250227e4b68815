"""A question about a text, with its answers: what every format of such data is read as."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bertpipe.errors import TaskDataError

# Gives a value by name, or says where it is missing.
Field = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A right answer.

    Attributes:
        text: as the data has it.
        start: its first character in the context; none where something else stands there.
    """

    text: str
    start: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a text.

    Attributes:
        id: as the data names it.
        question: its text.
        context: where the answer stands.
        answers: the right ones; none where the text does not answer it, or the data does not say.
        is_impossible: whether the text does not answer it; none where the data does not say.
        place: file and place in it, for messages.
        lists_answers: whether the data has a list of answers, be it empty.
    """

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]
    is_impossible: bool | None
    place: str
    lists_answers: bool = True

    @property
    def target(self) -> list[str] | None:
        """Return the right answers; none where the data does not say."""
        return [answer.text for answer in self.answers] if self.is_labelled else None

    @property
    def is_labelled(self) -> bool:
        """Tell whether the data says what is right."""
        return bool(self.answers) or bool(self.is_impossible)

    @property
    def span(self) -> tuple[int, int] | None:
        """Return the characters of the first answer that stands where it should, the end behind it."""
        found = ((a.start, a.start + len(a.text)) for a in self.answers if a.start is not None)
        return next(found, None)


def text_of(value: Any, name: str, place: str) -> str:
    """Return a value that has to be a text with something in it.

    Raises:
        TaskDataError: it is not.
    """
    if not isinstance(value, str) or not value.strip():
        raise TaskDataError(f"{place}: {name!r} must be a text that is not empty, found {value!r}")
    return value


def id_of(value: Any, name: str, place: str) -> str:
    """Return the name of a question, which may be a whole number.

    Raises:
        TaskDataError: it is neither that nor a text.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(value, name, place)


def answers_of(value: Any, context: str, name: str, place: str) -> tuple[Answer, ...]:
    """Return the answers of a question; none where there is no value.

    They are a list of ``text`` and ``answer_start``, or the one of two lists that the hub's data sets have.

    Raises:
        TaskDataError: something else stands there.
    """
    if isinstance(value, Mapping) and {"text", "answer_start"} <= value.keys():
        texts, starts = value["text"], value["answer_start"]
        if isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts):
            value = [{"text": t, "answer_start": s} for t, s in zip(texts, starts, strict=True)]
    if value is None:
        return ()
    if not isinstance(value, list):
        raise TaskDataError(f"{place}: {name!r} must be a list, found {type(value).__name__}")
    return tuple(_answer(one, context, f"{place}.{name}[{number}]") for number, one in enumerate(value))


def _answer(value: Any, context: str, place: str) -> Answer:
    for needed in ("text", "answer_start"):
        if not isinstance(value, Mapping) or needed not in value:
            raise TaskDataError(f"{place}: no {needed!r}")
    text, start = value["text"], value["answer_start"]
    if not isinstance(text, str) or not text:
        raise TaskDataError(f"{place}: 'text' must be a text that is not empty, found {text!r}")
    if not isinstance(start, int) or isinstance(start, bool):
        raise TaskDataError(f"{place}: 'answer_start' must be a whole number, found {start!r}")
    return Answer(text, start if start >= 0 and context.startswith(text, start) else None)


def impossible_of(value: Any, answers: Sequence[Answer], name: str, place: str) -> bool | None:
    """Return whether a question has no answer; none where there is no value.

    Raises:
        TaskDataError: it is not true or false, or true of a question with answers.
    """
    if value is not None and not isinstance(value, bool):
        raise TaskDataError(f"{place}: {name!r} must be true or false, found {value!r}")
    if value and answers:
        raise TaskDataError(f"{place}: {name!r} is true, but there are {len(answers)} answers")
    return value
