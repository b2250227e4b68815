"""Scores of a model as probabilities."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", np.float32, np.float64)


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of each row, float32 ``[N, C]``."""
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = exponents / exponents.sum(axis=1, keepdims=True)
    return shares


def sigmoid(scores: NDArray[F]) -> NDArray[F]:
    """Return the probability of each score, which are log odds, without overflow."""
    shares: NDArray[F] = np.exp(-np.logaddexp(np.float32(0), -scores))
    return shares


def named_shares(labels: Sequence[str], shares: NDArray[np.float32]) -> dict[str, float]:
    """Return a probability for each label, as it is written."""
    return {label: round(float(share), 6) for label, share in zip(labels, shares, strict=True)}
