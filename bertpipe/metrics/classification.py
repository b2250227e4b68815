"""Scores of predicted labels.

Where a score is undefined (nothing of a label in gold and predictions, or a constant prediction
for Matthews) its value is 0.0, as in scikit-learn: NaN is no JSON.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
    number = {label: index for index, label in enumerate(labels)}
    assert len(number) == len(labels)
    cells = np.array([number[g] * len(labels) + number[p] for g, p in zip(gold, predicted, strict=True)])
    return np.bincount(cells, minlength=len(labels) ** 2).reshape(len(labels), len(labels)).astype(np.int64)


def f1(gold: Labels, predicted: Labels, *, positive: str) -> float:
    """Return the harmonic mean of precision and recall of one label."""
    is_positive = np.asarray(gold) == positive
    said_positive = np.asarray(predicted) == positive
    counted = int(is_positive.sum() + said_positive.sum())
    return 2 * int((is_positive & said_positive).sum()) / counted if counted else 0.0


def macro_f1(gold: Labels, predicted: Labels, *, labels: Labels) -> float:
    """Return the mean of the labels' F1, each label with the same weight."""
    counts = confusion_matrix(gold, predicted, labels=labels)
    counted = counts.sum(axis=0) + counts.sum(axis=1)  # [C]
    return float(np.mean(2 * np.diagonal(counts) / np.maximum(counted, 1)))


def matthews_correlation(gold: Labels, predicted: Labels) -> float:
    """Return the correlation of gold and predicted labels, for any number of labels.

    Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation
    coefficient"; for two labels it is Matthews' coefficient, which GLUE takes for CoLA.
    """
    counts = confusion_matrix(gold, predicted, labels=sorted({*gold, *predicted}))
    is_gold, is_predicted = counts.sum(axis=1), counts.sum(axis=0)  # [C]
    n = int(counts.sum())
    covariance = int(np.trace(counts)) * n - int(is_gold @ is_predicted)
    spread_gold = n * n - int(is_gold @ is_gold)
    spread_predicted = n * n - int(is_predicted @ is_predicted)
    # Python's integers: the product of the spreads passes 2**63 at some ten thousand examples.
    return covariance / (spread_gold * spread_predicted) ** 0.5 if spread_gold and spread_predicted else 0.0


def majority_accuracy(gold: Labels) -> float:
    """Return the accuracy of the best constant answer: the share of the most frequent label."""
    assert len(gold) > 0
    return float(np.unique(np.asarray(gold), return_counts=True)[1].max() / len(gold))


def is_constant(predicted: Labels) -> bool:
    """Tell whether every prediction is the same: a model that has collapsed."""
    return len(set(predicted)) <= 1
