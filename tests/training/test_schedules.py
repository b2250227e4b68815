"""The learning rate over a run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.training.schedules import linear_with_warmup


def test_shares_by_hand() -> None:
    """Ten updates, four of them warm-up: quarters up, then sixths down, starting at the peak."""
    shares = [linear_with_warmup(step, warmup_steps=4, total_steps=10) for step in range(10)]
    assert shares == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_no_warm_up_starts_at_the_peak() -> None:
    """Four updates fall by quarters; the one after the last would be zero."""
    shares = [linear_with_warmup(step, warmup_steps=0, total_steps=4) for step in range(5)]
    assert shares == [1, 0.75, 0.5, 0.25, 0]


def test_warm_up_may_take_the_whole_run() -> None:
    """The last update reaches the peak."""
    assert [linear_with_warmup(s, warmup_steps=3, total_steps=3) for s in range(3)] == [1 / 3, 2 / 3, 1]


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n - 1))))
def test_every_update_moves(case: tuple[int, int, int]) -> None:
    """No update of a run has a share of zero or above one."""
    total, warmup, step = case
    assert 0 < linear_with_warmup(step, warmup_steps=warmup, total_steps=total) <= 1
