"""A hash table from words to token ids that is asked about millions of words at once.

Text repeats itself: ten million characters of English hold two million words and thirty thousand
different ones. So each different word goes through the tokenizer once, and all others are looked
up here, in NumPy: about twenty times as fast as tokenizing them.

A word is known by 128 bits: for words of up to eight bytes these are the bytes themselves (mixed
by a bijection), for longer ones a hash of which two collide as rarely as two files of the same
sha256 prefix of that length.
"""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Places = NDArray[np.int64]

WORD_BYTES = 8

_FIRST_BITS = 12
_LOW_BYTES = np.array([2 ** (8 * count) - 1 for count in range(WORD_BYTES + 1)], dtype=np.uint64)
_HALF = np.uint64(32)
_HALF_BITS, _LOW_HALF = 32, 2**32 - 1
_ODD = [(np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))]
_ODD += [(np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F))]


def word_keys(text: bytes, starts: Places, lengths: Places) -> tuple[Keys, Keys]:
    """Return two keys for each word, which together tell it from every other.

    Args:
        text: the text, without NUL, followed by at least eight NUL bytes.
        starts: where the words start, int64 ``[W]``.
        lengths: their bytes, at least 1, int64 ``[W]``.
    """
    # All runs of eight bytes, at every place: a view, nothing is copied.
    runs = np.ndarray((len(text) - WORD_BYTES + 1,), dtype="<u8", buffer=text, strides=(1,))
    first = _mixed(runs[starts] & _LOW_BYTES[np.minimum(lengths, WORD_BYTES)], *_ODD[0])
    second = np.zeros_like(first)
    longer = np.flatnonzero(lengths > WORD_BYTES)
    offset = WORD_BYTES
    while len(longer):
        rest = np.minimum(lengths[longer] - offset, WORD_BYTES)
        run = runs[starts[longer] + offset] & _LOW_BYTES[rest]
        second[longer] = _mixed(second[longer] ^ first[longer] ^ run, *_ODD[1])
        first[longer] = _mixed(first[longer] ^ run, *_ODD[0])
        offset += WORD_BYTES
        longer = longer[lengths[longer] > offset]
    return first, second


class WordTable:
    """Token ids of words, by their keys; open addressing with linear probing."""

    def __init__(self) -> None:
        self._first: Keys = np.zeros(0, dtype=np.uint64)
        self._second: Keys = np.zeros(0, dtype=np.uint64)
        self._ids: NDArray[np.uint32] = np.zeros(0, dtype=np.uint32)
        self._spans: Places = np.zeros(0, dtype=np.int64)  # where ids start, and in the low half how many
        self._allocate(_FIRST_BITS)

    def __len__(self) -> int:
        """Number of words."""
        return len(self._first)

    def find(self, first: Keys, second: Keys) -> Places:
        """Return the number of each word, int64 ``[W]``; -1 where it is not known."""
        if not len(self):
            return np.full(len(first), -1, dtype=np.int64)
        slots = self._home(first)
        entries = self._entries.take(slots)
        waiting = np.flatnonzero((entries >= 0) & ~self._is(entries, first, second))
        slots = slots[waiting]
        while len(waiting):
            slots = (slots + 1) & self._mask
            found = self._entries[slots]
            entries[waiting] = found
            elsewhere = (found >= 0) & ~self._is(found, first[waiting], second[waiting])
            waiting, slots = waiting[elsewhere], slots[elsewhere]
        return entries

    def add(self, first: Keys, second: Keys, *, ids: NDArray[np.uint32], counts: Places) -> None:
        """Add different words that are not known yet.

        Args:
            first: their first keys ``[W]``.
            second: their second keys ``[W]``.
            ids: their token ids, one word after another ``[T]``.
            counts: tokens of each, int64 ``[W]``.
        """
        known = len(self)
        starts = len(self._ids) + np.cumsum(counts) - counts
        self._spans = np.concatenate([self._spans, starts << _HALF_BITS | counts])
        self._ids = np.concatenate([self._ids, ids])
        self._first = np.concatenate([self._first, first])
        self._second = np.concatenate([self._second, second])
        if 4 * len(self) > len(self._entries):  # at most a quarter full, so that searches stay short
            self._allocate((4 * len(self)).bit_length())
            known = 0
        self._place(np.arange(known, len(self)))

    def tokens(self, words: Places) -> tuple[NDArray[np.uint32], Places]:
        """Return the ids of words by number, one after another ``[T]``, and how many each has."""
        spans = self._spans.take(words)  # both at once: this is a look-up for each word of the text
        counts = spans & _LOW_HALF
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        places = np.arange(total) + np.repeat((spans >> _HALF_BITS) - ends + counts, counts)
        return self._ids.take(places), counts

    def _allocate(self, bits: int) -> None:
        self._entries: Places = np.full(2**bits, -1, dtype=np.int64)
        self._shift = np.uint64(64 - bits)
        self._mask = 2**bits - 1

    def _home(self, first: Keys) -> Places:
        return (first >> self._shift).astype(np.int64)

    def _is(self, entries: Places, first: Keys, second: Keys) -> NDArray[np.bool_]:
        # ``take`` is faster than an index in brackets. An entry of -1 stands for the last word: no matter.
        return (self._first.take(entries) == first) & (self._second.take(entries) == second)

    def _place(self, entries: Places) -> None:
        slots = self._home(self._first[entries])
        while len(entries):
            free = self._entries[slots] < 0
            self._entries[slots[free]] = entries[free]  # of several for one slot, the last stays
            left = self._entries[slots] != entries
            entries, slots = entries[left], (slots[left] + 1) & self._mask


def _mixed(bits: Keys, odd: np.uint64, other: np.uint64) -> Keys:
    """Return a bijection of 64 bits that spreads them, the high ones most."""
    bits = bits * odd
    bits ^= bits >> _HALF
    bits *= other
    return bits
