"""One label an example, for one text or two (Devlin et al. 2019, section 4.1)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from torch import Tensor
from torch.nn import functional

from bertpipe.errors import CheckpointError, ConfigError, TaskDataError
from bertpipe.metrics import Calibration, ScoreReport, calibrate, classification, confusion, is_constant
from bertpipe.model import TokenBatch
from bertpipe.tasks.class_weights import ClassWeights, constant_loss, resolved, weight_of
from bertpipe.tasks.heads import Head
from bertpipe.tasks.inputs import Inputs
from bertpipe.tasks.shares import named_shares, softmax
from bertpipe.tasks.submissions import SubmittedDescription
from bertpipe.tasks.task import Judgement, Prediction, Task, unlabelled
from bertpipe.tasks.texts import TextExample, encode_examples, read_texts
from bertpipe.training import Term
from bertpipe.vocab import Tokenizer

Metric = Literal["accuracy", "f1", "macro_f1", "matthews_correlation"]


class ClassificationDescription(SubmittedDescription):
    """One of some labels for one text or two."""

    kind: Literal["classification"]
    label_names: dict[str, str] = Field(
        default_factory=dict, description="Names for what the data calls its labels, such as {0: negative}."
    )
    metrics: tuple[Metric, ...] = Field(
        ("accuracy", "macro_f1", "matthews_correlation"),
        min_length=1,
        strict=False,
        description="Scores to tell; models are compared by the first.",
    )
    positive: str | None = Field(None, description="The label that the score f1 is about.")

    @field_validator("label_names", mode="before")
    @classmethod
    def _labels_are_text(cls, names: Any) -> Any:
        """YAML reads the keys of ``{0: negative}`` as numbers."""
        return {str(key): name for key, name in names.items()} if isinstance(names, dict) else names

    @model_validator(mode="after")
    def _f1_is_about_a_label(self) -> Self:
        if "f1" in self.metrics and self.positive is None:
            raise ValueError("the score f1 needs positive, the label that it is about")
        return self

    @property
    def spoken_of(self) -> tuple[str, ...]:
        """Return the labels that the description takes for granted."""
        if "f1" not in self.metrics or self.positive is None:
            return tuple(self.label_names.values())
        return (*self.label_names.values(), self.positive)


@dataclass(frozen=True)
class Classification(Task[ClassificationDescription, TextExample, Inputs]):
    """Choose one of some labels, known by name.

    Attributes:
        weights: of each label in the loss; empty where all weigh alike.
    """

    weights: tuple[float, ...] = ()

    @classmethod
    def read(cls, folder: Path, split: str, description: ClassificationDescription) -> list[TextExample]:
        """Return the examples of one split."""
        return read_texts(folder, split, description)

    @classmethod
    def learn(
        cls, name: str, description: ClassificationDescription, examples: Sequence[TextExample]
    ) -> Self:
        """Take the labels from the training examples, in sorted order.

        Raises:
            ConfigError: the description speaks of a label that no example has.
            TaskDataError: an example has no label, or all have the same.
        """
        counts = Counter(label_of(example, description) for example in examples)
        if len(counts) < 2:
            raise TaskDataError(
                f"all {len(examples)} training examples of {name} have the label {next(iter(counts))!r}",
                hint="a classifier needs at least two labels",
            )
        labels = tuple(sorted(counts))
        _check_described(name, description, labels, examples)
        return cls(name, description, labels)

    @classmethod
    def restore(
        cls,
        name: str,
        description: ClassificationDescription,
        *,
        labels: tuple[str, ...],
        config: Mapping[str, Any],
    ) -> Self:
        """Return the task with the model's labels.

        Raises:
            CheckpointError: the model does not know a label that the description speaks of.
        """
        unknown = [label for label in description.spoken_of if label not in labels]
        if labels and unknown:
            raise CheckpointError(
                f"the model knows {', '.join(labels)}, but not {unknown[0]!r} of {name}",
                hint="name a model that was fine-tuned for this task",
            )
        return cls(name, description, labels)

    @property
    def head(self) -> Head:
        """Return a score a label for the pooled ``[CLS]``."""
        return Head("BertForSequenceClassification", outputs=len(self.labels))

    @property
    def facts(self) -> dict[str, Any]:
        """Return the kind in Hugging Face's words."""
        return {"problem_type": "single_label_classification"}

    def check(self, examples: Sequence[TextExample]) -> None:
        """See that the model knows every label."""
        self._numbers(examples)

    def encode(self, examples: Sequence[TextExample], tokenizer: Tokenizer, *, max_seq_length: int) -> Inputs:
        """Return one sequence an example."""
        return encode_examples(examples, tokenizer, max_seq_length=max_seq_length)

    def targets(self, examples: Sequence[TextExample], inputs: Inputs) -> list[NDArray[np.int64]]:
        """Return the number of each label, int64 ``[1]`` an example."""
        return list(self._numbers(examples)[:, None])

    def term(self, outputs: Tensor, targets: Tensor, tokens: TokenBatch) -> Term:
        """Return the cross-entropy."""
        correct = (outputs.argmax(-1) == targets).sum()
        if not self.weights:
            return Term(functional.cross_entropy(outputs, targets, reduction="sum"), correct)
        weights = outputs.new_tensor(self.weights)
        loss = functional.cross_entropy(outputs, targets, weight=weights, reduction="sum")
        return Term(loss, correct, asked=targets.new_tensor(len(targets)))

    def counted(self, targets: NDArray[np.int64]) -> float:
        """Return the number of targets, or their weight."""
        return float(weight_of(targets, self.weights).sum()) if self.weights else len(targets)

    def baseline_loss(self, targets: NDArray[np.int64], *, width: int = 1) -> float:
        """Return the entropy of the labels, as they weigh."""
        return constant_loss(targets, self.weights)

    def weighted(self, weights: ClassWeights, examples: Sequence[TextExample]) -> Self:
        """Return the task with weights of the labels."""
        counts = np.bincount(self._numbers(examples), minlength=len(self.labels))
        return replace(self, weights=resolved(weights, labels=self.labels, counts=counts))

    def predictions(
        self, examples: Sequence[TextExample], inputs: Inputs, outputs: Sequence[NDArray[np.float32]]
    ) -> list[dict[str, Any]]:
        """Return the best label and the probability of each."""
        scores = np.concatenate(outputs)  # [N, C]
        return [
            {"prediction": self.labels[int(best)], "probabilities": named_shares(self.labels, row)}
            for best, row in zip(scores.argmax(axis=1), softmax(scores), strict=True)
        ]

    def submission(
        self, examples: Sequence[TextExample], predictions: Sequence[Prediction]
    ) -> dict[str, str]:
        """Return the file of the leaderboard, with the labels as the data calls them."""
        raw = {name: label for label, name in reversed(self.description.label_names.items())}
        answers = (str(prediction["prediction"]) for prediction in predictions)
        return self.description.submitted(examples, (raw.get(answer, answer) for answer in answers))

    def judge(
        self, examples: Sequence[TextExample], predictions: Sequence[Prediction], *, split: str
    ) -> Judgement:
        """Return the scores that the description asks for."""
        gold = self._numbers(examples)
        predicted = classification.numbers([str(one["prediction"]) for one in predictions], self.labels)
        scorer = _Scorer(gold, predicted, self.labels, self.description)
        report = ScoreReport(
            task=self.name,
            split=split,
            n=len(gold),
            scores=scorer(np.arange(len(gold))),
            primary=self.description.metrics[0],
            extra={"labels": ",".join(self.labels)},
        )
        return Judgement(
            report=report,
            scorer=scorer,
            baseline={"majority_accuracy": int(np.bincount(gold).max()) / len(gold)},
            constant_prediction=is_constant(gold.tolist(), predicted.tolist()),
            pairs=[(self.labels[g], self.labels[p]) for g, p in zip(gold, predicted, strict=True)],
            calibration=calibration_of(gold, predictions, self.labels),
        )

    def _numbers(self, examples: Sequence[TextExample]) -> NDArray[np.int64]:
        return np.array([self._number(example) for example in examples], dtype=np.int64)

    def _number(self, example: TextExample) -> int:
        label = label_of(example, self.description)
        if label not in self.labels:
            raise TaskDataError(
                f"{example.place}: unknown label {label!r}, the model knows {', '.join(self.labels)}",
                hint="the data is of another task, or the label is missing in the training data",
            )
        return self.labels.index(label)


