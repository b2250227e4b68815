"""Letters beyond ASCII that are as plain as those of ASCII: Latin, Cyrillic and Hangul syllables.

Every normalizer that ``Encoder`` knows turns each of them by itself into letters and marks, whatever
stands beside it, and none into a space, a sign or nothing. So words of them can be found in bytes, and
their normal form is that of their characters. Left out are neighbours with which that is not so (the
signs of multiplication and division, letters that NFKC takes apart at a sign).
"""

import re

import numpy as np
from numpy.typing import NDArray

_RANGES = ("À-Ö", "Ø-ö", "ø-ľ", "Ł-ň", "Ŋ-ž", "Ѐ-ѿ", "가-흿")

# Whether a text is one word, of such letters and those and the digits of ASCII.
is_plain_word = re.compile(f"[0-9A-Za-z{''.join(_RANGES)}]+").fullmatch


def _sizes() -> NDArray[np.uint8]:
    sizes = np.zeros(2**16, dtype=np.uint8)
    for first, last in (bounds.split("-") for bounds in _RANGES):
        for code in range(ord(first), ord(last) + 1):
            encoded = chr(code).encode()
            sizes[encoded[0] << 8 | encoded[1]] = len(encoded)
    return sizes


# The bytes of a letter, by its first two as one number; 0 where no such letter begins. All characters
# with the first two bytes of a Hangul syllable in the range are syllables in the range.
_SIZES = _sizes()
_LEAD = 0xC0


def letters_among(text: NDArray[np.uint8], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the bytes of plain letters are, int64 ``[M]``, in no order.

    Args:
        text: UTF-8, ending with a character of ASCII, uint8 ``[N]``.
        other: where its bytes outside of ASCII are, int64 ``[M']``.
    """
    lead = other[text[other] >= _LEAD]
    size = _SIZES[text[lead].astype(np.uint16) << 8 | text[lead + 1]]
    letters = lead[size > 0]
    return np.concatenate([letters, letters + 1, lead[size == 3] + 2])
