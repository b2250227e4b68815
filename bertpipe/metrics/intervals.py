"""How much scores would vary with other examples: the bootstrap.

Examples are drawn with replacement, as many as there are, and scored again and again (Efron 1979). The draws
are a function of the examples' names: models that answer the same examples meet the same draws.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness

LEVEL = 0.95

# The scores of a selection of the examples, by their numbers, int64 [N].
Scorer = Callable[[NDArray[np.int64]], Mapping[str, float]]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """One score of two models on the same examples.

    Attributes:
        first: the score of one.
        second: the score of the other.
        difference: the second minus the first.
        interval: where 95 % of the differences lie over draws of the examples.
        p_value: how often a difference as far on the other side of 0 turns up where there is none, from
            both sides: twice the share of draws in which the worse model is not worse (Koehn 2004).
    """

    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float


def intervals(scorer: Scorer, ids: Sequence[str], *, samples: int) -> dict[str, Interval]:
    """Return the percentile interval of each score over so many draws; nothing for none.

    Args:
        scorer: of the examples.
        ids: names of the examples, in their order.
        samples: number of draws.
    """
    drawn = _scores(scorer, ids, samples)
    return {name: _percentiles(values) for name, values in drawn.items()}


def difference(first: Scorer, second: Scorer, ids: Sequence[str], *, samples: int) -> dict[str, Difference]:
    """Return the paired difference of each score that both have: both models meet the same draws.

    Args:
        first: scorer of one model.
        second: scorer of the other.
        ids: names of the examples, in the order of both.
        samples: number of draws, at least one.
    """
    everything = np.arange(len(ids))
    before, after = first(everything), second(everything)
    one, other = _scores(first, ids, samples), _scores(second, ids, samples)
    return {
        name: Difference(
            first=before[name],
            second=after[name],
            difference=after[name] - before[name],
            interval=_percentiles(other[name] - one[name]),
            p_value=_p_value(other[name] - one[name]),
        )
        for name in before
        if name in after
    }


def resamples(ids: Sequence[str], *, samples: int) -> Iterator[NDArray[np.int64]]:
    """Yield draws with replacement: numbers of examples, int64 ``[N]``."""
    key = randomness.key(0, "bootstrap", *ids)
    draws = randomness.Draws(randomness.hashed(key, np.arange(len(ids))))
    for sample in range(samples):
        yield randomness.below(draws.bits(sample), len(ids))


def _scores(scorer: Scorer, ids: Sequence[str], samples: int) -> dict[str, NDArray[np.float64]]:
    rows = [scorer(numbers) for numbers in resamples(ids, samples=samples)]
    return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def _percentiles(values: NDArray[np.float64]) -> Interval:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _p_value(differences: NDArray[np.float64]) -> float:
    """Count ties for both sides, and what was seen itself as one draw: never exactly 0."""
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(differences) + 1))
