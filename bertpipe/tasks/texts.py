"""Examples of one text or two with something to predict: what several kinds of tasks share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from bertpipe.errors import TaskDataError
from bertpipe.tasks.formats import Record, optional_field, text_field
from bertpipe.tasks.inputs import Inputs, encode_texts
from bertpipe.tasks.records import RecordsDescription, id_of, read_split
from bertpipe.tasks.task import Examples
from bertpipe.vocab import Tokenizer


class TextsDescription(RecordsDescription):
    """Where one text or two and a target stand in a record."""

    texts: tuple[str, ...] = Field(
        ("text",), min_length=1, max_length=2, strict=False, description="Fields of one or two texts."
    )
    target: str = Field("label", description="Field of what is to be predicted.")
    empty_texts: Literal["refuse", "skip", "keep"] = Field(
        "refuse", description="What to do with examples of which a text is empty."
    )


@dataclass(frozen=True)
class TextExample:
    """One labelled item.

    Attributes:
        id: as the data names it, else its number in the file.
        texts: one text, or a pair.
        target: what is right, as the data has it; none where it does not say.
        place: file and line, for messages.
    """

    id: str
    texts: tuple[str, ...]
    target: Any
    place: str


def read_texts(
    folder: Path,
    split: str,
    description: TextsDescription,
    *,
    target: Callable[[Record], Any] | None = None,
) -> Examples[TextExample]:
    """Return the examples of one split, at least one.

    Args:
        folder: of the task.
        split: such as ``dev``.
        description: of the data.
        target: finds what is right; unset: the field that the description names.

    Raises:
        TaskDataError: there is no such file, it holds nothing, or a line is wrong.
    """
    records = read_split(folder, split, description)
    found = [
        TextExample(
            id=id_of(record, number, description),
            texts=_texts(record, description),
            target=target(record) if target else optional_field(record, description.target),
            place=record.place,
        )
        for number, record in enumerate(records)
    ]
    if description.empty_texts != "skip":
        return Examples(found, records.notes)
    return _without_empty(found, split, records.notes)


def _texts(record: Record, description: TextsDescription) -> tuple[str, ...]:
    may_be_empty = description.empty_texts != "refuse"
    return tuple(text_field(record, name, may_be_empty=may_be_empty) for name in description.texts)


def _without_empty(found: list[TextExample], split: str, notes: Sequence[str]) -> Examples[TextExample]:
    kept = [example for example in found if all(map(str.strip, example.texts))]
    left_out = len(found) - len(kept)
    if not kept:
        raise TaskDataError(f"{found[0].place}: all {left_out} examples of the file have an empty text")
    told = [f"{split}: {left_out} examples with an empty text left out"] if left_out else []
    return Examples(kept, [*notes, *told])


def encode_examples(examples: Sequence[TextExample], tokenizer: Tokenizer, *, max_seq_length: int) -> Inputs:
    """Return one sequence an example."""
    return encode_texts([example.texts for example in examples], tokenizer, max_seq_length=max_seq_length)
