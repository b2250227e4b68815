import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.vocab import Vocabulary
from bertpipe.vocab.vocabulary import choose_alphabet

WORDS = {"aab": 50, "ad": 20, "ac": 20, "zz": 1}  # a 140, b 50, c 20, d 20, z 2: 232


@pytest.mark.parametrize(
    ("limit", "coverage", "kept"),
    [
        (None, 1.0, "abcdz"),
        (2, 1.0, "ab"),
        (None, 0.81, "ab"),  # 190 of 232 are 0.819
        (None, 0.82, "abc"),
        (1, 0.82, "a"),
        (None, 0.99, "abcd"),  # 230 of 232 are 0.991
    ],
)
def test_the_alphabet_covers_what_is_asked_for(limit: int | None, coverage: float, kept: str) -> None:
    """Both limits hold; ties go by code point; what is dropped is told with its counts."""
    found = choose_alphabet(WORDS, limit=limit, coverage=coverage)
    assert "".join(found.kept) == kept
    counts = {"a": 140, "b": 50, "c": 20, "d": 20, "z": 2}
    assert found.dropped == {character: counts[character] for character in "abcdz" if character not in kept}


@given(size=st.integers(1, 100), multiple=st.integers(1, 64))
def test_padding_reaches_the_next_multiple(size: int, multiple: int) -> None:
    """Tokens are only added, fewer than the multiple, each with another name, and with scores."""
    tokens = [f"t{number}" for number in range(size)]
    padded = Vocabulary(tokens, [], scores=[-1.0] * size).padded(multiple)
    assert len(padded.tokens) % multiple == 0
    assert len(padded.tokens) - size == padded.unused < multiple
    assert padded.tokens[:size] == tokens
    assert len(set(padded.tokens)) == len(padded.tokens) == len(padded.scores)
    assert padded.tokens[size:] == [f"[unused{number}]" for number in range(padded.unused)]


def test_nothing_is_added_unless_asked_for() -> None:
    """No multiple, no tokens."""
    assert Vocabulary(["a"], []).padded(None) == Vocabulary(["a"], [])
