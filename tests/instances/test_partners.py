"""Random next segments come from another document, any of them that is long enough."""

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bertpipe import randomness
from bertpipe.instances.partners import SplitDocuments


def bits(seed: int, count: int) -> randomness.Bits:
    return randomness.hashed(randomness.key(seed, "test"), np.arange(count))


def documents_of(token_counts: list[int]) -> SplitDocuments:
    """Documents with the numbers 10, 13, 16, ..."""
    return SplitDocuments.of(10 + 3 * np.arange(len(token_counts)), np.array(token_counts))


@given(
    st.lists(st.integers(2, 50), min_size=2, max_size=12), st.integers(1, 60), st.integers(0, 1000), st.data()
)
def test_the_partner_is_another_and_long_enough(
    token_counts: list[int], tokens: int, seed: int, data: st.DataObject
) -> None:
    """Never the document itself; one with enough tokens where there is any."""
    position = data.draw(st.integers(0, len(token_counts) - 1))
    drawn = documents_of(token_counts).draw_other(
        bits(seed, 1), places=np.array([position]), tokens=np.array([tokens])
    )
    index = (int(drawn[0]) - 10) // 3
    assert index != position
    others = [count for other, count in enumerate(token_counts) if other != position]
    assert token_counts[index] >= tokens or max(others) < tokens


def test_all_partners_are_as_likely() -> None:
    """Each of the documents that are long enough is drawn as often as another (5 sigma)."""
    documents = documents_of([5, 100, 40, 60, 30, 80])
    drawn = documents.draw_other(bits(3, 6000), places=np.full(6000, 3), tokens=np.full(6000, 35))
    counts = Counter(drawn.tolist())
    assert set(counts) == {13, 16, 25}
    assert all(abs(count - 2000) < 5 * (6000 * 2 / 9) ** 0.5 for count in counts.values())


def test_a_saved_split_is_mapped_as_it_was(tmp_path: Path) -> None:
    """Read after write is identity."""
    documents = documents_of([5, 100, 40])
    documents.save(tmp_path / "train.npy")
    opened = SplitDocuments.open(tmp_path / "train.npy")
    assert opened.numbers.tolist() == [10, 13, 16]
    assert opened.by_length.tolist() == [10, 16, 13]
    assert opened.lengths.tolist() == [5, 40, 100]
    assert opened.ranks.tolist() == [0, 2, 1]
