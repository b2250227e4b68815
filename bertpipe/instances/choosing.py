"""Which tokens of a row to hide: single tokens, whole words, or spans of words.

All rows of a batch are worked on together. A row's choice depends on its own draws only, so it is
the same in any batch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.instances.ragged import ragged

# Positions fill the low bits of the sort keys; shards hold rows of fewer than 2**16 tokens.
_POSITION_BITS = np.uint64(0xFFFF)
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class Places:
    """The tokens of some rows.

    Attributes:
        numbers: what each row is known by, int64 ``[B]``; with a key it decides the draws.
        row_of: the row of each token, int64 ``[T]``.
        position: its position in the row, int64 ``[T]``.
        maskable: false where a token must stay, such as ``[CLS]``, bool ``[T]``.
    """

    numbers: NDArray[np.int64]
    row_of: NDArray[np.int64]
    position: NDArray[np.int64]
    maskable: NDArray[np.bool_]

    @classmethod
    def of(
        cls, lengths: NDArray[np.int64], numbers: NDArray[np.int64], maskable: NDArray[np.bool_]
    ) -> "Places":
        """Return the places of rows of these lengths, which stand one after another."""
        return cls(numbers, *ragged(lengths), maskable)

    def bits(self, key: int, at: NDArray[np.int64] | slice = slice(None)) -> randomness.Bits:
        """Return random bits for some of the tokens, uint64."""
        return randomness.hashed(key, self.numbers[self.row_of[at]], self.position[at])


def choose_tokens(wanted: NDArray[np.int64], places: Places, *, key: int) -> NDArray[np.int64]:
    """Return the places, ``[P]`` in order, of ``wanted`` random maskable tokens of each row.

    A row with fewer of them has all chosen.
    """
    row_of, maskable = places.row_of, places.maskable
    if not len(row_of):
        return row_of
    draws = (places.bits(key) & ~_POSITION_BITS) | places.position.astype(np.uint64)
    ordered = _in_order(draws, row_of, places.position, maskable, rows=len(wanted))
    available = np.bincount(row_of, weights=maskable, minlength=len(wanted)).astype(np.int64)
    count = np.minimum(wanted, available)
    largest = ordered[np.arange(len(wanted)), np.maximum(count, 1) - 1]
    return np.flatnonzero(maskable & (draws <= largest[row_of]) & (count > 0)[row_of])


@dataclass(frozen=True)
class Words:
    """The words of some rows; a token that must stay is one of its own.

    Attributes:
        first: the place of each word's first token, int64 ``[N]``.
        sizes: its tokens, int64 ``[N]``; they add up to T.
        row_of: its row, int64 ``[N]``.
        number: how many words of the row stand before it, int64 ``[N]``.
        maskable: whether it can be hidden, bool ``[N]``.
    """

    first: NDArray[np.int64]
    sizes: NDArray[np.int64]
    row_of: NDArray[np.int64]
    number: NDArray[np.int64]
    maskable: NDArray[np.bool_]

    @classmethod
    def of(cls, places: Places, continues_word: NDArray[np.bool_]) -> "Words":
        """Divide rows into words, which never reach across a special token or the end of a row.

        Args:
            places: the tokens.
            continues_word: whether each belongs to the same word as the one before it, bool ``[T]``.
        """
        begins = ~(continues_word & places.maskable)
        begins[1:] |= ~places.maskable[:-1]
        begins |= places.position == 0
        first = np.flatnonzero(begins)
        row_of = places.row_of[first]
        _, number = ragged(np.bincount(row_of, minlength=len(places.numbers)))
        sizes = np.diff(first, append=len(begins))
        return cls(first, sizes, row_of, number, places.maskable[first])


def choose_words(wanted: NDArray[np.int64], places: Places, words: Words, *, key: int) -> NDArray[np.int64]:
    """Return the places, ``[P]`` in order, of at most ``wanted`` tokens of each row, as whole words.

    Words are tried in a random order; one with more tokens than are still wanted is passed over, as
    in the original code.
    """
    if not len(words.first):
        return words.first
    order, tried = _order(places, words, rows=len(wanted), key=key)
    first_word = np.searchsorted(words.row_of, np.arange(len(wanted)))
    word = np.minimum(first_word[:, None] + order, len(words.first) - 1)
    sizes = np.where(np.arange(order.shape[1]) < tried[:, None], words.sizes[word], 0)
    hidden = np.zeros(len(words.first), dtype=bool)
    hidden[word[_fitting(sizes, wanted)]] = True
    return np.flatnonzero(np.repeat(hidden, words.sizes))


def choose_spans(
    wanted: NDArray[np.int64], places: Places, words: Words, *, key: int, shares: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose at most ``wanted`` tokens of each row, as spans of words (Joshi et al. 2020, section 3.1).

    Words are tried in a random order as beginnings. A span has as many words as drawn; it ends
    earlier before a special token (so it stays in its segment), a word that is hidden already, or
    one that has more tokens than are still wanted.

    Args:
        wanted: most tokens to choose, int64 ``[B]``.
        places: the tokens.
        words: their words.
        key: of the draws.
        shares: of the spans of at most 1, 2, ... words, such as from ``geometric``.

    Returns:
        The places chosen, int64 ``[P]`` in order, and for each the place where its span begins.
    """
    if not len(words.first):
        return words.first, words.first
    order, tried = _order(places, words, rows=len(wanted), key=key)
    lengths = randomness.uniform(places.bits(randomness.key(key, "length"), words.first))
    # A margin with nothing to hide, as wide as a span, keeps each span in its row.
    width = order.shape[1] + len(shares)
    at = words.row_of * width + words.number
    free, drawn, first = np.zeros((3, len(wanted) * width), dtype=np.int64)
    free[at] = np.where(words.maskable, words.sizes, 0)
    drawn[at] = 1 + np.searchsorted(shares[:-1], lengths, side="right")
    first[at] = words.first
    begins = np.arange(len(wanted))[:, None] * width + order
    span_of = np.repeat(_fill(free, drawn, begins, tried, wanted, longest=len(shares))[at], words.sizes)
    chosen = np.flatnonzero(span_of >= 0)
    return chosen, first[span_of[chosen]]


