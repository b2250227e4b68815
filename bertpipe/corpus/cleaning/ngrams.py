"""Words and n-grams of many texts at once, as 64-bit hashes.

All tables (letters, scripts, lower case, NFKC) come from Arrow, whose version is pinned: Python's
own change with Python. The hashes are arithmetic on code points, the same on every machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.corpus.cleaning.settings import Unit

Hashes = NDArray[np.uint64]

_LETTER, _DIGIT, _ALONE, _SPACE = 1, 2, 3, 4  # and 0: everything else
# The later pattern wins. "Alone": a script without spaces between words, where a letter is a word.
_CLASSES = {
    _LETTER: r"[\pL\pM]",
    _DIGIT: r"\pN",
    _ALONE: r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]",
    _SPACE: r"[\s\pZ]",
}
_CODE_POINTS = 0x110000
# What to ask the tables about: planes 4 to 13 are unassigned, 15 and 16 private, surrogates no text.
_ASSIGNED = (range(0xD800), range(0xE000, 0x40000), range(0xE0000, 0xE1000))
_BLOCK_CHARACTERS = 1 << 18  # bounds the memory of the arrays below, whatever the length of a text
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64


@dataclass(frozen=True)
class Ragged:
    """The words, or n-grams, of several texts.

    Attributes:
        values: their hashes, text after text, uint64 ``[N]``.
        offsets: where each text's begin, and ``N``, int64 ``[texts + 1]``.
    """

    values: Hashes
    offsets: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many each text has, int64 ``[texts]``."""
        return np.diff(self.offsets)


def words_of(texts: Sequence[str], unit: Unit) -> Ragged:
    """Return the words of each text, or its characters: letters, marks and digits in lower case.

    Args:
        texts: as they are; NFKC is applied here.
        unit: ``characters`` looks through white space, so loose spacing makes no difference.
    """
    hashes: list[Hashes] = []
    counts = np.zeros(len(texts), dtype=np.int64)
    for block in _blocks(texts):
        values, owners = block.words() if unit == "words" else block.letters()
        hashes.append(values)
        counts += np.bincount(owners, minlength=len(texts))
    return Ragged(np.concatenate([np.zeros(0, np.uint64), *hashes]), _offsets(counts))


def ngrams_of(words: Ragged, n: int, *, short_as_one: bool) -> Ragged:
    """Return the n-grams of each text.

    Args:
        words: from ``words_of``.
        n: words in each.
        short_as_one: a text with fewer words has one n-gram, all of it; else it has none.
    """
    counts = np.maximum(words.counts - (n - 1), np.minimum(words.counts, 1) if short_as_one else 0)
    offsets = _offsets(counts)
    values = np.empty(offsets[-1], dtype=np.uint64)
    for block in range(0, len(values), _BLOCK_CHARACTERS):
        places = np.arange(block, min(block + _BLOCK_CHARACTERS, len(values)))
        texts = np.searchsorted(offsets, places, side="right") - 1
        starts = places - offsets[texts] + words.offsets[texts]
        ends = np.minimum(starts + n, words.offsets[texts + 1])
        run = slice(starts[0], ends[-1])
        values[places] = _hash_runs(
            words.values[run], starts - starts[0], ends - starts[0], key=_key("n-grams")
        )
    return Ragged(values, offsets)


