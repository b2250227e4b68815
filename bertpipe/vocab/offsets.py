"""Which characters of a text each token stands for."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import tokenizers
from numpy.typing import NDArray

Offsets = NDArray[np.int64]

# What str.isspace() is true for.
_SPACES = np.array([code for code in range(0x3001) if chr(code).isspace()], dtype=np.uint32)


def offsets_in_texts(
    encodings: Sequence[tokenizers.Encoding], lengths: NDArray[np.int64], texts: Sequence[str]
) -> Offsets:
    """Return the first character of each token and the one behind its last, int64 ``[T, 2]``.

    They count characters of the text as it was given, and none begins with a space. What
    the normaliser takes away behind a character (an accent, the other letters of a Hangul syllable
    that is spelled out) belongs to the token before: ``tokenizers`` leaves it out, and an answer
    that ends there would lose it.

    Args:
        encodings: of the texts, by ``tokenizers``.
        lengths: tokens of each, int64 ``[N]``, T together.
        texts: N of them.
    """
    flat = chain.from_iterable(chain.from_iterable(encoding.offsets for encoding in encodings))
    offsets = np.fromiter(flat, dtype=np.int64, count=2 * int(lengths.sum())).reshape(-1, 2)
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    places = np.cumsum(sizes) - sizes  # of each text among all characters
    text_of = np.repeat(np.arange(len(texts)), lengths)
    starts, ends = (offsets + places[text_of, None]).T
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    is_space = np.append(np.isin(codes, _SPACES), True)
    starts = np.minimum(_next(~is_space)[starts], ends)
    behind = np.append(starts[1:], len(codes))  # where the next token begins
    behind = np.minimum(behind, (places + sizes)[text_of])
    ends = np.maximum(ends, np.minimum(behind, _next(is_space)[ends]))
    return np.stack([starts, ends], axis=1) - places[text_of, None]


def _next(is_wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return, for each place, the first one from there on that is wanted; past the end where none is."""
    places = np.where(is_wanted, np.arange(len(is_wanted)), len(is_wanted))
    return np.minimum.accumulate(places[::-1])[::-1]
