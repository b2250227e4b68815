"""Token ids of texts and the characters that they stand for, fast: each different word is looked at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bertpipe.vocab.tokenizer import Located, Tokenizer

Numbers = NDArray[np.int64]


def locate(texts: Sequence[str], tokenizer: Tokenizer) -> Located:
    """Return what ``Tokenizer.locate`` returns.

    Where a space always ends a word, what stands between two spaces has the same tokens wherever it stands.
    """
    if not tokenizer.cuts_words_like_bert:
        return tokenizer.locate(texts)
    known: dict[str, int] = {}
    rows = [text.split(" ") for text in texts]
    words = np.array([known.setdefault(word, len(known)) for row in rows for word in row], dtype=np.int64)
    located = tokenizer.locate(list(known))
    sizes = np.fromiter(map(len, known), dtype=np.int64, count=len(known))[words] + 1  # and a space
    word_counts = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    token_counts = located.lengths[words]
    tokens = runs((np.cumsum(located.lengths) - located.lengths)[words], token_counts)
    starts = np.cumsum(sizes) - sizes
    first_words = np.cumsum(word_counts) - word_counts
    starts -= np.repeat(starts[first_words], word_counts)
    lengths = np.add.reduceat(token_counts, first_words) if len(texts) else np.zeros(0, dtype=np.int64)
    offsets = located.offsets[tokens] + np.repeat(starts, token_counts)[:, None]
    return Located(located.ids[tokens], lengths, offsets)


def runs(starts: Numbers, lengths: Numbers) -> Numbers:
    """Return the places of runs, one after another: from each start so many, int64."""
    before = np.cumsum(lengths) - lengths
    places: Numbers = np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
    return places