def geometric(p: float, longest: int) -> NDArray[np.float64]:
    """Return the share of spans of at most 1, 2, ..., ``longest`` words, float64 ``[longest]``.

    Geometric with parameter ``p`` among the lengths up to ``longest``: with 0.2 and 10 the mean is
    the 3.8 words of Joshi et al. 2020, section 3.1.
    """
    # Products one after another: a power may differ between processors in its last bit.
    shares = np.multiply.accumulate(np.concatenate([[p], np.full(longest - 1, 1 - p)]))
    below = np.add.accumulate(shares)
    return below / below[-1]


def _fitting(sizes: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which words are hidden when those that still fit are taken in order, bool ``[B, W]``.

    Args:
        sizes: tokens of the words of each row, 0 where there is none, int64 ``[B, W]``.
        wanted: most tokens to take, int64 ``[B]``.
    """
    taken = np.zeros(sizes.shape, dtype=bool)
    rows, left = np.arange(len(wanted)), wanted
    while len(rows):
        # A word that does not fit now never will. Of the others, at least the first is taken.
        sizes = np.where(sizes <= left[:, None], sizes, 0)
        fits = (sizes > 0) & (np.cumsum(sizes, axis=1) <= left[:, None])
        taken[rows] |= fits
        left = left - (sizes * fits).sum(axis=1)
        sizes = np.where(fits, 0, sizes)
        more = sizes.any(axis=1) & (left > 0)
        rows, left, sizes = rows[more], left[more], sizes[more]
    return taken


def _fill(
    free: NDArray[np.int64],
    drawn: NDArray[np.int64],
    begins: NDArray[np.int64],
    tried: NDArray[np.int64],
    wanted: NDArray[np.int64],
    *,
    longest: int,
) -> NDArray[np.int64]:
    """Return for each word the one with which its span begins, -1 where it is not hidden, int64 ``[N]``.

    Args:
        free: tokens of each word that can be hidden, else 0, int64 ``[N]``; set to 0 as it is used up.
        drawn: words of a span that begins there, int64 ``[N]``.
        begins: where the spans of each row begin, in the order in which to try them, int64 ``[B, W]``.
        tried: how many of those to try, int64 ``[B]``.
        wanted: most tokens to hide, int64 ``[B]``.
        longest: most words in a span.
    """
    span_of = np.full(len(free), -1, dtype=np.int64)
    left = wanted.copy()
    within = np.arange(longest)
    for turn in range(int(tried.max(initial=0))):
        rows = np.flatnonzero((left > 0) & (turn < tried))
        if not len(rows):
            break
        begin = begins[rows, turn]
        window = begin[:, None] + within
        sizes = free[window]
        fits = (sizes > 0) & (within < drawn[begin][:, None])
        fits &= np.cumsum(sizes, axis=1) <= left[rows][:, None]
        fits = np.logical_and.accumulate(fits, axis=1)
        hidden = window[fits]
        span_of[hidden] = np.repeat(begin, fits.sum(axis=1))
        free[hidden] = 0
        left[rows] -= (sizes * fits).sum(axis=1)
    return span_of


def _order(
    places: Places, words: Words, *, rows: int, key: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's words in a random order, int64 ``[B, W]``, and how many can be hidden ``[B]``."""
    draws = (places.bits(key, words.first) & ~_POSITION_BITS) | words.number.astype(np.uint64)
    ordered = _in_order(draws, words.row_of, words.number, words.maskable, rows=rows)
    available = np.bincount(words.row_of, weights=words.maskable, minlength=rows).astype(np.int64)
    return (ordered & _POSITION_BITS).astype(np.int64), available


def _in_order(
    draws: randomness.Bits,
    row_of: NDArray[np.int64],
    column: NDArray[np.int64],
    maskable: NDArray[np.bool_],
    *,
    rows: int,
) -> randomness.Bits:
    """Return each row's draws of what can be hidden, smallest first, uint64 ``[rows, W]``.

    They are sorted in a rectangle, which NumPy does several times faster than it sorts by row and
    draw. The column in the low bits keeps equal draws apart.
    """
    rectangle = np.full((rows, int(column.max()) + 1), _LAST)
    rectangle[row_of[maskable], column[maskable]] = draws[maskable]
    rectangle.sort(axis=1)
    return rectangle
