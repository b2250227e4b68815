"""One label an example, for one text or two (Devlin et al. 2019, section 4.1)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bertpipe.errors import TaskDataError
from bertpipe.metrics import ScoreReport, classification
from bertpipe.tasks.task import Example, Judgement, Split, TaskDescription
from bertpipe.training import Term


@dataclass(frozen=True)
class Classification:
    """Choose one of some labels, known by name."""

    name: str
    description: TaskDescription
    labels: tuple[str, ...]
    problem_type: str = "single_label_classification"

    @classmethod
    def learn(cls, name: str, description: TaskDescription, examples: Sequence[Example]) -> Self:
        """Take the labels from the training examples, in sorted order.

        Raises:
            TaskDataError: an example has no label, or all have the same.
        """
        counts = Counter(_label(example, description) for example in examples)
        if len(counts) < 2:
            raise TaskDataError(
                f"all {len(examples)} training examples of {name} have the label {next(iter(counts))!r}",
                hint="a classifier needs at least two labels",
            )
        return cls(name, description, tuple(sorted(counts)))

    @property
    def outputs(self) -> int:
        """Return the number of labels."""
        return len(self.labels)

    def targets(self, examples: Sequence[Example]) -> NDArray[np.int64]:
        """Return the numbers of the labels, int64 ``[N]``."""
        return np.array([self._number(example) for example in examples], dtype=np.int64)

    def _number(self, example: Example) -> int:
        label = _label(example, self.description)
        if label not in self.labels:
            raise TaskDataError(
                f"{example.place}: unknown label {label!r}, the model knows {', '.join(self.labels)}",
                hint="the data is of another task, or the label is missing in train.jsonl",
            )
        return self.labels.index(label)

    def term(self, outputs: Tensor, targets: Tensor) -> Term:
        """Return the cross-entropy."""
        return Term(
            loss=functional.cross_entropy(outputs, targets, reduction="sum"),
            correct=(outputs.argmax(-1) == targets).sum(),
        )

    def predictions(self, outputs: NDArray[np.float32]) -> list[dict[str, Any]]:
        """Return the best label and the probability of each."""
        exponents = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        probabilities = exponents / exponents.sum(axis=1, keepdims=True)  # [N, C]
        return [
            {
                "prediction": self.labels[int(best)],
                "probabilities": {
                    label: round(float(p), 6) for label, p in zip(self.labels, row, strict=True)
                },
            }
            for best, row in zip(outputs.argmax(axis=1), probabilities, strict=True)
        ]

    def judge(
        self, examples: Sequence[Example], predictions: Sequence[Mapping[str, Any]], *, split: Split
    ) -> Judgement:
        """Return accuracy, macro F1 and Matthews' correlation."""
        gold = [self.labels[number] for number in self.targets(examples)]
        predicted = [str(prediction["prediction"]) for prediction in predictions]
        report = ScoreReport(
            task=self.name,
            split=split,
            n=len(gold),
            scores={
                "accuracy": classification.accuracy(gold, predicted),
                "macro_f1": classification.macro_f1(gold, predicted, labels=self.labels),
                "matthews_correlation": classification.matthews_correlation(gold, predicted),
            },
            primary="accuracy",
            extra={"labels": ",".join(self.labels)},
        )
        return Judgement(
            report=report,
            baseline={"majority_accuracy": classification.majority_accuracy(gold)},
            constant_prediction=classification.is_constant(predicted),
        )


def _label(example: Example, description: TaskDescription) -> str:
    label = example.target
    if label is None or (isinstance(label, str) and not label):
        raise TaskDataError(
            f"{example.place}: no label in the field {description.target!r}",
            hint="this split cannot be trained on or scored without labels",
        )
    # One line of a table holds a label (confusion.tsv).
    if isinstance(label, str | int) and not set(str(label)) & set("\t\r\n"):
        return str(label)
    raise TaskDataError(f"{example.place}: {description.target!r} is no label: {label!r}")
