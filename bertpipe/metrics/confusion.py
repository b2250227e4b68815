"""Scores of labels from how often each was given for each: counts, int64 ``[C, C]``, a row a gold label.

Where a score is undefined (nothing of a label in gold and predictions, or a constant prediction
for Matthews) its value is 0.0, as in scikit-learn: NaN is no JSON.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Numbers = NDArray[np.int64]


def count(gold: Numbers, predicted: Numbers, *, classes: int) -> Counts:
    """Return the counts of labels that are given by their numbers, each int64 ``[N]``."""
    return np.bincount(gold * classes + predicted, minlength=classes**2).reshape(classes, classes)


def accuracy(counts: Counts) -> float:
    """Return the share of predictions that are right."""
    return int(np.trace(counts)) / int(counts.sum())


def f1(counts: Counts, label: int) -> float:
    """Return the harmonic mean of precision and recall of one label."""
    counted = int(counts[label].sum() + counts[:, label].sum())
    return 2 * int(counts[label, label]) / counted if counted else 0.0


def macro_f1(counts: Counts) -> float:
    """Return the mean of the labels' F1, each label with the same weight."""
    counted = counts.sum(axis=0) + counts.sum(axis=1)  # [C]
    return float(np.mean(2 * np.diagonal(counts) / np.maximum(counted, 1)))


def matthews_correlation(counts: Counts) -> float:
    """Return the correlation of gold and predicted labels, for any number of labels.

    Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation
    coefficient"; for two labels it is Matthews' coefficient, which GLUE takes for CoLA.
    """
    is_gold, is_predicted = counts.sum(axis=1), counts.sum(axis=0)  # [C]
    n = int(counts.sum())
    covariance = int(np.trace(counts)) * n - int(is_gold @ is_predicted)
    spread_gold = n * n - int(is_gold @ is_gold)
    spread_predicted = n * n - int(is_predicted @ is_predicted)
    # Python's integers: the product of the spreads passes 2**63 at some ten thousand examples.
    return covariance / (spread_gold * spread_predicted) ** 0.5 if spread_gold and spread_predicted else 0.0


def by_class(counts: Counts, labels: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """Return precision, recall, F1 and support (how often it is right) of each label."""
    right, is_gold, is_predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    return {
        label: {
            "precision": int(right[number]) / max(int(is_predicted[number]), 1),
            "recall": int(right[number]) / max(int(is_gold[number]), 1),
            "f1": f1(counts, number),
            "support": int(is_gold[number]),
        }
        for number, label in enumerate(labels)
    }
