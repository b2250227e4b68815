"""In which order, and under which masks, training sees the rows of a split: functions of a seed.

Places count through all epochs: each epoch is a permutation of all rows, and a row is hidden anew
each time it comes.
"""

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness


def row_numbers(places: NDArray[np.int64], *, rows: int, seed: int) -> NDArray[np.int64]:
    """Return the row at each place, int64 ``[B]``.

    Args:
        places: in the sequence of all epochs, int64 ``[B]``.
        rows: number of rows of the split.
        seed: of the training.
    """
    epochs, within = np.divmod(places, rows)
    numbers = np.empty_like(within)
    for epoch in np.unique(epochs).tolist():
        chosen = epochs == epoch
        key = randomness.key(seed, "order", epoch)
        numbers[chosen] = randomness.permuted(within[chosen], size=rows, key=key)
    return numbers


def mask_key(seed: int) -> int:
    """Return the key of dynamic masks; the place of a row in the sequence is its number."""
    return randomness.key(seed, "masking")
