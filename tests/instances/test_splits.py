"""Documents are divided by their content."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import CorpusError
from bertpipe.instances.splits import split_documents


def split(
    draws: list[int], *, share: float = 0.2, objective: str = "nsp", usable: list[bool] | None = None
) -> tuple[list[int], list[int]]:
    splits = split_documents(
        np.array(draws, dtype=np.uint64),
        np.array(usable if usable is not None else [True] * len(draws), dtype=bool),
        validation_share=share,
        objective=objective,
    )
    return splits.train.tolist(), splits.validation.tolist()


@given(st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=60, unique=True), st.data())
def test_every_usable_document_is_on_one_side(draws: list[int], data: st.DataObject) -> None:
    """No document is in both splits, none is lost, those without tokens are in none."""
    usable = data.draw(st.lists(st.booleans(), min_size=len(draws), max_size=len(draws)))
    if sum(usable) < 4:
        usable = [True] * len(draws)
    train, validation = split(draws, usable=usable, share=data.draw(st.floats(0.01, 0.99)))
    assert sorted(train + validation) == [number for number, use in enumerate(usable) if use]
    assert min(len(train), len(validation)) >= 2


@given(st.lists(st.sampled_from([11, 2**62, 2**63, 3 * 2**62]), min_size=4, max_size=40))
def test_documents_of_equal_content_are_on_the_same_side(draws: list[int]) -> None:
    """A copy of a training document would make the validation score a lie."""
    try:
        train, validation = split(draws)
    except CorpusError:
        return
    assert not {draws[number] for number in train} & {draws[number] for number in validation}


def test_the_share_is_kept() -> None:
    """About that many documents are held out (4 sigma)."""
    draws = np.random.Philox(key=1).random_raw(20_000).tolist()
    _, validation = split(draws, share=0.05)
    assert abs(len(validation) / 20_000 - 0.05) < 4 * (0.05 * 0.95 / 20_000) ** 0.5


def test_a_document_stays_on_its_side_when_others_come() -> None:
    """The draw of its own content decides, wherever the share is enough."""
    draws = np.random.Philox(key=2).random_raw(500).tolist()
    _, before = split(draws[:300])
    _, after = split(draws)
    assert before == [number for number in after if number < 300]


def test_a_small_corpus_gives_either_side_what_it_needs() -> None:
    """Four documents are enough for pairs, whatever the share."""
    for share in (1e-9, 0.5, 0.999):
        assert split([2**62, 1, 2**61, 2], share=share) == ([0, 2], [1, 3])
    assert split([40, 10], share=1e-9, objective="none") == ([0], [1])


@pytest.mark.parametrize(("draws", "found"), [([1, 2, 3], "found 3 documents"), ([], "found 0 documents")])
def test_too_few_documents_for_pairs(draws: list[int], found: str) -> None:
    """The message says how many there are and how many it takes."""
    with pytest.raises(CorpusError, match=f"{found}.*needed are 4") as caught:
        split(draws)
    assert "prepare.objective" in str(caught.value.hint)


def test_copies_of_one_document_are_too_few() -> None:
    """They cannot be divided, and the message says that they are the same."""
    with pytest.raises(CorpusError, match="9 documents, 1 of them different"):
        split([5] * 9)
