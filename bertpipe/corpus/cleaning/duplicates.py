"""Duplicates among documents: of each, which earlier one it repeats."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertpipe import extras, randomness
from bertpipe.corpus.cleaning.ngrams import Hashes, Ragged

Signatures = NDArray[np.uint32]

_SEED = 1  # of the permutations
_NOTHING = np.uint32(0xFFFFFFFF)  # in a signature: no shingle at all
_FOUND = 0.99  # share of the pairs exactly at the threshold that must meet in a band


def check_library() -> None:
    """Make sure that signatures can be made.

    Raises:
        ConfigError: the library is not installed.
    """
    _library()


def signatures_of(shingles: Ragged, *, permutations: int) -> Signatures:
    """Return the MinHash signature of each text, uint32 ``[texts, permutations]``.

    The share of equal entries of two signatures estimates the share of equal shingles (Jaccard
    similarity; Broder 1997), with a standard deviation of at most ``0.5 / sqrt(permutations)``.
    """
    offsets = shingles.offsets.astype(np.uint64)
    matrix = _library().RMinHash.digest_matrix_from_flat_token_hashes(
        shingles.values, offsets, permutations, _SEED
    )
    return np.array(matrix.to_rows(), dtype=np.uint32).reshape(-1, permutations)


def exact_duplicates(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return for each document the first one that has its hash: itself, or an earlier one.

    Args:
        hashes: 128 bits of each in reading order, uint64 ``[D, 2]``.
    """
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))  # stable, so the first of a run came first
    ordered = hashes[order]
    is_new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(order)]
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[is_new][np.cumsum(is_new) - 1]
    return first


def near_duplicates(signatures: Signatures, *, threshold: float) -> NDArray[np.int64]:
    """Return for each document the first similar one of those that stay: itself, or an earlier one.

    A document stays unless an earlier one that stays is similar, so each that goes has a likeness
    among those that stay. Signatures that agree in a band of entries are compared whole
    (locality-sensitive hashing): few of the similar pairs are missed, and no other is taken.

    Args:
        signatures: in reading order, uint32 ``[D, permutations]``.
        threshold: share of equal entries that makes two documents similar.
    """
    similar = np.arange(len(signatures), dtype=np.int64)
    suspects = _suspects(signatures, threshold)
    buckets = np.stack([*_bands(signatures[suspects], threshold)], axis=1)
    staying: dict[int, list[int]] = {}  # bucket: the documents in it that stay
    for document, row in zip(suspects.tolist(), buckets, strict=True):
        own = row.tolist()
        earlier = sorted({other for bucket in own for other in staying.get(bucket, ())})
        shares = (signatures[earlier] == signatures[document]).mean(axis=1)
        alike = np.flatnonzero(shares >= threshold)
        if len(alike):
            similar[document] = earlier[alike[0]]
        else:
            for bucket in own:
                staying.setdefault(bucket, []).append(document)
    return similar


def _suspects(signatures: Signatures, threshold: float) -> NDArray[np.int64]:
    """Return the documents that share a bucket with another; the rest need no memory in the search."""
    shared = np.zeros(len(signatures), dtype=bool)
    for band in _bands(signatures, threshold):
        _, bucket, sizes = np.unique(band, return_inverse=True, return_counts=True)
        shared |= sizes[bucket] > 1
    suspects = np.flatnonzero(shared)
    # Nothing equals nothing: documents without a word would all be duplicates of the first.
    return suspects[signatures[suspects].min(axis=1, initial=_NOTHING) != _NOTHING]


def _bands(signatures: Signatures, threshold: float) -> Iterator[Hashes]:
    """Yield for each band the bucket of each document, uint64 ``[D]``; no two bands share buckets."""
    permutations = signatures.shape[1]
    rows = rows_in_band(threshold, permutations)
    for start in range(0, permutations - rows + 1, rows):
        columns = [signatures[:, column] for column in range(start, start + rows)]
        yield randomness.hashed(randomness.key(0, "cleaning", "band", start), *columns)


def rows_in_band(threshold: float, permutations: int) -> int:
    """Return how many entries make a band: as many as still let similar pairs meet.

    A pair of similarity s agrees in one of b bands of r entries with probability
    ``1 - (1 - s**r)**b`` (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4).
    """
    for rows in range(permutations, 1, -1):
        if 1 - (1 - threshold**rows) ** (permutations // rows) >= _FOUND:
            return rows
    return 1


def _library() -> Any:
    return extras.load("rensa", extra="cleaning", needed_by="corpus.cleaning.near_duplicates")
