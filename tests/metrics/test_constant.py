"""Which predictions speak of a model that has collapsed."""

import pytest

from bertpipe.metrics import is_constant


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("abb", "aaa", True),
        ("abb", "aba", False),
        ("aaa", "aaa", False),
        ("aaa", "bbb", False),
        ("aaa", "aab", False),
    ],
)
def test_one_answer_is_constant_where_several_are_right(gold: str, predicted: str, expected: bool) -> None:
    """On a split of one class a perfect model has nothing else to say."""
    assert is_constant(gold, predicted) == expected
