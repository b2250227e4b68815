"""What several runs of the same thing come to."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """Mean and spread of one figure over runs that differ in their seed only.

    Attributes:
        mean: the arithmetic mean.
        sd: the sample standard deviation (divided by n - 1); unset for a single run.
        min: the lowest.
        max: the highest.
        n: number of runs.
    """

    mean: float
    sd: float | None
    min: float
    max: float
    n: int


def summarize(values: Sequence[float]) -> Summary:
    """Return mean and spread of at least one value; the order of the values does not matter."""
    assert len(values) > 0
    return Summary(
        mean=statistics.fmean(values),
        sd=statistics.stdev(values) if len(values) > 1 else None,
        min=min(values),
        max=max(values),
        n=len(values),
    )
