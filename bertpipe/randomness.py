"""Random numbers as a function of (seed, purpose, position).

Nothing here has a state that an earlier call could have moved: the number of workers, the order
of calls and what ran before cannot change a draw. Draws are integer hashing, since the
distributions of NumPy's ``Generator`` may change between its versions.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_ALL = 2**64 - 1

# As NumPy's own numbers: to make them anew took as long as to mix a hundred words.
_STEP = np.uint64(_GOLDEN)
_FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)


def key(seed: int, *purpose: str | int) -> int:
    """Return a 128-bit key that names one purpose, such as ``key(seed, "order", epoch)``."""
    text = "\x1f".join([str(seed), *(str(part) for part in purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")


def torch_seed(seed: int, *purpose: str | int) -> int:
    """Return a seed for ``torch.manual_seed``, in ``[0, 2**63)``."""
    return key(seed, *purpose) >> 65


def hashed(key: int, *positions: NDArray[np.integer]) -> Bits:
    """Return 64 random bits for each position: the same bits for the same key and position.

    Args:
        key: from ``key``.
        positions: integer coordinates that broadcast against each other, such as row and token; at
            least one has a dimension.

    Returns:
        Random bits, uint64, of the broadcast shape.
    """
    state = np.uint64(key & 0xFFFFFFFFFFFFFFFF)
    mixed = np.full(np.broadcast_shapes(*(p.shape for p in positions)), state, dtype=np.uint64)
    for position in positions:
        mixed = _mix(mixed + position.astype(np.uint64))
    return _mix(mixed ^ np.uint64(key >> 64))


class Draws:
    """Random bits for many rows at once: a function of the row's state and a number for the purpose.

    This is splitmix64, a generator for each row, of which any output can be had without those
    before it (Steele, Lea and Flood 2014, section 3).
    """

    def __init__(self, states: Bits) -> None:
        """Take the state of each row, such as from ``hashed``, uint64 ``[N]``."""
        self._states = states

    def bits(self, number: int) -> Bits:
        """Return 64 random bits for each row, uint64 ``[N]``; another number, other bits."""
        return _mix(self._states + np.uint64(number * _GOLDEN & _ALL))

    def of(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Draws":
        """Return the draws of some of the rows."""
        return Draws(self._states[rows])

    def fork(self, number: int) -> "Draws":
        """Return draws that have numbers of their own."""
        return Draws(self.bits(number))


def uniform(bits: Bits) -> NDArray[np.float64]:
    """Turn random bits into floats in ``[0, 1)``."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(bits: Bits, bound: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn random bits into integers in ``[0, bound)``.

    Args:
        bits: uint64 ``[N]``.
        bound: at least 1 and at most ``2**32``, for all or for each, int64 ``[N]``.
    """
    bounds = np.asarray(bound)
    assert bounds.min(initial=1) > 0 and bounds.max(initial=1) <= 2**32
    return (((bits >> np.uint64(32)) * bounds.astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


def permuted(indices: NDArray[np.int64], *, size: int, key: int) -> NDArray[np.int64]:
    """Return where a pseudo-random permutation of ``range(size)`` sends ``indices``.

    The permutation is computed, not stored: a four-round Feistel network over the next even
    number of bits, walked until it lands inside the range. Any element costs the same, so a
    run can start in the middle of an epoch.

    Args:
        indices: int64, each in ``[0, size)``.
        size: number of elements of the permutation.
        key: from ``key``; another key is another permutation.

    Returns:
        Their images, int64, of the same shape.
    """
    half = np.uint64(max(1, (max(size - 1, 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    image = indices.astype(np.uint64)
    outside = np.ones(image.shape, dtype=bool)
    while outside.any():
        walking = image[outside]
        left, right = walking >> half, walking & mask
        for turn in range(4):
            left, right = right, left ^ (hashed(key, right, np.asarray(turn)) & mask)
        image[outside] = (left << half) | right
        outside = image >= np.uint64(size)
    return image.astype(np.int64)


def _mix(bits: Bits) -> Bits:
    """Spread every input bit over the word (the finalizer of splitmix64); bits have a dimension at least."""
    bits = bits + _STEP
    bits ^= bits >> _SHIFTS[0]
    bits *= _FACTORS[0]
    bits ^= bits >> _SHIFTS[1]
    bits *= _FACTORS[1]
    bits ^= bits >> _SHIFTS[2]
    return bits
