"""How often each word occurs, counted fast and exactly.

White space in its narrowest sense (space, newline) always ends a word for every normalizer and
pre-tokenizer of ours, and none looks across it. So text is cut there first, and only the different
pieces go through them; those that occur equally often go together, with spaces between.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from zlib import crc32

import numpy as np
import pyarrow as pa

from bertpipe.vocab.algorithms import Algorithm
from bertpipe.vocab.normalization import NormalizationConfig, normalizer

_PIECES_AT_ONCE = 10_000
_CHARACTERS_AT_ONCE = 2**24
_ROWS_AT_ONCE = 2**18  # to sum up


class PieceCounts:
    """How often each run of characters between spaces and newlines occurs.

    Kept in Arrow tables, which take a fifth of a dictionary's memory and go to another process as
    they are; a piece may stand in several rows until they are summed up.
    """

    def __init__(self) -> None:
        """Count nothing yet."""
        self._tables: list[pa.Table] = []
        self._rows = 0
        self._summed_rows = 0

    def __len__(self) -> int:
        """Number of different pieces."""
        self._sum_up()
        return self._rows

    def count(self, text: str) -> None:
        """Count the pieces of a text."""
        import pyarrow.compute as pc  # here, since it takes 0.05 s and who only encodes does not need it

        runs = pc.split_pattern(pa.array([text.replace("\n", " ")], pa.large_string()), " ").values
        found = pc.value_counts(runs.filter(pc.not_equal(runs, "")))
        self._append(pa.table({"piece": found.field("values"), "count": found.field("counts")}))

    def add(self, other: "PieceCounts") -> None:
        """Count what was counted elsewhere too."""
        for table in other._tables:
            self._append(table)

    def by_piece(self, *, limit: int | None = None) -> dict[str, int]:
        """Return the count of each piece, or of the most frequent ones.

        Args:
            limit: how many pieces at most; of those that are equally rare, a hash of the piece decides.
        """
        self._sum_up()
        if not self._rows:
            return {}
        table = self._tables[0]
        if limit is not None and limit < self._rows:
            table = table.filter(_most_frequent(table, limit))
        return dict(zip(table["piece"].to_pylist(), table["count"].to_pylist(), strict=True))

    def _append(self, table: pa.Table) -> None:
        self._tables.append(table)
        self._rows += len(table)
        # At least as many new rows as old ones, so that each row is summed up a few times at most.
        if self._rows > 2 * self._summed_rows + _ROWS_AT_ONCE:
            self._sum_up()

    def _sum_up(self) -> None:
        if len(self._tables) > 1:
            rows = pa.concat_tables(self._tables).combine_chunks()
            encoded = rows["piece"].combine_chunks().dictionary_encode()
            counts = np.zeros(len(encoded.dictionary), dtype=np.int64)
            np.add.at(counts, encoded.indices.to_numpy(), rows["count"].to_numpy())
            self._tables = [pa.table({"piece": encoded.dictionary, "count": counts})]
            self._rows = len(counts)
        self._summed_rows = self._rows


def _most_frequent(table: pa.Table, limit: int) -> pa.Array:
    """Return whether to keep each row, bool ``[N]``, for at most so many of the ``N``."""
    counts = table["count"].to_numpy()
    rarest = np.partition(counts, len(counts) - limit - 1)[len(counts) - limit - 1]
    keep = counts > rarest
    tied = np.flatnonzero(counts == rarest)
    pieces = table["piece"].take(pa.array(tied))
    hashes = np.fromiter((crc32(piece.as_py().encode()) for piece in pieces), np.uint32, count=len(tied))
    keep[tied[hashes < np.partition(hashes, limit - keep.sum())[limit - keep.sum()]]] = True
    return pa.array(keep)


def count_pieces(texts: Iterable[str]) -> PieceCounts:
    """Return how often each run of characters between spaces and newlines occurs."""
    pieces = PieceCounts()
    for text in _joined(texts):
        pieces.count(text)
    return pieces


def count_words(pieces: Mapping[str, int], algorithm: Algorithm, config: NormalizationConfig) -> Counter[str]:
    """Return how often each word occurs once text is normalised and cut.

    Args:
        pieces: how often each piece occurs, as from ``PieceCounts.by_piece``.
        algorithm: says what a word is.
        config: what happens to the text before.
    """
    words: Counter[str] = Counter()
    words_of = _splitter(algorithm, config)
    plain_words_of = _plain_splitter(algorithm, config) or words_of
    plain = [piece for piece in pieces if piece.isascii() and piece.isprintable()]
    for count, text in _by_count(plain, pieces):
        for word, times in Counter(plain_words_of(text)).items():
            words[word] += count * times
    for count, text in _by_count(pieces.keys() - set(plain), pieces):
        for word in words_of(text):
            words[word] += count
    return words


def _splitter(algorithm: Algorithm, config: NormalizationConfig) -> Callable[[str], list[str]]:
    """Return the function that gives the words of a text."""
    normalize = normalizer(config).normalize_str
    pre_tokenize = algorithm.pre_tokenizer(split_digits=config.split_digits).pre_tokenize_str
    return lambda text: [word for word, _ in pre_tokenize(normalize(text))]


def _plain_splitter(algorithm: Algorithm, config: NormalizationConfig) -> Callable[[str], list[str]] | None:
    """Return the function for printable ASCII, of which normalising changes nothing but the case."""
    if algorithm.ascii_word is None or config.split_digits:
        return None
    find = algorithm.ascii_word.findall
    return (lambda text: find(text.lower())) if config.lowercase else find


def _joined(texts: Iterable[str]) -> Iterator[str]:
    """Yield texts a few at a time, with newlines between."""
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= _CHARACTERS_AT_ONCE:
            yield "\n".join(held)
            held, size = [], 0
    if held:
        yield "\n".join(held)


def _by_count(pieces: Iterable[str], counts: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """Yield pieces that occur equally often, with spaces between, and how often they do."""
    same: defaultdict[int, list[str]] = defaultdict(list)
    for piece in pieces:
        same[counts[piece]].append(piece)
    for count, group in same.items():
        for start in range(0, len(group), _PIECES_AT_ONCE):
            yield count, " ".join(group[start : start + _PIECES_AT_ONCE])
