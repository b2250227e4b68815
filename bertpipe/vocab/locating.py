"""Token ids of texts and the characters that they stand for, fast: each different word is looked at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bertpipe.vocab.tokenizer import Located, Tokenizer

Numbers = NDArray[np.int64]

_WORDS_AT_ONCE = 1024  # a call for each word would cost more than its tokens


def locate(texts: Sequence[str], tokenizer: Tokenizer) -> Located:
    """Return what ``Tokenizer.locate`` returns.

    Where a space always ends a word, what stands between two spaces has the same tokens wherever it stands.
    """
    if not tokenizer.cuts_words_like_bert or not texts:
        return tokenizer.locate(texts)
    known: dict[str, int] = {}
    rows = [text.split(" ") for text in texts]
    words = np.array([known.setdefault(word, len(known)) for row in rows for word in row], dtype=np.int64)
    located, sizes = _words(list(known), tokenizer)
    word_counts = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    first_words = np.cumsum(word_counts) - word_counts
    starts = _starts(sizes[words])
    starts -= np.repeat(starts[first_words], word_counts)
    token_counts = located.lengths[words]
    tokens = runs(_begins(located.lengths)[words], token_counts)
    offsets = located.offsets[tokens] + np.repeat(starts, token_counts)[:, None]
    return Located(located.ids[tokens], np.add.reduceat(token_counts, first_words), offsets)


def _words(words: Sequence[str], tokenizer: Tokenizer) -> tuple[Located, Numbers]:
    """Return the tokens of each word, and its characters; they are looked at in lines of many words."""
    sizes = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    lines = [words[start : start + _WORDS_AT_ONCE] for start in range(0, len(words), _WORDS_AT_ONCE)]
    located = tokenizer.locate([" ".join(line) for line in lines])
    starts = _starts(sizes)  # as if all lines were one
    line_starts = np.repeat(starts[::_WORDS_AT_ONCE], located.lengths)
    offsets = located.offsets + line_starts[:, None]
    word_of = np.searchsorted(starts, offsets[:, 0], side="right") - 1
    lengths = np.bincount(word_of, minlength=len(words))
    return Located(located.ids, lengths, offsets - starts[word_of, None]), sizes


def _starts(sizes: Numbers) -> Numbers:
    """Return where each word starts, with a space after each."""
    return _begins(sizes + 1)


def _begins(lengths: Numbers) -> Numbers:
    begins: Numbers = np.cumsum(lengths) - lengths
    return begins


def runs(starts: Numbers, lengths: Numbers) -> Numbers:
    """Return the places of runs, one after another: from each start so many, int64."""
    places: Numbers = np.repeat(starts - _begins(lengths), lengths) + np.arange(int(lengths.sum()))
    return places
