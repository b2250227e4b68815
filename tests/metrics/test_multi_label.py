"""Scores of sets of labels, against scikit-learn."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import accuracy_score, f1_score

from bertpipe.metrics import multi_label

MARKS = st.tuples(st.integers(1, 12), st.integers(2, 5)).flatmap(
    lambda shape: st.tuples(arrays.arrays(np.bool_, shape), arrays.arrays(np.bool_, shape))
)


@given(MARKS)
def test_scores_are_those_of_scikit_learn(marks: Any) -> None:
    """Also where a label, or an example, has nothing in gold or in the predictions."""
    gold, predicted = marks
    expected = {
        "micro_f1": f1_score(gold, predicted, average="micro", zero_division=0.0),
        "macro_f1": f1_score(gold, predicted, average="macro", zero_division=0.0),
        "subset_accuracy": accuracy_score(gold, predicted),
    }
    assert {name: getattr(multi_label, name)(gold, predicted) for name in expected} == pytest.approx(expected)


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 8), st.integers(2, 4))))
def test_no_constant_answer_is_better_than_the_best(gold: Any) -> None:
    """Tried out: each set of labels as the answer to everything."""
    columns = gold.shape[1]
    answers = [[bool(number >> column & 1) for column in range(columns)] for number in range(2**columns)]
    scores = [multi_label.micro_f1(gold, np.tile(answer, (len(gold), 1))) for answer in answers]
    assert multi_label.constant_micro_f1(gold) == pytest.approx(max(scores))
