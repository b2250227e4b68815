"""Scores from counts: those of a selection of examples equal scikit-learn's on that selection."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from bertpipe.metrics import confusion

LABELS = ["a", "b", "c", "never"]


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    size = draw(st.integers(1, 30))
    numbers = st.lists(st.integers(0, 2), min_size=size, max_size=size)
    return draw(numbers), draw(numbers)


@given(answers())
def test_each_class_has_scikit_learn_s_scores(both: tuple[list[int], list[int]]) -> None:
    """Precision, recall, F1 and support; 0 where nothing was predicted or right."""
    gold, predicted = (np.array(side) for side in both)
    found = confusion.by_class(confusion.count(gold, predicted, classes=4), LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = sklearn.precision_recall_fscore_support(gold, predicted, labels=range(4), zero_division=0)
    for number, label in enumerate(LABELS):
        assert list(found[label]) == ["precision", "recall", "f1", "support"]
        assert list(found[label].values()) == pytest.approx(
            [column[number] for column in expected], abs=1e-12
        )


@given(answers())
def test_scores_of_all_classes_equal_scikit_learn(both: tuple[list[int], list[int]]) -> None:
    """Undefined ones are 0; one class is never given and never right."""
    gold, predicted = (np.array(side) for side in both)
    counts = confusion.count(gold, predicted, classes=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [
            sklearn.f1_score(gold, predicted, labels=[1], average="macro", zero_division=0),
            sklearn.f1_score(gold, predicted, labels=range(4), average="macro", zero_division=0),
            sklearn.matthews_corrcoef(gold, predicted),
        ]
    found = [confusion.f1(counts, 1), confusion.macro_f1(counts), confusion.matthews_correlation(counts)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_matthews_of_many_examples_does_not_overflow() -> None:
    """A hundred thousand perfect answers correlate with exactly 1."""
    assert confusion.matthews_correlation(np.diag([50_000, 50_000])) == 1.0


def test_a_constant_prediction_correlates_with_nothing() -> None:
    """Always saying the most frequent of two labels has its accuracy, and no more."""
    counts = np.array([[2, 0], [1, 0]])
    assert confusion.accuracy(counts) == 2 / 3 and confusion.matthews_correlation(counts) == 0.0


@given(answers())
def test_accuracy_equals_scikit_learn(both: tuple[list[int], list[int]]) -> None:
    """To the bit: both divide the same whole numbers."""
    gold, predicted = (np.array(side) for side in both)
    counts = confusion.count(gold, predicted, classes=4)
    assert confusion.accuracy(counts) == sklearn.accuracy_score(gold, predicted)
