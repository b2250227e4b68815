"""Labels by their names: how often each was given for each, and what the most frequent one would score."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bertpipe.metrics import confusion

Labels = Sequence[str]


def confusion_matrix(gold: Labels, predicted: Labels, *, labels: Labels) -> NDArray[np.int64]:
    """Count how often each gold label got each prediction.

    Args:
        gold: the right labels.
        predicted: the model's, in the same order.
        labels: every label that can occur, in the order of rows and columns.

    Returns:
        Counts, int64 ``[C, C]``: a row for each gold label, a column for each predicted one.
    """
    assert len(gold) == len(predicted) > 0
    return confusion.count(numbers(gold, labels), numbers(predicted, labels), classes=len(labels))


def numbers(answers: Labels, labels: Labels) -> NDArray[np.int64]:
    """Return the place of each answer among the labels, int64 ``[N]``."""
    number = {label: index for index, label in enumerate(labels)}
    assert len(number) == len(labels)
    return np.fromiter(map(number.__getitem__, answers), dtype=np.int64, count=len(answers))


def majority_accuracy(gold: Labels) -> float:
    """Return the accuracy of the best constant answer: the share of the most frequent label."""
    assert len(gold) > 0
    return float(np.unique(np.asarray(gold), return_counts=True)[1].max() / len(gold))
