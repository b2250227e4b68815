"""How far probabilities can be believed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from bertpipe.metrics import calibrate


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Probabilities of three labels, and the right ones."""
    size = draw(st.integers(1, 40))
    weights = draw(arrays.arrays(np.float64, (size, 3), elements=st.floats(0.01, 1)))
    gold = draw(arrays.arrays(np.int64, size, elements=st.integers(0, 2)))
    return weights / weights.sum(axis=1, keepdims=True), gold


def test_ece_by_hand() -> None:
    """Four answers in two bins of ten.

    Of 0.75 and 0.79, one is right: |0.77 - 0.5| = 0.27; 0.95 and 0.93 are both right: |0.94 - 1| = 0.06; half
    of the answers each: 0.165. Brier: (0.125 + 1.2482 + 0.005 + 0.0098) / 4 = 0.347.
    """
    shares = np.array([[0.75, 0.25], [0.21, 0.79], [0.95, 0.05], [0.07, 0.93]])
    found = calibrate(shares, np.array([0, 0, 0, 1]), bins=10)
    assert found.expected_calibration_error == pytest.approx(0.165)
    assert found.brier_score == pytest.approx(0.347)
    assert [(part.lower, part.upper, part.count) for part in found.bins] == [(0.7, 0.8, 2), (0.9, 1.0, 2)]
    assert [part.confidence for part in found.bins] == pytest.approx([0.77, 0.94])
    assert [part.accuracy for part in found.bins] == [0.5, 1.0]


@given(answers())
def test_bins_and_brier_score_are_scikit_learn_s(
    both: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]],
) -> None:
    """The bins that hold answers have its confidence and accuracy, and its Brier score is half of ours.

    Half, since the original sums over all labels, and scikit-learn halves that sum for its default.
    """
    shares, gold = both
    found = calibrate(shares, gold)
    is_right = shares.argmax(axis=1) == gold
    if len(set(is_right.tolist())) == 2:  # it wants both classes
        accuracy, confidence = calibration_curve(is_right, shares.max(axis=1), n_bins=15)
        assert [part.accuracy for part in found.bins] == pytest.approx(accuracy)
        assert [part.confidence for part in found.bins] == pytest.approx(confidence)
    expected = brier_score_loss(gold, shares, labels=[0, 1, 2], scale_by_half=False)
    assert found.brier_score == pytest.approx(expected, abs=1e-12)
    assert sum(part.count for part in found.bins) == len(gold)


def test_sure_and_right_is_perfect_and_sure_and_wrong_the_worst() -> None:
    """0 and 0; 1 and 2."""
    shares = np.eye(2)
    right, wrong = calibrate(shares, np.array([0, 1])), calibrate(shares, np.array([1, 0]))
    assert (right.expected_calibration_error, right.brier_score) == (0.0, 0.0)
    assert (wrong.expected_calibration_error, wrong.brier_score) == (1.0, 2.0)
