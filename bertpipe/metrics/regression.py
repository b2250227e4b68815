"""Scores of predicted numbers.

A correlation with a constant is undefined; its value here is 0.0, since NaN is no JSON and a
model that answers the same for everything has learned nothing.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bertpipe.errors import TrainingDivergedError


def pearson(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return the linear correlation; 0.0 where one side is constant.

    Raises:
        TrainingDivergedError: a prediction is not finite.
    """
    return _correlation(*_numbers(gold, predicted))


def spearman(gold: "Ranks", predicted: "Ranks", numbers: NDArray[np.int64]) -> float:
    """Return the correlation of the ranks of the values with these numbers; 0.0 as ``pearson``."""
    return pearson(gold.of(numbers), predicted.of(numbers))


def mean_squared_error(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean of the squared differences.

    Raises:
        TrainingDivergedError: a prediction is not finite.
    """
    gold, predicted = _numbers(gold, predicted)
    return float(np.mean((gold - predicted) ** 2))


def f1(gold: ArrayLike, predicted: ArrayLike, *, threshold: float) -> float:
    """Return the harmonic mean of precision and recall, where numbers from ``threshold`` on are positive.

    Raises:
        TrainingDivergedError: a prediction is not finite.
    """
    gold, predicted = _numbers(gold, predicted)
    is_positive, said_positive = gold >= threshold, predicted >= threshold
    counted = int(is_positive.sum() + said_positive.sum())
    return 2 * int((is_positive & said_positive).sum()) / counted if counted else 0.0


class Ranks:
    """The ranks of any selection of some numbers; they are sorted once."""

    def __init__(self, values: ArrayLike) -> None:
        """Sort the values, ``[N]``."""
        self._groups = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)[1]

    def of(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the ranks, from 1, of the values with these numbers, which may repeat.

        Equal values have the average of their ranks.
        """
        groups = self._groups[numbers]
        counts = np.bincount(groups)
        ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[groups]
        return ranks


def _correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    if np.ptp(left) == 0 or np.ptp(right) == 0:  # exactly: the mean of equal numbers may be rounded
        return 0.0
    left, right = _centred(left), _centred(right)
    return float(np.clip(left @ right, -1, 1))


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances from the mean as a vector of length 1, without over- or underflow."""
    distances = values - values.mean()
    distances = distances / np.abs(distances).max()
    unit: NDArray[np.float64] = distances / np.linalg.norm(distances)
    return unit


def _numbers(gold: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    gold = np.asarray(gold, dtype=np.float64)
    predicted = np.asarray(predicted, dtype=np.float64)
    assert gold.shape == predicted.shape and gold.ndim == 1 and gold.size > 0
    bad = np.flatnonzero(~np.isfinite(predicted))
    if bad.size:
        raise TrainingDivergedError(
            f"the prediction for example {bad[0] + 1} is {predicted[bad[0]]}",
            hint="fine-tune again with a lower finetune.learning_rate",
        )
    return gold, predicted
