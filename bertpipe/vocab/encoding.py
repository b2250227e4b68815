"""Token ids of much text, fast: each different word goes through the tokenizer once."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bertpipe.vocab.letters import letters_among
from bertpipe.vocab.tokenizer import Encoded, Tokenizer
from bertpipe.vocab.word_encoding import WordEncoder
from bertpipe.vocab.word_table import WORD_BYTES, Places, WordTable, word_keys

# Words that are remembered, at about a hundred bytes each; then it begins anew.
_MOST_WORDS = 2**20
_CHARACTERS_AT_ONCE = 2**20  # what is worked on stays in the processor's cache

_LETTER, _SPACE, _SIGN, _OTHER = range(4)
_NEWLINE = ord("\n")


class Encoder:
    """Gives the ids that the tokenizer gives, and remembers words between calls.

    BERT's pre-tokenizer cuts at white space and around each ASCII sign, and neither it nor the
    normalizer looks across a space. So text is cut at spaces and newlines, and pieces of nothing
    but printable ASCII and plain letters around their signs too; what comes out is a word. Pieces
    with any other character are words as they are: the tokenizer decides about them. A tokenizer
    that works in another way is asked about whole sentences.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._by_word = tokenizer.cuts_words_like_bert
        self._table = WordTable()
        self._words = WordEncoder(tokenizer)

    def encode(self, sentences: Sequence[str]) -> Encoded:
        """Return the ids of each sentence, without special tokens."""
        parts = [self._encode(part) for part in _portions(sentences)]
        if len(parts) == 1:
            return parts[0]
        return Encoded(
            np.concatenate([part.ids for part in parts] or [np.zeros(0, dtype=np.uint32)]),
            np.concatenate([part.lengths for part in parts] or [np.zeros(0, dtype=np.int64)]),
        )

    def _encode(self, sentences: Sequence[str]) -> Encoded:
        text = "\n".join(sentences)
        if not self._by_word or "\0" in text or text.count("\n") != len(sentences) - 1:
            return self.tokenizer.encode(sentences)
        content = text.encode() + b"\n"
        starts, lengths, newlines = _words(content)
        ids, counts = self._ids(content + bytes(WORD_BYTES), starts, lengths)
        token_ends = np.concatenate([[0], np.cumsum(counts)])
        ends = token_ends[np.searchsorted(starts, newlines)]
        return Encoded(ids, np.diff(ends, prepend=0))

    def _ids(self, text: bytes, starts: Places, lengths: Places) -> tuple[NDArray[np.uint32], Places]:
        """Return the ids of all words, and how many each has."""
        keys = word_keys(text, starts, lengths)
        if len(self._table) > _MOST_WORDS:
            self._table = WordTable()
        words = self._table.find(*keys)
        missing = np.flatnonzero(words < 0)
        if len(missing):
            new = missing[_different(keys[0][missing], keys[1][missing])]
            ends = (starts + lengths)[new].tolist()
            encoded = self._words.encode(
                [text[start:end].decode() for start, end in zip(starts[new].tolist(), ends, strict=True)]
            )
            self._table.add(keys[0][new], keys[1][new], ids=encoded.ids, counts=encoded.lengths)
            words[missing] = self._table.find(keys[0][missing], keys[1][missing])
        return self._table.tokens(words)


def _kind_of(byte: int) -> int:
    if byte in b" \n":
        return _SPACE
    if not ord("!") <= byte <= ord("~"):
        return _OTHER
    return _LETTER if chr(byte).isalnum() else _SIGN


_KIND = bytes(map(_kind_of, range(256)))


def _portions(sentences: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut a list of sentences where enough characters have come together."""
    ends = np.cumsum(np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences)))
    start = 0
    while start < len(sentences):
        done = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, done + _CHARACTERS_AT_ONCE, side="right")))
        yield sentences[start:end]
        start = end


def _words(content: bytes) -> tuple[Places, Places, Places]:
    """Cut text, which ends with a newline, into words.

    Returns:
        Where words start and how many bytes they have, int64 ``[W]``, and where newlines are.
    """
    text = np.frombuffer(content, dtype=np.uint8)
    kind = np.frombuffer(bytearray(content).translate(_KIND), dtype=np.uint8)  # twice as fast as an index
    other = np.flatnonzero(kind == _OTHER)
    if len(other):
        kind[letters_among(text, other)] = _LETTER
        other = other[kind[other] == _OTHER]
    space = kind == _SPACE
    inside = kind == _LETTER
    inside = inside[1:] & inside[:-1]  # between two letters
    start, last = ~space, ~space
    start[1:] &= ~inside
    last[:-1] &= ~inside
    if len(other):
        _keep_whole(start, last, other, spaces=np.flatnonzero(space))
    starts = np.flatnonzero(start)
    return starts, np.flatnonzero(last) + 1 - starts, np.flatnonzero(text == _NEWLINE)


def _keep_whole(start: NDArray[np.bool_], last: NDArray[np.bool_], other: Places, *, spaces: Places) -> None:
    """Take back, in place, the cuts inside pieces between spaces that hold one of ``other``."""
    behind = np.unique(np.searchsorted(spaces, other))  # there is always one: the last newline
    begins = np.where(behind > 0, spaces[behind - 1] + 1, 0)
    ends = spaces[behind]
    sizes = ends - begins
    within = np.arange(sizes.sum()) + np.repeat(begins - np.cumsum(sizes) + sizes, sizes)
    start[within] = last[within] = False
    start[begins] = last[ends - 1] = True


def _different(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> Places:
    """Return places that hold each pair of keys once."""
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return order[is_new]
