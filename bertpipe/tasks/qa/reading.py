"""Questions of one split, from SQuAD's JSON or from lines of one's own, checked as a whole."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from bertpipe.configs import Settings
from bertpipe.errors import TaskDataError
from bertpipe.metrics.squad import Normalization
from bertpipe.tasks.formats import Record, field, optional_field, read_jsonl, split_file, text_field
from bertpipe.tasks.formats.squad import read_squad
from bertpipe.tasks.qa.questions import Question, answers_of, id_of, impossible_of
from bertpipe.tasks.task import Description, Examples


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


def read_questions(folder: Path, split: str, description: QuestionAnsweringDescription) -> Examples[Question]:
    """Return the questions of one split, at least one.

    Raises:
        TaskDataError: there is no such file, or something in it is wrong.
    """
    fields = description.fields
    endings = [".json" if fields is None else ".jsonl"]
    path = split_file(folder, split, description.files, endings=endings)
    found: Iterable[Question] = (
        read_squad(path) if fields is None else (_question(record, fields) for record in read_jsonl(path))
    )
    questions = list(found)
    if not questions:
        raise TaskDataError(f"{path} holds no questions")
    _check_ids(questions)
    misaligned = [one for one in questions if any(answer.start is None for answer in one.answers)]
    if misaligned and not description.skip_misaligned:
        raise _misaligned(misaligned, len(questions))
    notes = (
        [
            f"{split}: {len(misaligned)} of {len(questions)} questions have an answer that is not at its "
            f"answer_start, which is not learned: the first is {misaligned[0].place}"
        ]
        if misaligned
        else []
    )
    return Examples(questions, notes)


def _question(record: Record, fields: QuestionFields) -> Question:
    place = record.place
    name = id_of(field(record, fields.id), fields.id, place)
    question, context = text_field(record, fields.question), text_field(record, fields.context)
    listed = optional_field(record, fields.answers)
    answers = answers_of(listed, context, fields.answers, place)
    said = optional_field(record, fields.is_impossible)
    impossible = impossible_of(said, answers, fields.is_impossible, place)
    return Question(name, question, context, answers, impossible, place, listed is not None)


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


def _misaligned(questions: Sequence[Question], asked: int) -> TaskDataError:
    """Return the error of answers that do not stand in the text where the data says."""
    first = questions[0]
    answer = next(answer for answer in first.answers if answer.start is None)
    return TaskDataError(
        f"{first.place}: the answer {answer.text!r} is not at its answer_start; "
        f"so it is with {len(questions)} of {asked} questions",
        hint="answer_start counts characters of the context from 0; "
        "skip_misaligned: true in the task's description learns nothing from such answers",
    )
