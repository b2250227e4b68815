from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import ConfigError
from bertpipe.vocab.sampling import DocumentHash, Sizes

SIZES = st.dictionaries(
    st.sampled_from(["en", "ko", "x"]),
    st.dictionaries(st.integers(0, 2**16 - 1), st.integers(1, 50), min_size=1, max_size=40),
    min_size=1,
)


def taken(sizes: Sizes, bounds: dict[str, int]) -> dict[str, int]:
    return {
        group: sum(count for bucket, count in counts.items() if bucket < bounds[group])
        for group, counts in sizes.characters.items()
    }


@given(values=SIZES, budget=st.integers(50, 3000), exponent=st.sampled_from([0.0, 0.7, 1.0]))
def test_a_sample_stays_below_the_budget(
    values: dict[str, dict[int, int]], budget: int, exponent: float
) -> None:
    """It never holds more, holds all where all fits, and its share is that of the characters."""
    sizes = Sizes({group: Counter(counts) for group, counts in values.items()})
    total = sum(counts.total() for counts in sizes.characters.values())
    try:
        sample = sizes.choose(budget, exponent=exponent)
    except ConfigError:
        assert budget < total
        return
    held = sum(taken(sizes, dict(sample.bounds)).values())
    assert held <= budget
    assert sample.share == held / total
    if total <= budget:
        assert held == total


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [
        (1.0, {"big": 900, "small": 90, "tiny": 9}),
        (0.5, {"big": 697, "small": 220, "tiny": 70}),  # the roots are as 95 to 30 to 9.5
        (0.0, {"big": 450, "small": 450, "tiny": 90}),  # tiny is taken whole
    ],
)
def test_small_groups_weigh_as_the_exponent_says(exponent: float, expected: dict[str, int]) -> None:
    """A tenth of the text: by size, by its root, or alike; what a group leaves goes to the others."""
    totals = {"big": 9_000, "small": 900, "tiny": 90}
    sizes = Sizes({group: Counter(range(total)) for group, total in totals.items()})
    found = taken(sizes, dict(sizes.choose(999, exponent=exponent).bounds))
    assert all(expected[group] - 10 <= found[group] <= expected[group] + 10 for group in totals), found


def test_a_budget_below_every_document_is_refused() -> None:
    """The error says how much the smallest sample needs, and that is enough."""
    sizes = Sizes({"": Counter({5: 70, 9: 60})})
    with pytest.raises(ConfigError, match=r"vocab\.max_characters = 59: .* 60 characters"):
        sizes.choose(59, exponent=1.0)


def test_documents_fall_evenly_and_by_content_alone() -> None:
    """A tenth of the buckets holds a tenth of the documents, whatever is held out of them."""
    found = [DocumentHash.of([f"document {number}", "and more"]) for number in range(4000)]
    assert DocumentHash.of(["document 0", "and more"]) == found[0] != DocumentHash.of(["document 0 and more"])
    sample = [one for one in found if one.bucket < 2**16 / 10]
    assert 340 < len(sample) < 460
    assert 0.4 < sum(one.share < 0.5 for one in sample) / len(sample) < 0.6
    assert all(0 <= one.share < 1 for one in found)
