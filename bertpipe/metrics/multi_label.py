"""Scores of any number of labels an example, as 0 and 1 in a column each.

Where a label is neither in gold nor in predictions its F1 is 0.0, as in scikit-learn.
"""

import numpy as np
from numpy.typing import NDArray

Marks = NDArray[np.bool_]


def subset_accuracy(gold: Marks, predicted: Marks) -> float:
    """Return the share of examples of which every label is right.

    Args:
        gold: the right labels, bool ``[N, C]``.
        predicted: the model's.
    """
    assert gold.shape == predicted.shape and len(gold) > 0
    return float((gold == predicted).all(axis=1).mean())


def micro_f1(gold: Marks, predicted: Marks) -> float:
    """Return the F1 of all decisions together: frequent labels count more."""
    assert gold.shape == predicted.shape and len(gold) > 0
    counted = int(gold.sum() + predicted.sum())
    return 2 * int((gold & predicted).sum()) / counted if counted else 0.0


def macro_f1(gold: Marks, predicted: Marks) -> float:
    """Return the mean of the labels' F1, each label with the same weight."""
    assert gold.shape == predicted.shape and len(gold) > 0
    counted = gold.sum(axis=0) + predicted.sum(axis=0)  # [C]
    return float(np.mean(2 * (gold & predicted).sum(axis=0) / np.maximum(counted, 1)))


def constant_micro_f1(gold: Marks) -> float:
    """Return the micro F1 of the best constant answer: the most frequent labels, however many serve best."""
    assert len(gold) > 0
    found = np.cumsum(np.sort(gold.sum(axis=0))[::-1])  # [C]
    answered = len(gold) * np.arange(1, gold.shape[1] + 1)
    return float((2 * found / (answered + gold.sum())).max())
