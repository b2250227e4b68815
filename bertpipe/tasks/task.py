"""What a task has to answer, so that no caller asks for its name.

Read examples, encode them, give the head and the loss, turn outputs into predictions, and score those.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor

from bertpipe.configs import Settings
from bertpipe.errors import ConfigError, TaskDataError
from bertpipe.metrics import Calibration, Scorer, ScoreReport
from bertpipe.model import TokenBatch
from bertpipe.tasks.class_weights import ClassWeights
from bertpipe.tasks.heads import Head
from bertpipe.tasks.inputs import Inputs
from bertpipe.training import Term
from bertpipe.vocab import Tokenizer

Prediction = Mapping[str, Any]


class Example(Protocol):
    """One labelled item, whatever it consists of."""

    @property
    def id(self) -> str:
        """Return how the data names it, else its number in the file."""

    @property
    def target(self) -> Any:
        """Return what is right, as JSON; none where the data does not say."""

    @property
    def place(self) -> str:
        """Return file and line, for messages."""


class Description(Settings):
    """One entry of the section ``tasks``: what kind of task it is, and where its data stands."""

    files: dict[str, str] = Field(
        default_factory=dict,
        description="File names by split, such as {dev: dev_matched.tsv}; unset: the split's name with the "
        "format's ending.",
    )

    @field_validator("files")
    @classmethod
    def _lie_in_the_folder(cls, files: dict[str, str]) -> dict[str, str]:
        """What lies elsewhere would be in no hash of the data: a change of it would go unseen."""
        for name in files.values():
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise ValueError(f"{name} lies outside the task's folder, the one that --data names")
        return files

    def of_split(self, split: str) -> Self:
        """Return what of the description is about one split."""
        return self

    def recorded(self, name: str) -> dict[str, Any]:
        """Return what a manifest says of a task with this name."""
        return {"name": name, **self.model_dump(mode="json")}


@dataclass(frozen=True)
class Judgement:
    """Scores of predictions, and what helps to read them.

    Attributes:
        report: the scores, with what their signature says.
        scorer: gives the same scores for any selection of the examples, for intervals and comparisons.
        baseline: what a constant answer would score, by name.
        constant_prediction: whether all answers are the same, though different ones are right.
        pairs: the right and the predicted label of everything that was labelled, for a confusion table.
        classes: scores of each class by name, where classes are no labels, such as types of entities.
        calibration: how far the probabilities can be believed; none where there are none of labels.
    """

    report: ScoreReport
    scorer: Scorer
    baseline: Mapping[str, float]
    constant_prediction: bool
    pairs: Sequence[tuple[str, str]] = field(default=(), repr=False)
    classes: Mapping[str, Mapping[str, float]] = field(default_factory=dict, repr=False)
    calibration: Calibration | None = field(default=None, repr=False)


D = TypeVar("D", bound=Description)
E = TypeVar("E", bound=Example)
I = TypeVar("I", bound=Inputs)  # noqa: E741  # what E is encoded as
T = TypeVar("T")


class Examples(list[T]):
    """What was read of one split.

    Attributes:
        notes: what a user must know of it, such as how much was left out.
    """

    def __init__(self, items: Iterable[T] = (), notes: Sequence[str] = ()) -> None:
        super().__init__(items)
        self.notes = tuple(notes)


def notes_of(examples: Sequence[Any]) -> tuple[str, ...]:
    """Return what reading some examples told."""
    return examples.notes if isinstance(examples, Examples) else ()


@dataclass(frozen=True)
class Task(ABC, Generic[D, E, I]):
    """A kind of task over one set of data.

    Attributes:
        name: of the task.
        description: where its data stands, and what is asked.
        labels: what can be answered, by number; empty where the answers are no labels.
    """

    name: str
    description: D
    labels: tuple[str, ...] = ()

    @classmethod
    @abstractmethod
    def read(cls, folder: Path, split: str, description: D) -> list[E]:
        """Return the examples of one split, at least one; ``Examples`` where there is something to tell.

        Raises:
            TaskDataError: there is no such file, it holds nothing, or something in it is wrong.
        """

    @classmethod
    @abstractmethod
    def learn(cls, name: str, description: D, examples: Sequence[E]) -> Self:
        """Return the task with what its training examples tell, such as the labels.

        Raises:
            TaskDataError: an example does not say what is right, or nothing could be learned.
        """

    @classmethod
    def restore(
        cls, name: str, description: D, *, labels: tuple[str, ...], config: Mapping[str, Any]
    ) -> Self:
        """Return the task of a fine-tuned model.

        Args:
            name: of the task.
            description: of the data at hand.
            labels: the model's.
            config: what else its ``config.json`` says, ``facts`` among it.
        """
        return cls(name, description, labels)

    @property
    @abstractmethod
    def head(self) -> Head:
        """Return what stands on the encoder."""

    @property
    def facts(self) -> dict[str, Any]:
        """Return what the model's ``config.json`` should say beside the labels."""
        return {}

    @abstractmethod
    def check(self, examples: Sequence[E]) -> None:
        """See that every example says what is right, in words that the task knows.

        Raises:
            TaskDataError: one does not; it is named by its place.
        """

    @abstractmethod
    def encode(self, examples: Sequence[E], tokenizer: Tokenizer, *, max_seq_length: int) -> I:
        """Return what the model reads: one item an example, or several where an example is long."""

    @abstractmethod
    def targets(self, examples: Sequence[E], inputs: I) -> list[NDArray[Any]]:
        """Return what to predict for each item; the arrays of a batch are joined along their first axis."""

    def counted(self, targets: NDArray[Any]) -> float:
        """Return what the loss of some joined targets is divided by: their number, or their weight."""
        return len(targets)

    def baseline_loss(self, targets: NDArray[Any], *, width: int = 1) -> float | None:
        """Return the mean loss of the best constant answer; none where there is no such answer.

        Args:
            targets: the joined ones of all training items.
            width: sequences of an item.
        """
        return None

    def weighted(self, weights: ClassWeights, examples: Sequence[E]) -> Self:
        """Return the task with a loss in which the classes have weights.

        Args:
            weights: by class, or how to get them.
            examples: those to train on.

        Raises:
            ConfigError: the task has no classes, or other ones.
        """
        raise ConfigError(
            f"finetune.class_weights is set, but {self.name} has no classes to weigh",
            hint="leave it unset",
        )

    @abstractmethod
    def term(self, outputs: Tensor, targets: Tensor, tokens: TokenBatch) -> Term:
        """Return the loss, summed.

        Args:
            outputs: of the model, float ``[B, C]`` for B sequences or ``[T, C]`` for T tokens.
            targets: the joined targets.
            tokens: what the model has read.
        """

    @abstractmethod
    def predictions(
        self, examples: Sequence[E], inputs: I, outputs: Sequence[NDArray[np.float32]]
    ) -> list[dict[str, Any]]:
        """Return a JSON object an example, with ``prediction`` at least.

        Args:
            examples: N of them.
            inputs: as they were encoded.
            outputs: for each sequence of the inputs, float32 ``[1, C]`` or ``[tokens, C]``.
        """

    def calibrated(
        self, examples: Sequence[E], predictions: Sequence[Prediction]
    ) -> tuple[Self, list[Prediction]]:
        """Return the task with what only held-out examples tell, and the predictions that it makes then."""
        return self, list(predictions)

    def submission(self, examples: Sequence[E], predictions: Sequence[Prediction]) -> dict[str, str]:
        """Return the files that the task's official scorer takes, by name; empty where there is none."""
        return {}

    @abstractmethod
    def judge(self, examples: Sequence[E], predictions: Sequence[Prediction], *, split: str) -> Judgement:
        """Score predictions against what is right."""


def unlabelled(place: str, field: str) -> TaskDataError:
    """Return the error of an example that does not say what is right."""
    return TaskDataError(
        f"{place}: no label in the field {field!r}",
        hint="data without labels can be neither trained on nor scored, 'bertpipe predict' answers it; "
        "another field is named with tasks.<name>.target",
    )
