"""Rows of different lengths that stand one after another."""

import numpy as np
from numpy.typing import NDArray


def ragged(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for rows that stand one after another, the row and the position in it of each token.

    Args:
        lengths: tokens of each row, int64 ``[B]``, T together.

    Returns:
        The row's number and the position in the row, both int64 ``[T]``.
    """
    row_of = np.repeat(np.arange(len(lengths)), lengths)
    starts = np.cumsum(lengths) - lengths
    return row_of, np.arange(len(row_of)) - starts[row_of]
