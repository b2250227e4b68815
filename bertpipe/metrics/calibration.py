"""How far probabilities can be believed: of answers that are 80 % sure, 80 % should be right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True)
class Bin:
    """The answers whose probability lies in one interval.

    Attributes:
        lower: excluded, but in the first one.
        upper: included.
        count: number of answers, at least one.
        confidence: their mean probability.
        accuracy: the share of them that are right.
    """

    lower: float
    upper: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """What the probabilities of the labels are worth.

    Attributes:
        expected_calibration_error: the mean distance of confidence and accuracy, over bins by the
            probability of the answer (Guo et al. 2017, section 2).
        brier_score: the mean squared distance of the probabilities from what is right, summed over the
            labels (Brier 1950): 0 at best, 2 at worst.
        bins: those that hold answers, by rising probability.
    """

    expected_calibration_error: float
    brier_score: float
    bins: tuple[Bin, ...]


def calibrate(shares: NDArray[np.float64], gold: NDArray[np.int64], *, bins: int = BINS) -> Calibration:
    """Measure probabilities against what is right.

    Args:
        shares: probabilities of the labels, float64 ``[N, C]``.
        gold: the number of the right label, int64 ``[N]``.
        bins: of equal width, over probabilities from 0 to 1.
    """
    assert len(shares) == len(gold) > 0
    best = shares.max(axis=1)
    is_right = shares.argmax(axis=1) == gold
    places = np.clip(np.ceil(best * bins).astype(np.int64) - 1, 0, bins - 1)
    found = tuple(
        Bin(
            lower=int(place) / bins,
            upper=(int(place) + 1) / bins,
            count=int((places == place).sum()),
            confidence=float(best[places == place].mean()),
            accuracy=float(is_right[places == place].mean()),
        )
        for place in np.unique(places)
    )
    error = sum(part.count * abs(part.confidence - part.accuracy) for part in found) / len(gold)
    distances = shares - (np.arange(shares.shape[1]) == gold[:, None])
    return Calibration(error, float((distances**2).sum(axis=1).mean()), found)
