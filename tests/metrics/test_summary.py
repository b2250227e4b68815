"""Mean and spread over seeds."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.metrics import summarize

VALUES = st.lists(st.floats(-1, 1), min_size=2, max_size=10)


@given(VALUES)
def test_mean_and_sd_equal_numpy(values: list[float]) -> None:
    """The spread is the sample standard deviation, divided by n - 1."""
    summary = summarize(values)
    assert summary.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert summary.sd == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert (summary.min, summary.max, summary.n) == (min(values), max(values), len(values))


@given(VALUES, st.randoms())
def test_order_does_not_matter(values: list[float], shuffler: random.Random) -> None:
    """The same runs in another order give the same bits."""
    shuffled = list(values)
    shuffler.shuffle(shuffled)
    assert summarize(shuffled) == summarize(values)


def test_a_single_run_has_no_spread() -> None:
    """One value has no standard deviation: unset, neither 0 nor NaN."""
    assert summarize([0.5]).sd is None
