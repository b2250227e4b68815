"""A number for one text or two, as in STS-B (Devlin et al. 2019, section 4.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from bertpipe.errors import TaskDataError
from bertpipe.metrics import ScoreReport, is_constant, regression
from bertpipe.model import TokenBatch
from bertpipe.tasks.formats import Record, optional_field
from bertpipe.tasks.heads import Head
from bertpipe.tasks.inputs import Inputs
from bertpipe.tasks.submissions import SubmittedDescription
from bertpipe.tasks.task import Judgement, Prediction, Task, unlabelled
from bertpipe.tasks.texts import TextExample, encode_examples, read_texts
from bertpipe.training import Term
from bertpipe.vocab import Tokenizer

_LARGEST = float(np.finfo(np.float32).max)
Metric = Literal["pearson", "spearman", "mean_squared_error", "f1"]


class RegressionDescription(SubmittedDescription):
    """A number for one text or two."""

    kind: Literal["regression"]
    target: str = Field("label", description="Field of the number to predict.")
    metrics: tuple[Metric, ...] = Field(
        ("pearson", "spearman", "mean_squared_error"),
        min_length=1,
        strict=False,
        description="Scores to tell; models are compared by the first.",
    )
    threshold: float | None = Field(
        None, description="The score f1 takes numbers from here on for positive, as KLUE-STS does from 3."
    )

    scale: tuple[float, float] | None = Field(
        None,
        strict=False,
        description="Lowest and highest number that the submission's file may hold, such as [0, 5].",
    )

    @model_validator(mode="after")
    def _f1_has_a_threshold(self) -> Self:
        if "f1" in self.metrics and self.threshold is None:
            raise ValueError("the score f1 needs threshold, the number from which on something is positive")
        return self


@dataclass(frozen=True)
class Regression(Task[RegressionDescription, TextExample, Inputs]):
    """Predict a number on the scale of the data."""

    @classmethod
    def read(cls, folder: Path, split: str, description: RegressionDescription) -> list[TextExample]:
        """Return the examples of one split."""
        return read_texts(folder, split, description, target=partial(_found, name=description.target))

    @classmethod
    def learn(cls, name: str, description: RegressionDescription, examples: Sequence[TextExample]) -> Self:
        """Check the training examples.

        Raises:
            TaskDataError: an example has no number, or all have the same.
        """
        task = cls(name, description)
        numbers = task._numbers(examples)
        if np.ptp(numbers) == 0:
            raise TaskDataError(
                f"all {len(examples)} training examples of {name} have the value {numbers[0]:g}",
                hint="a regression needs values that differ",
            )
        return task

    @property
    def head(self) -> Head:
        """Return one number for the pooled ``[CLS]``."""
        return Head("BertForSequenceClassification", outputs=1)

    @property
    def facts(self) -> dict[str, Any]:
        """Return the kind in Hugging Face's words."""
        return {"problem_type": "regression", "num_labels": 1}

    def check(self, examples: Sequence[TextExample]) -> None:
        """See that every example has a number."""
        self._numbers(examples)

    def encode(self, examples: Sequence[TextExample], tokenizer: Tokenizer, *, max_seq_length: int) -> Inputs:
        """Return one sequence an example."""
        return encode_examples(examples, tokenizer, max_seq_length=max_seq_length)

    def targets(self, examples: Sequence[TextExample], inputs: Inputs) -> list[NDArray[np.float32]]:
        """Return the numbers, float32 ``[1]`` an example."""
        return list(self._numbers(examples).astype(np.float32)[:, None])

    def term(self, outputs: Tensor, targets: Tensor, tokens: TokenBatch) -> Term:
        """Return the squared error."""
        return Term(loss=functional.mse_loss(outputs[:, 0], targets, reduction="sum"))

    def baseline_loss(self, targets: NDArray[np.float32], *, width: int = 1) -> float:
        """Return the variance."""
        return float(targets.var(dtype=np.float64))

    def predictions(
        self, examples: Sequence[TextExample], inputs: Inputs, outputs: Sequence[NDArray[np.float32]]
    ) -> list[dict[str, Any]]:
        """Return the number."""
        return [{"prediction": round(float(value), 6)} for value in np.concatenate(outputs)[:, 0]]

    def submission(
        self, examples: Sequence[TextExample], predictions: Sequence[Prediction]
    ) -> dict[str, str]:
        """Return the file of the leaderboard, on its scale."""
        lowest, highest = self.description.scale or (-_LARGEST, _LARGEST)
        numbers = (min(max(float(one["prediction"]), lowest), highest) for one in predictions)
        return self.description.submitted(examples, (f"{number:.3f}" for number in numbers))

    def judge(
        self, examples: Sequence[TextExample], predictions: Sequence[Prediction], *, split: str
    ) -> Judgement:
        """Return the scores that the description asks for."""
        gold = self._numbers(examples)
        predicted = np.array([float(prediction["prediction"]) for prediction in predictions])

        scorer = _Scorer(gold, predicted, self.description)
        report = ScoreReport(
            task=self.name,
            split=split,
            n=len(gold),
            scores=scorer(np.arange(len(gold))),
            primary=self.description.metrics[0],
            extra=_what_is_positive(self.description),
        )
        mean = np.full(len(gold), gold.mean())
        return Judgement(
            report=report,
            scorer=scorer,
            baseline={"mean_squared_error": regression.mean_squared_error(gold, mean)},
            constant_prediction=is_constant(gold.tolist(), predicted.tolist()),
        )

    def _numbers(self, examples: Sequence[TextExample]) -> NDArray[np.float64]:
        return np.array([_number(example, self.description) for example in examples])


@dataclass(frozen=True)
class _Scorer:
    """The scores of some of the predictions."""

    gold: NDArray[np.float64]
    predicted: NDArray[np.float64]
    description: RegressionDescription

    @cached_property
    def _ranks(self) -> tuple[regression.Ranks, regression.Ranks]:
        return regression.Ranks(self.gold), regression.Ranks(self.predicted)

    def __call__(self, numbers: NDArray[np.int64]) -> dict[str, float]:
        return {name: self._score(name, numbers) for name in self.description.metrics}

    def _score(self, name: Metric, numbers: NDArray[np.int64]) -> float:
        gold, predicted = self.gold[numbers], self.predicted[numbers]
        match name:
            case "pearson":
                return regression.pearson(gold, predicted)
            case "spearman":
                return regression.spearman(*self._ranks, numbers)
            case "mean_squared_error":
                return regression.mean_squared_error(gold, predicted)
            case "f1":
                assert self.description.threshold is not None
                return regression.f1(gold, predicted, threshold=self.description.threshold)


def _what_is_positive(description: RegressionDescription) -> dict[str, str]:
    return {"positive": f">={description.threshold:g}"} if "f1" in description.metrics else {}


def _found(record: Record, *, name: str) -> Any:
    """Return the target of a record; in a table, where all is text, the number that a text says."""
    value = optional_field(record, name)
    if not record.is_text or value is None:
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _number(example: TextExample, description: RegressionDescription) -> float:
    value = example.target
    if value is None:
        raise unlabelled(example.place, description.target)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise TaskDataError(
            f"{example.place}: {description.target!r} must be a finite number, found {value!r}"
        )
    return float(value)