def non_letter_shares(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the share of signs, white space aside, that are neither letter nor mark, float64 ``[texts]``."""
    visible = np.zeros(len(texts), dtype=np.int64)
    letters = np.zeros(len(texts), dtype=np.int64)
    for block in _blocks(texts):
        is_letter = (block.classes == _LETTER) | (block.classes == _ALONE)
        visible += np.bincount(block.owners[block.classes != _SPACE], minlength=len(texts))
        letters += np.bincount(block.owners[is_letter], minlength=len(texts))
    return 1 - letters / np.maximum(visible, 1)


@dataclass(frozen=True)
class _Block:
    """Some texts, or a part of a long one, as arrays with an entry for each code point.

    Attributes:
        codes: the code points, uint32.
        classes: what each is, uint8.
        owners: the number of the text it is from, int64.
    """

    codes: NDArray[np.uint32]
    classes: NDArray[np.uint8]
    owners: NDArray[np.int64]

    def letters(self) -> tuple[Hashes, NDArray[np.int64]]:
        """Return the hash of each letter, mark and digit, and the text it is from."""
        counts = (self.classes != 0) & (self.classes != _SPACE)
        return _tables().hashes[self.codes[counts]], self.owners[counts]

    def words(self) -> tuple[Hashes, NDArray[np.int64]]:
        """Return the hash of each word, and the text it is from."""
        said = self.classes != 0  # other signs vanish: they neither belong to a word nor end one
        classes = self.classes[said]
        is_space = classes == _SPACE
        before = np.concatenate([np.array([_SPACE], np.uint8), classes[:-1]])
        begins = (classes == _ALONE) | (before == _ALONE) | (before == _SPACE)
        letters = _tables().hashes[self.codes[said][~is_space]]
        starts = np.flatnonzero(begins[~is_space])
        ends = np.append(starts[1:], len(letters))
        return _hash_runs(letters, starts, ends, key=_key("words")), self.owners[said][~is_space][starts]


def _blocks(texts: Sequence[str]) -> Iterator[_Block]:
    pieces: list[str] = []
    owners: list[int] = []
    waiting = 0
    for number, text in enumerate(texts):
        for piece in _pieces(text):
            pieces.append(piece)
            owners.append(number)
            waiting += len(piece)
            if waiting >= _BLOCK_CHARACTERS:
                yield _block(pieces, owners)
                pieces, owners, waiting = [], [], 0
    if pieces:
        yield _block(pieces, owners)


def _pieces(text: str) -> Iterator[str]:
    """Cut a long text at spaces, so that no word is cut if there are any."""
    start = 0
    while len(text) - start > _BLOCK_CHARACTERS:
        space = text.rfind(" ", start, start + _BLOCK_CHARACTERS)
        end = space if space > start else start + _BLOCK_CHARACTERS
        yield text[start:end]
        start = end
    yield text[start:]


def _block(pieces: list[str], owners: list[int]) -> _Block:
    import pyarrow.compute as pc  # here, since it takes 0.05 s and most corpora are not cleaned

    plain = [f"{piece} " for piece in pieces]  # the space keeps the words of two texts apart
    others = [number for number, piece in enumerate(plain) if not piece.isascii()]
    normalised = pc.utf8_normalize(pa.array([plain[number] for number in others], pa.string()), form="NFKC")
    for number, piece in zip(others, normalised.to_pylist(), strict=True):
        plain[number] = piece
    codes = np.frombuffer("".join(plain).encode("utf-32-le"), dtype="<u4")
    lengths = np.fromiter(map(len, plain), dtype=np.int64, count=len(plain))
    return _Block(codes, _tables().classes[codes], np.repeat(np.array(owners, dtype=np.int64), lengths))


@dataclass(frozen=True)
class _Tables:
    """What is known of each code point.

    Attributes:
        classes: what it is, uint8 ``[0x110000]``.
        hashes: a hash of its lower-case form, uint64 ``[0x110000]``.
    """

    classes: NDArray[np.uint8]
    hashes: Hashes


@cache
def _tables() -> _Tables:
    import pyarrow.compute as pc

    codes = np.concatenate([np.array(codes, dtype=np.uint32) for codes in _ASSIGNED])
    characters = pa.array(list(codes.astype("<u4").tobytes().decode("utf-32-le")))
    classes = np.zeros(_CODE_POINTS, dtype=np.uint8)
    for kind, pattern in _CLASSES.items():
        matches = pc.match_substring_regex(characters, pattern=pattern)
        classes[codes[matches.to_numpy(zero_copy_only=False)]] = kind
    lower = np.arange(_CODE_POINTS, dtype=np.uint32)
    lower[codes] = np.frombuffer("".join(pc.utf8_lower(characters).to_pylist()).encode("utf-32-le"), "<u4")
    return _Tables(classes, randomness.hashed(_key("letters"), lower))


def _hash_runs(values: Hashes, starts: NDArray[np.int64], ends: NDArray[np.int64], *, key: int) -> Hashes:
    """Return a hash of each run of values: their polynomial modulo 2**64, by differences of prefix sums."""
    sums = np.zeros(len(values) + 1, dtype=np.uint64)
    np.cumsum(values * _powers(_BASE, len(values)), out=sums[1:])
    runs = (sums[ends] - sums[starts]) * _powers(pow(_BASE, -1, 1 << 64), len(values))[starts]
    return randomness.hashed(key, runs)


def _powers(base: int, count: int) -> Hashes:
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors)


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])


@cache
def _key(purpose: str) -> int:
    return randomness.key(0, "cleaning", purpose)
