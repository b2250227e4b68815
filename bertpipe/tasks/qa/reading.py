"""Questions of one split, from SQuAD's JSON or from lines of one's own, checked as a whole."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from bertpipe.configs import Settings
from bertpipe.errors import TaskDataError
from bertpipe.metrics.squad import Normalization
from bertpipe.tasks.formats.records import Record, field, read_records, split_file, text_field
from bertpipe.tasks.formats.squad import read_squad
from bertpipe.tasks.qa.questions import Question, answers_of, id_of, impossible_of
from bertpipe.tasks.task import Description


class QuestionFields(Settings):
    """Where a question stands in a line of JSONL."""

    id: str = Field("id", description="Field of the question's name.")
    question: str = Field("question", description="Field of the question.")
    context: str = Field("context", description="Field of the text that answers it.")
    answers: str = Field("answers", description="Field of the list of answers: text and answer_start.")
    is_impossible: str = Field("is_impossible", description="Field that is true where there is no answer.")


class QuestionAnsweringDescription(Description):
    """Questions that a part of a text answers."""

    kind: Literal["question_answering"]
    fields: QuestionFields | None = Field(
        None, description="Fields of JSONL, {} for the usual names; unset: SQuAD's JSON."
    )
    impossible: bool | None = Field(
        None, description="Whether a text may hold no answer, as in SQuAD 2.0; unset: as the training data."
    )
    skip_misaligned: bool = Field(
        False, description="Learn nothing from answers that are not where answer_start says."
    )
    doc_stride: int = Field(128, ge=1, description="Tokens that two windows over a long text share.")
    max_query_length: int = Field(64, ge=1, description="Longest question in tokens; longer ones are cut.")
    max_answer_length: int = Field(30, ge=1, description="Longest answer in tokens.")
    n_best: int = Field(20, ge=1, description="Answers to tell for a question.")
    normalization: Normalization = Field(
        "squad", description="Whose rules compare answers; korquad: F1 over characters."
    )


def read_questions(folder: Path, split: str, description: QuestionAnsweringDescription) -> list[Question]:
    """Return the questions of one split, at least one.

    Raises:
        TaskDataError: there is no such file, or something in it is wrong.
    """
    fields = description.fields
    ending = ".json" if fields is None else ".jsonl"
    path = split_file(folder, split, {split: f"{split}{ending}", **description.files})
    found: Iterable[Question] = (
        read_squad(path) if fields is None else (_question(record, fields) for record in read_records(path))
    )
    questions = list(found)
    if not questions:
        raise TaskDataError(f"{path} holds no questions")
    _check_ids(questions)
    if not description.skip_misaligned:
        _check_alignment(questions)
    return questions


def _question(record: Record, fields: QuestionFields) -> Question:
    place = record.place
    name = id_of(field(record, fields.id), fields.id, place)
    question, context = text_field(record, fields.question), text_field(record, fields.context)
    answers = answers_of(record.values.get(fields.answers), context, fields.answers, place)
    said = record.values.get(fields.is_impossible)
    impossible = impossible_of(said, answers, fields.is_impossible, place)
    return Question(name, question, context, answers, impossible, place)


def _check_ids(questions: Sequence[Question]) -> None:
    """See that no two questions have one name: predictions are told by it."""
    places: dict[str, str] = {}
    for question in questions:
        if question.id in places:
            raise TaskDataError(
                f"{question.place}: the id {question.id!r} is also that of {places[question.id]}",
                hint="predictions are named by their ids: each may stand once",
            )
        places[question.id] = question.place


def _check_alignment(questions: Sequence[Question]) -> None:
    """See that every answer stands in the text where the data says."""
    misaligned = misaligned_of(questions)
    if misaligned:
        first = misaligned[0]
        answer = next(answer for answer in first.answers if answer.start is None)
        raise TaskDataError(
            f"{first.place}: the answer {answer.text!r} is not at its answer_start; "
            f"so it is with {len(misaligned)} of {len(questions)} questions",
            hint="answer_start counts characters of the context from 0; "
            "skip_misaligned: true in the task's description learns nothing from such answers",
        )


def misaligned_of(questions: Sequence[Question]) -> list[Question]:
    """Return the questions with an answer that does not stand where the data says."""
    return [question for question in questions if any(answer.start is None for answer in question.answers)]
