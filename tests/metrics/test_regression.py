"""Number scores against SciPy, whose values GLUE's STS-B takes."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.metrics import f1_score

from bertpipe.errors import TrainingDivergedError
from bertpipe.metrics import regression


def spearman(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Return the correlation of the ranks of all values."""
    ranks = regression.Ranks(gold), regression.Ranks(predicted)
    return regression.spearman(*ranks, np.arange(np.size(gold)))


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    """Gold and predicted numbers of the same count, with ties."""
    size = draw(st.integers(2, 30))
    numbers = st.lists(st.integers(-20, 20).map(lambda n: n / 4), min_size=size, max_size=size)
    return draw(numbers), draw(numbers)


@given(answers(), st.lists(st.integers(0, 1000), min_size=1, max_size=40))
def test_ranks_of_a_selection_are_those_of_its_values(
    both: tuple[list[float], list[float]], drawn: list[int]
) -> None:
    """SciPy's, of what was selected, repeats included."""
    values = np.array(both[0])
    numbers = np.array(drawn) % len(values)
    assert regression.Ranks(values).of(numbers).tolist() == stats.rankdata(values[numbers]).tolist()


@given(answers())
def test_correlations_equal_scipy(both: tuple[list[float], list[float]]) -> None:
    """Pearson and Spearman have SciPy's values wherever they are defined, ties included."""
    gold, predicted = both
    assume(len(set(gold)) > 1 and len(set(predicted)) > 1)
    assert regression.pearson(gold, predicted) == pytest.approx(stats.pearsonr(gold, predicted)[0], abs=1e-12)
    assert spearman(gold, predicted) == pytest.approx(stats.spearmanr(gold, predicted)[0], abs=1e-12)


@given(answers())
def test_f1_equals_scikit_learn(both: tuple[list[float], list[float]]) -> None:
    """Numbers from the threshold on are positive, as in KLUE-STS's official score."""
    gold, predicted = (np.array(numbers) for numbers in both)
    assert regression.f1(gold, predicted, threshold=1.25) == pytest.approx(
        f1_score(gold >= 1.25, predicted >= 1.25, zero_division=0), abs=1e-12
    )


@given(st.floats(-1e300, 1e300), st.integers(1, 40))
def test_a_constant_prediction_correlates_with_nothing(constant: float, size: int) -> None:
    """The value is 0, never NaN, also where the mean of equal numbers is rounded."""
    gold = np.arange(size) / 3
    assert regression.pearson(gold, [constant] * size) == 0.0
    assert spearman([constant] * size, gold) == 0.0


@given(st.lists(st.floats(-1e150, 1e150), min_size=1, max_size=10))
def test_correlations_are_finite_and_bounded(values: list[float]) -> None:
    """Tiny and huge numbers neither over- nor underflow to NaN."""
    for score in (regression.pearson, spearman):
        assert -1 <= score(values, values[::-1]) <= 1
    assert math.isfinite(regression.mean_squared_error(values, values[::-1]))


def test_mean_squared_error_by_hand() -> None:
    """((1-2)^2 + (3-1)^2) / 2 = 2.5."""
    assert regression.mean_squared_error([1, 3], [2, 1]) == 2.5


def test_a_prediction_that_is_no_number_is_refused() -> None:
    """A model that answers NaN has diverged, and the example is named."""
    with pytest.raises(TrainingDivergedError, match="example 2 is nan"):
        regression.pearson([1, 2], [0.5, float("nan")])
