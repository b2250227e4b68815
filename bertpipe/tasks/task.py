"""What a task has to answer, so that no caller asks for its name.

Read examples, encode targets, give the size of the head and the loss, turn outputs into
predictions, and score those.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from bertpipe.configs import Settings
from bertpipe.errors import TaskDataError
from bertpipe.metrics import ScoreReport
from bertpipe.tasks.formats import read_records, split_file, text_field
from bertpipe.training import Term

Split = Literal["train", "dev", "test"]
Target = str | float


class TaskDescription(Settings):
    """One entry of the section ``tasks``: what kind of task it is, and where its data stands."""

    kind: Literal["classification", "regression"] = Field(description="What is predicted.")
    texts: tuple[str, ...] = Field(
        ("text",), min_length=1, max_length=2, strict=False, description="Fields of one or two texts."
    )
    target: str = Field("label", description="Field of the label or the number to predict.")


@dataclass(frozen=True)
class Example:
    """One labelled item.

    Attributes:
        id: as the data names it, else its number in the file.
        texts: one text, or a pair.
        target: the label or the number; none where the data does not say.
        place: file and line, for messages.
    """

    id: str
    texts: tuple[str, ...]
    target: Target | None
    place: str


@dataclass(frozen=True)
class Judgement:
    """Scores of predictions, and what helps to read them.

    Attributes:
        report: the scores, with what their signature says.
        baseline: what a constant answer would score, by name.
        constant_prediction: true where the model answers the same for everything.
    """

    report: ScoreReport
    baseline: Mapping[str, float]
    constant_prediction: bool


class Task(Protocol):
    """A kind of task over one set of data."""

    name: str
    description: TaskDescription
    labels: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """Return how many numbers the head gives for an example, C."""

    @property
    def problem_type(self) -> str:
        """Return the kind in Hugging Face's words, for ``config.json``."""

    def targets(self, examples: Sequence[Example]) -> NDArray[Any]:
        """Return what to predict as numbers ``[N]``.

        Raises:
            TaskDataError: an example has none, or one that the task does not know.
        """

    def term(self, outputs: Tensor, targets: Tensor) -> Term:
        """Return the loss, summed, for outputs ``[B, C]`` and targets ``[B]``."""

    def predictions(self, outputs: NDArray[np.float32]) -> list[dict[str, Any]]:
        """Return a JSON object an example for outputs ``[N, C]``, with ``prediction`` at least."""

    def judge(
        self, examples: Sequence[Example], predictions: Sequence[Mapping[str, Any]], *, split: Split
    ) -> Judgement:
        """Score predictions against the targets of the examples."""


def read_examples(folder: Path, split: Split, description: TaskDescription) -> list[Example]:
    """Read one split of a task.

    Raises:
        TaskDataError: there is no such file, it holds nothing, or a line is wrong.
    """
    path = split_file(folder, split)
    examples = [
        Example(
            id=str(record.values.get("id", number)),
            texts=tuple(text_field(record, name) for name in description.texts),
            target=record.values.get(description.target),
            place=record.place,
        )
        for number, record in enumerate(read_records(path))
    ]
    if not examples:
        raise TaskDataError(f"{path} holds no examples")
    return examples
