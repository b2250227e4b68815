import random
import sys

import pytest

from bertpipe.errors import ConfigError
from bertpipe.vocab import SPECIAL_TOKENS, train_unigram

WORDS = {"▁walking": 9, "▁talking": 9, "▁walked": 8, "▁talked": 8, "▁walks": 3, ".": 30, "ed": 1}


def test_pieces_explain_the_words() -> None:
    """Stems that several words share are found; all characters have a score."""
    found = train_unigram(WORDS, size=40)
    assert found.tokens[:5] == list(SPECIAL_TOKENS)
    assert {"▁walk", "▁talk"} <= set(found.tokens)
    assert set("▁walkingteds.") <= set(found.tokens)
    assert found.alphabet == sorted(set("▁walkingteds."))
    assert len(set(found.tokens)) == len(found.tokens) == len(found.scores) <= 40
    assert all(score < 0 for score in found.scores[5:])


def test_order_of_words_does_not_matter() -> None:
    """Equal counts give the same pieces with the same scores, bit by bit."""
    draw = random.Random(0)
    words = ["▁" + "".join(draw.choices("가나다라마바사", k=draw.randint(1, 7))) for _ in range(400)]
    expected = train_unigram(dict.fromkeys(words, 2), size=120)
    draw.shuffle(words)
    assert train_unigram(dict.fromkeys(words, 2), size=120) == expected
    assert len(expected.tokens) == 120


def test_rare_characters_are_dropped_with_their_words() -> None:
    """Words with a character beyond the limit take no part."""
    found = train_unigram({"▁ab": 9, "▁abab": 5, "▁zb": 1}, size=30, limit_alphabet=3)
    assert found.dropped == {"z": 1}
    assert not any("z" in token for token in found.tokens)


def test_too_small_a_size_says_what_the_alphabet_needs() -> None:
    """The error names the number that would do, and that number does."""
    with pytest.raises(ConfigError, match=r"vocab\.size = 18: the alphabet alone needs 19"):
        train_unigram(WORDS, size=18)
    assert len(train_unigram(WORDS, size=19).tokens) <= 19


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed it learns what to install."""
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ConfigError, match="sentencepiece, which is not installed") as caught:
        train_unigram(WORDS, size=40)
    assert caught.value.hint is not None
    assert "bertpipe[unigram]" in caught.value.hint