@dataclass(frozen=True)
class _Scorer:
    """The scores of some of the predictions."""

    gold: NDArray[np.int64]
    predicted: NDArray[np.int64]
    labels: tuple[str, ...]
    description: ClassificationDescription

    def __call__(self, numbers: NDArray[np.int64]) -> dict[str, float]:
        counts = confusion.count(self.gold[numbers], self.predicted[numbers], classes=len(self.labels))
        return {name: self._score(name, counts) for name in self.description.metrics}

    def _score(self, name: Metric, counts: NDArray[np.int64]) -> float:
        match name:
            case "accuracy":
                return confusion.accuracy(counts)
            case "f1":
                assert self.description.positive is not None
                return confusion.f1(counts, self.labels.index(self.description.positive))
            case "macro_f1":
                return confusion.macro_f1(counts)
            case "matthews_correlation":
                return confusion.matthews_correlation(counts)


def _check_described(
    name: str, description: ClassificationDescription, labels: Sequence[str], examples: Sequence[TextExample]
) -> None:
    """See that what the description says of labels is about those of the data.

    Raises:
        ConfigError: no example has a label that it speaks of; its key may not be what the data writes.
    """
    for key, label in description.label_names.items():
        if label not in labels:
            written = sorted({str(example.target) for example in examples})
            raise ConfigError(
                f"tasks.{name}.label_names has {key!r}, but the labels of the training data are "
                f"{', '.join(map(repr, written))}",
                hint="write a label as the data does, in quotes where YAML takes it for something else "
                "({'true': spam}), and leave out those that no example has",
            )
    if "f1" in description.metrics and description.positive not in labels:
        raise ConfigError(
            f"tasks.{name}.positive is {description.positive!r}, but the labels are {', '.join(labels)}",
            hint="use the name that label_names gives the label",
        )


def calibration_of(
    gold: NDArray[np.int64], predictions: Sequence[Prediction], labels: Sequence[str]
) -> Calibration | None:
    """Return how far the probabilities can be believed; none where predictions have none."""
    if not all("probabilities" in prediction for prediction in predictions):
        return None
    shares = [[prediction["probabilities"][label] for label in labels] for prediction in predictions]
    return calibrate(np.array(shares, dtype=np.float64), gold)


def label_of(example: TextExample, description: ClassificationDescription) -> str:
    """Return the name of an example's label.

    Raises:
        TaskDataError: it has none, or it is no label.
    """
    return named(example.target, description.label_names, field=description.target, place=example.place)


def named(label: Any, names: Mapping[str, str], *, field: str, place: str) -> str:
    """Return the name of a label as the data has it.

    Raises:
        TaskDataError: there is none, or it is no label.
    """
    if label is None or (isinstance(label, str) and not label):
        raise unlabelled(place, field)
    # One line of a table holds a label (confusion.tsv).
    if isinstance(label, str | int) and not set(str(label)) & set("\t\r\n"):
        return names.get(str(label), str(label))
    raise TaskDataError(f"{place}: {field!r} is no label: {label!r}")
