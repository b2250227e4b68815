import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.corpus.cleaning.duplicates import (
    check_library,
    exact_duplicates,
    near_duplicates,
    rows_in_band,
    signatures_of,
)
from bertpipe.corpus.cleaning.ngrams import Hashes, Ragged
from bertpipe.errors import ConfigError

PERMUTATIONS = 128


def ragged(*texts: Hashes) -> Ragged:
    return Ragged(np.concatenate(texts), np.cumsum([0, *map(len, texts)]))


def shingles(start: int, end: int) -> Hashes:
    """Return made-up shingles: the same number is the same shingle."""
    return np.arange(start, end, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=20))
def test_the_first_of_equal_hashes_stays(hashes: list[tuple[int, int]]) -> None:
    """Each document is told the first with both halves of its hash, itself if there is none before."""
    table = np.array(hashes, dtype=np.uint64).reshape(-1, 2)
    assert exact_duplicates(table).tolist() == [hashes.index(one) for one in hashes]


def test_signatures_estimate_the_share_of_equal_shingles() -> None:
    """Within four standard deviations (Broder 1997), for short and for long texts."""
    pytest.importorskip("rensa")
    for size in (20, 1000):
        for shared in (size // 2, size * 9 // 10):
            first, second = shingles(0, size), shingles(size - shared, 2 * size - shared)
            signatures = signatures_of(ragged(first, second), permutations=1024)
            expected = shared / (2 * size - shared)
            found = (signatures[0] == signatures[1]).mean()
            assert abs(found - expected) < 4 * (expected * (1 - expected) / 1024) ** 0.5


def test_signatures_do_not_depend_on_order_repetition_or_neighbours() -> None:
    """A signature is that of the set of shingles, whatever else is in the same part."""
    pytest.importorskip("rensa")
    one = shingles(0, 300)
    alone = signatures_of(ragged(one), permutations=PERMUTATIONS)[0]
    others = ragged(shingles(5, 9), np.concatenate([one[::-1], one[:7]]), shingles(0, 0))
    assert signatures_of(others, permutations=PERMUTATIONS)[1].tolist() == alone.tolist()


def test_signatures_are_the_same_everywhere() -> None:
    """Values of rensa 0.5.0: with others, other documents of a corpus would stay."""
    pytest.importorskip("rensa")
    values = np.arange(1, 41, dtype=np.uint64)
    signatures = signatures_of(Ragged(values, np.array([0, 1, 40])), permutations=16)
    assert signatures[0, :2].tolist() == [3264571612, 3592674595]
    assert int(signatures.astype(np.uint64).sum()) == 60296097294


def test_each_document_that_goes_has_a_likeness_that_stays() -> None:
    """Of a chain in which only neighbours are similar, every other one goes, not all but the first."""
    pytest.importorskip("rensa")
    chain = [shingles(start, start + 1000) for start in range(0, 600, 60)]  # neighbours: 940 / 1060
    signatures = signatures_of(ragged(*chain), permutations=1024)
    similar = near_duplicates(signatures, threshold=0.85)
    assert similar.tolist() == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]


def test_documents_without_a_word_are_no_duplicates() -> None:
    """Nothing in common is not everything in common."""
    pytest.importorskip("rensa")
    nothing = shingles(0, 0)
    signatures = signatures_of(ragged(nothing, shingles(0, 9), nothing), permutations=PERMUTATIONS)
    assert near_duplicates(signatures, threshold=0.5).tolist() == [0, 1, 2]


@given(st.sampled_from([(4, 0.25), (4, 0.5), (16, 7 / 16)]), st.data())
def test_near_duplicates_are_those_of_comparing_each_with_each(
    shape: tuple[int, float], data: st.DataObject
) -> None:
    """Buckets only save comparisons: where a bucket is one entry none is missed, and none is invented."""
    permutations, threshold = shape
    assert rows_in_band(threshold, permutations) == 1
    entries = st.lists(st.integers(0, 2), min_size=permutations, max_size=permutations)
    rows = data.draw(st.lists(entries, max_size=12))
    signatures = np.array(rows, dtype=np.uint32).reshape(-1, permutations)
    expected: list[int] = []
    for document, row in enumerate(signatures):
        staying = [other for other in range(document) if expected[other] == other]
        alike = [other for other in staying if (signatures[other] == row).mean() >= threshold]
        expected.append(alike[0] if alike else document)
    assert near_duplicates(signatures, threshold=threshold).tolist() == expected


@pytest.mark.parametrize("permutations", [16, 128, 300])
@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.95, 1.0])
def test_pairs_at_the_threshold_meet_in_a_band(threshold: float, permutations: int) -> None:
    """Bands are as long as they may be for 99 in 100 pairs to agree in one of them."""

    def met(rows: int) -> float:
        return 1 - float(1 - threshold**rows) ** (permutations // rows)

    rows = rows_in_band(threshold, permutations)
    assert rows == 1 or met(rows) >= 0.99
    assert rows == permutations or met(rows + 1) < 0.99


def test_a_missing_library_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install; there is no traceback of an import."""
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(ConfigError, match="near_duplicates needs the package rensa") as caught:
        check_library()
    assert caught.value.hint == "pip install 'bertpipe[cleaning]'"
