"""Counts of labels by their names, against scikit-learn."""

import numpy as np
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
def test_confusion_matrix_equals_scikit_learn(both: tuple[list[str], list[str]]) -> None:
    """Rows are gold, columns predicted, in the order of the labels given."""
    gold, predicted = both
    ours = classification.confusion_matrix(gold, predicted, labels=LABELS)
    assert ours.dtype == np.int64
    assert ours.tolist() == sklearn.confusion_matrix(gold, predicted, labels=LABELS).tolist()


def test_the_majority_is_the_best_constant_answer() -> None:
    """Always saying the most frequent label is right so often."""
    assert classification.majority_accuracy(["yes", "yes", "no"]) == 2 / 3
