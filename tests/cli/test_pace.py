"""The time left: by a rate that forgets a slow start and averages over pauses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.cli.pace import Pace


def test_a_steady_rate_is_found() -> None:
    """Two units a second, whatever was done before this run."""
    pace = Pace(100.0, 5000)
    for second in range(1, 400):
        pace.saw(100.0 + second, 5000 + 2 * second)
    assert pace.seconds_for(60) == pytest.approx(30)


def test_a_slow_start_is_forgotten() -> None:
    """A minute of compiling does not count any more after another minute of steps."""
    pace = Pace(0.0, 0)
    for tenth in range(900):
        pace.saw(60.0 + tenth / 10, tenth + 1)
    assert pace.seconds_for(1000) == pytest.approx(100, rel=0.01)
    # From the beginning on it would be 150 s for 900 steps.


def test_pauses_count() -> None:
    """Nine seconds of steps, then one of evaluation, again and again: the steps ahead have both."""
    pace = Pace(0.0, 0)
    for turn in range(100):
        for step in range(1, 91):
            pace.saw(turn * 10 + step / 10, turn * 90 + step)
    expected = 900 * 10 / 90
    assert pace.seconds_for(900) == pytest.approx(expected, rel=0.05)


def test_nothing_is_promised_too_early() -> None:
    """Within the first second, and before anything is done, the time left is unknown."""
    pace = Pace(10.0, 0)
    pace.saw(10.5, 7)
    assert pace.seconds_for(1) is None
    idle = Pace(10.0, 3)
    idle.saw(40.0, 3)
    assert idle.seconds_for(1) is None


@given(st.lists(st.tuples(st.floats(0.001, 50), st.integers(1, 1000)), min_size=2, max_size=500))
def test_the_rate_lies_between_the_slowest_and_the_fastest(stretches: list[tuple[float, int]]) -> None:
    """However irregular the updates are, what is told has happened."""
    pace, now, done = Pace(0.0, 0), 0.0, 0
    for seconds, units in stretches:
        now, done = now + seconds, done + units
        pace.saw(now, done)
    each = [seconds / units for seconds, units in stretches]
    told = pace.seconds_for(1)
    if told is not None:
        assert min(each) * (1 - 1e-9) <= told <= max(each) * (1 + 1e-9)


def test_long_runs_keep_few_marks() -> None:
    """A million updates are watched in bounded memory."""
    pace = Pace(0.0, 0)
    for step in range(1, 100_000):
        pace.saw(step / 3, step)
    assert len(pace._marks) <= 64
    assert pace.seconds_for(3) == pytest.approx(1)
