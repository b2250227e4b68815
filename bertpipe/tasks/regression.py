"""One number an example, for one text or two, as STS-B asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bertpipe.errors import TaskDataError
from bertpipe.metrics import ScoreReport, regression
from bertpipe.tasks.task import Example, Judgement, Split, TaskDescription
from bertpipe.training import Term

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Regression:
    """Predict a number on the scale of the data."""

    name: str
    description: TaskDescription
    labels: tuple[str, ...] = ()
    problem_type: str = "regression"

    @classmethod
    def learn(cls, name: str, description: TaskDescription, examples: Sequence[Example]) -> Self:
        """Check the training examples.

        Raises:
            TaskDataError: an example has no number, or all have the same.
        """
        task = cls(name, description)
        targets = task.targets(examples)
        if np.ptp(targets) == 0:
            raise TaskDataError(
                f"all {len(examples)} training examples of {name} have the value {targets[0]:g}",
                hint="a regression needs values that differ",
            )
        return task

    @property
    def outputs(self) -> int:
        """Return 1."""
        return 1

    def targets(self, examples: Sequence[Example]) -> NDArray[np.float32]:
        """Return the numbers, float32 ``[N]``."""
        return np.array([_number(example, self.description) for example in examples], dtype=np.float32)

    def term(self, outputs: Tensor, targets: Tensor) -> Term:
        """Return the squared error."""
        return Term(loss=functional.mse_loss(outputs[:, 0], targets, reduction="sum"))

    def predictions(self, outputs: NDArray[np.float32]) -> list[dict[str, Any]]:
        """Return the number."""
        return [{"prediction": round(float(value), 6)} for value in outputs[:, 0]]

    def judge(
        self, examples: Sequence[Example], predictions: Sequence[Mapping[str, Any]], *, split: Split
    ) -> Judgement:
        """Return Pearson's and Spearman's correlation and the mean squared error."""
        gold = self.targets(examples)
        predicted = np.array([float(prediction["prediction"]) for prediction in predictions])
        report = ScoreReport(
            task=self.name,
            split=split,
            n=len(gold),
            scores={
                "pearson": regression.pearson(gold, predicted),
                "spearman": regression.spearman(gold, predicted),
                "mean_squared_error": regression.mean_squared_error(gold, predicted),
            },
            primary="pearson",
        )
        mean = np.full(len(gold), gold.mean(dtype=np.float64))
        return Judgement(
            report=report,
            baseline={"mean_squared_error": regression.mean_squared_error(gold, mean)},
            constant_prediction=regression.is_constant(predicted),
        )


def _number(example: Example, description: TaskDescription) -> float:
    value = example.target
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise TaskDataError(
            f"{example.place}: {description.target!r} must be a finite number, found {value!r}"
        )
    return float(value)
