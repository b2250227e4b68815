"""Label scores against scikit-learn, whose values are the field's."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from bertpipe.metrics import classification

LABELS = ["entailment", "neutral", "contradiction", "never"]


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Gold and predicted labels of the same number; one label of the list never occurs."""
    size = draw(st.integers(1, 30))
    labels = st.lists(st.sampled_from(LABELS[:3]), min_size=size, max_size=size)
    return draw(labels), draw(labels)


@given(answers())
def test_scores_equal_scikit_learn(both: tuple[list[str], list[str]]) -> None:
    """Every score has scikit-learn's value, undefined ones being 0."""
    gold, predicted = both
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where a label never occurs
        expected = [
            sklearn.accuracy_score(gold, predicted),
            sklearn.f1_score(gold, predicted, labels=["neutral"], average="macro", zero_division=0),
            sklearn.f1_score(gold, predicted, labels=LABELS, average="macro", zero_division=0),
            sklearn.matthews_corrcoef(gold, predicted),
        ]
    ours = [
        classification.accuracy(gold, predicted),
        classification.f1(gold, predicted, positive="neutral"),
        classification.macro_f1(gold, predicted, labels=LABELS),
        classification.matthews_correlation(gold, predicted),
    ]
    assert ours == pytest.approx(expected, abs=1e-12)


@given(answers())
def test_confusion_matrix_equals_scikit_learn(both: tuple[list[str], list[str]]) -> None:
    """Rows are gold, columns predicted, in the order of the labels given."""
    gold, predicted = both
    ours = classification.confusion_matrix(gold, predicted, labels=LABELS)
    assert ours.dtype == np.int64
    assert ours.tolist() == sklearn.confusion_matrix(gold, predicted, labels=LABELS).tolist()


def test_matthews_of_many_examples_does_not_overflow() -> None:
    """A hundred thousand perfect answers correlate with exactly 1."""
    gold = ["yes", "no"] * 50_000
    assert classification.matthews_correlation(gold, gold) == 1.0


def test_constant_predictions_score_as_the_majority() -> None:
    """Always saying the most frequent label has the majority accuracy and no correlation."""
    gold = ["yes", "yes", "no"]
    assert classification.majority_accuracy(gold) == classification.accuracy(gold, ["yes"] * 3) == 2 / 3
    assert classification.matthews_correlation(gold, ["yes"] * 3) == 0.0
