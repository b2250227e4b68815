"""Scores of predicted labels.

Where a score is undefined (nothing of a label in gold and predictions, or a constant prediction
for Matthews) its value is 0.0, as in scikit-learn: NaN is no JSON.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bertpipe.metrics import confusion

Labels = Sequence[str]


def accuracy(gold: Labels, predicted: Labels) -> float:
    """Return the share of predictions that are right."""
    assert len(gold) == len(predicted) > 0
    return float(np.mean(np.asarray(gold) == np.asarray(predicted)))


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


def f1(gold: Labels, predicted: Labels, *, positive: str) -> float:
    """Return the harmonic mean of precision and recall of one label."""
    is_positive = np.asarray(gold) == positive
    said_positive = np.asarray(predicted) == positive
    counted = int(is_positive.sum() + said_positive.sum())
    return 2 * int((is_positive & said_positive).sum()) / counted if counted else 0.0


def macro_f1(gold: Labels, predicted: Labels, *, labels: Labels) -> float:
    """Return the mean of the labels' F1, each label with the same weight."""
    return confusion.macro_f1(confusion_matrix(gold, predicted, labels=labels))


def matthews_correlation(gold: Labels, predicted: Labels) -> float:
    """Return the correlation of gold and predicted labels, for any number of labels."""
    labels = sorted({*gold, *predicted})
    return confusion.matthews_correlation(confusion_matrix(gold, predicted, labels=labels))


def majority_accuracy(gold: Labels) -> float:
    """Return the accuracy of the best constant answer: the share of the most frequent label."""
    assert len(gold) > 0
    return float(np.unique(np.asarray(gold), return_counts=True)[1].max() / len(gold))
