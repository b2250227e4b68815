"""Examples of one text or two with something to predict: what several kinds of tasks share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from bertpipe.tasks.formats import Record, read_split, text_field
from bertpipe.tasks.inputs import Inputs, encode_texts
from bertpipe.tasks.task import Description
from bertpipe.vocab import Tokenizer


class TextsDescription(Description):
    """Where one text or two and a target stand in a record."""

    texts: tuple[str, ...] = Field(
        ("text",), min_length=1, max_length=2, strict=False, description="Fields of one or two texts."
    )
    target: str = Field("label", description="Field of what is to be predicted.")


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
) -> list[TextExample]:
    """Return the examples of one split.

    Args:
        folder: of the task.
        split: such as ``dev``.
        description: where its data stands.
        target: finds what is right; unset: the field that the description names.

    Raises:
        TaskDataError: there is no such file, it holds nothing, or a line is wrong.
    """
    return [
        TextExample(
            id=str(record.values.get("id", number)),
            texts=tuple(text_field(record, name) for name in description.texts),
            target=target(record) if target else record.values.get(description.target),
            place=record.place,
        )
        for number, record in enumerate(read_split(folder, split, description.files))
    ]


def encode_examples(examples: Sequence[TextExample], tokenizer: Tokenizer, *, max_seq_length: int) -> Inputs:
    """Return one sequence an example."""
    return encode_texts([example.texts for example in examples], tokenizer, max_seq_length=max_seq_length)
