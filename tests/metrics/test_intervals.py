"""The bootstrap, against SciPy's and against what statistics says of means."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bertpipe.metrics import difference, intervals, regression
from bertpipe.metrics.intervals import resamples

RANDOM = np.random.default_rng(7)
IDS = [f"example {number}" for number in range(300)]
RIGHT = RANDOM.random(300) < 0.8
GOLD = RANDOM.normal(size=300)
GUESS = GOLD + RANDOM.normal(size=300)


def accuracy(numbers: NDArray[np.int64]) -> dict[str, float]:
    return {"accuracy": float(RIGHT[numbers].mean())}


def pearson(numbers: NDArray[np.int64]) -> dict[str, float]:
    return {"pearson": regression.pearson(GOLD[numbers], GUESS[numbers])}


def mean_of(values: NDArray[np.bool_]) -> Callable[[NDArray[np.int64]], dict[str, float]]:
    return lambda numbers: {"x": float(values[numbers].mean())}


def test_a_share_has_the_interval_of_the_normal_distribution() -> None:
    """P plus or minus 1.96 sqrt(p (1 - p) / n), within what a thousand draws vary by."""
    (low, high) = intervals(accuracy, IDS, samples=1000)["accuracy"]
    share = RIGHT.mean()
    width = 1.96 * (share * (1 - share) / 300) ** 0.5
    assert (low, high) == pytest.approx((share - width, share + width), abs=0.006)


def test_a_correlation_has_scipy_s_percentile_interval() -> None:
    """Other draws of the same distribution: the ends agree within the spread of a quantile of draws."""
    theirs = stats.bootstrap(
        (GOLD, GUESS),
        lambda gold, guess: stats.pearsonr(gold, guess)[0],
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert intervals(pearson, IDS, samples=2000)["pearson"] == pytest.approx(tuple(theirs), abs=0.008)


def test_95_of_100_intervals_hold_the_truth() -> None:
    """Coverage over 200 data sets of 100 examples with a known share is between 90 and 98 %.

    The percentile interval of a share of 100 examples covers a little less than it says.
    """
    draws = np.random.default_rng(3).random((200, 100)) < 0.7
    held = 0
    for number, right in enumerate(draws):
        ids = [f"{number}-{example}" for example in range(100)]
        low, high = intervals(mean_of(right), ids, samples=150)["x"]
        held += low <= 0.7 <= high
    assert 0.90 <= held / 200 <= 0.98


def test_draws_are_a_function_of_the_examples() -> None:
    """The same names, the same draws; other names, others. Each draw has as many as there are."""
    first, again, other = (
        np.array(list(resamples(ids, samples=50))) for ids in (IDS, IDS, [name + "'" for name in IDS])
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.shape == (50, 300) and first.min() == 0 and first.max() == 299
    assert len({tuple(row) for row in first.tolist()}) == 50
    # An example is left out of a draw with probability (1 - 1/n)^n, near 1/e.
    missing = np.mean([1 - len(set(row)) / 300 for row in first.tolist()])
    assert missing == pytest.approx(np.exp(-1), abs=0.01)


def test_no_draws_are_no_intervals() -> None:
    """Nothing is scored."""
    assert intervals(accuracy, IDS, samples=0) == {}


def test_a_paired_difference_by_the_normal_distribution() -> None:
    """The better model wins where the worse one fails, and they agree elsewhere: both tell.

    30 examples differ, 25 to the good: 20/300, and the spread of the differences is
    sqrt(30/300 - (20/300)^2) / sqrt(300) = 0.01785; z = 3.7, so the p-value is small.
    """
    worse, better = RIGHT.copy(), RIGHT.copy()
    flipped = RANDOM.permutation(300)[:30]
    worse[flipped], better[flipped] = False, True
    worse[flipped[:5]], better[flipped[:5]] = True, False

    found = difference(mean_of(worse), mean_of(better), IDS, samples=2000)["x"]
    assert found.difference == pytest.approx(20 / 300) == found.second - found.first
    assert found.interval == pytest.approx((20 / 300 - 1.96 * 0.01785, 20 / 300 + 1.96 * 0.01785), abs=0.005)
    assert found.p_value < 0.005
    back = difference(mean_of(better), mean_of(worse), IDS, samples=2000)["x"]
    assert back.difference == -found.difference and back.p_value == found.p_value
    assert back.interval == pytest.approx((-found.interval[1], -found.interval[0]))
    same = difference(mean_of(worse), mean_of(worse), IDS, samples=100)["x"]
    assert (same.difference, same.interval, same.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_of_two_equal_models_few_differ() -> None:
    """Where nothing but chance tells two models apart, the p-value is below 0.05 in about 1 of 20 cases."""
    random = np.random.default_rng(5)
    found = []
    for number in range(120):
        one, two = random.random((2, 80)) < 0.6
        ids = [f"{number}-{example}" for example in range(80)]
        found.append(difference(mean_of(one), mean_of(two), ids, samples=100)["x"].p_value)
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.04)
