"""Pre-trained against random, over seeds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.reports.comparison import Run, compare


def make_run(seed: int, value: float, *, initialization: str = "pretrained", constant: bool = False) -> Run:
    """Return the scores of one run."""
    return Run(
        task="film-reviews",
        kind="classification",
        split="test",
        n=1000,
        primary="accuracy",
        scores={"accuracy": value, "macro_f1": value / 2},
        signature=f"film-reviews|accuracy={100 * value:.1f}",
        seed=seed,
        initialization=initialization,
        constant_prediction=constant,
        baseline={"majority_accuracy": 0.5},
        train_examples=400,
    )


def test_means_and_spread_by_hand() -> None:
    """70, 72, 74 have mean 72 and sd 2; 60, 61, 62 mean 61 and sd 1: 11 is beyond 2 + 1."""
    runs = [make_run(seed, value) for seed, value in enumerate((0.70, 0.72, 0.74))]
    runs += [make_run(seed, value, initialization="random") for seed, value in enumerate((0.60, 0.61, 0.62))]
    comparison = compare(runs)
    assert [start.initialization for start in comparison.starts] == ["pretrained", "random"]
    assert comparison.starts[0].summaries["macro_f1"].mean == pytest.approx(0.36)
    assert comparison.gain is not None
    assert comparison.gain.difference == pytest.approx(0.11)
    assert comparison.gain.spread == pytest.approx(0.03)
    assert comparison.gain.is_beyond_spread


def test_a_difference_within_the_spread_is_not_called_a_gain() -> None:
    """70 ± 3 against 68 ± 3 shows nothing; nor does a loss of the same size."""
    high = [make_run(seed, value) for seed, value in enumerate((0.67, 0.70, 0.73))]
    low = [make_run(s, v, initialization="random") for s, v in enumerate((0.65, 0.68, 0.71))]
    gain = compare(high + low).gain
    assert gain is not None and not gain.is_beyond_spread


def test_single_runs_have_no_spread_to_be_beyond() -> None:
    """With one seed a large difference is shown, but not called larger than a spread."""
    gain = compare([make_run(1, 0.9), make_run(1, 0.5, initialization="random")]).gain
    assert gain is not None and gain.spread is None and not gain.is_beyond_spread


def test_one_start_alone_has_no_gain() -> None:
    """Without runs from random weights nothing is compared."""
    assert compare([make_run(1, 0.9), make_run(2, 0.8)]).gain is None


def test_collapsed_runs_are_counted_and_kept() -> None:
    """A run that answers the same for everything stays in the mean and is told."""
    start = compare([make_run(1, 0.8), make_run(2, 0.5, constant=True)]).starts[0]
    assert start.collapsed == 1 and start.summaries["accuracy"].min == 0.5


@given(st.randoms())
def test_the_order_of_runs_does_not_matter(shuffler: random.Random) -> None:
    """Any order gives the same bytes."""
    runs = [make_run(seed, 0.1 * seed / 3) for seed in range(5)]
    runs += [make_run(seed, 0.1 / (seed + 1), initialization="random") for seed in range(5)]
    shuffled = list(runs)
    shuffler.shuffle(shuffled)
    assert compare(shuffled).model_dump_json() == compare(runs).model_dump_json()
