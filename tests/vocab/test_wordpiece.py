"""WordPiece training, against the trainer of ``tokenizers`` and against counting by hand."""

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.trainers import WordPieceTrainer

from bertpipe.errors import ConfigError
from bertpipe.vocab import SPECIAL_TOKENS, train_wordpiece


def train(
    words: Mapping[str, int], *, size: int = 1000, min_frequency: int = 1, limit_alphabet: int | None = None
) -> list[str]:
    found = train_wordpiece(words, size=size, min_frequency=min_frequency, limit_alphabet=limit_alphabet)
    assert found.tokens[:5] == list(SPECIAL_TOKENS)
    return found.tokens[5:]


def reference(words: Mapping[str, int], first: list[str], *, size: int, min_frequency: int) -> list[str]:
    """Train with ``tokenizers``, whose ties are settled by giving it the first ids as special tokens.

    Otherwise the ids of the alphabet come in the order of a hash map, which decides ties.
    """
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    trainer = WordPieceTrainer(
        vocab_size=size, min_frequency=min_frequency, special_tokens=first, show_progress=False
    )
    tokenizer.train_from_iterator((" ".join([word] * count) for word, count in words.items()), trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


WORDS = st.dictionaries(st.text("abcd", min_size=1, max_size=8), st.integers(1, 6), min_size=1, max_size=25)


@given(words=WORDS, size=st.integers(13, 80), min_frequency=st.integers(1, 5))
def test_vocabulary_is_that_of_the_reference_trainer(
    words: dict[str, int], size: int, min_frequency: int
) -> None:
    """Same tokens in the same order as ``tokenizers``, with runs such as ``aaaa`` and many ties."""
    ours = train_wordpiece(words, size=size, min_frequency=min_frequency, limit_alphabet=None)
    first = [token for token in ours.tokens if token in SPECIAL_TOKENS or len(token.removeprefix("##")) == 1]
    assert ours.tokens == reference(words, first, size=size, min_frequency=min_frequency)


def test_order_of_words_does_not_matter() -> None:
    """Equal counts give equal vocabularies, in whatever order the words were met."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdef", k=draw.randint(1, 7))) for _ in range(300)]
    expected = train(dict.fromkeys(words, 2), size=300)
    draw.shuffle(words)
    assert train(dict.fromkeys(words, 2), size=300) == expected


def test_merges_follow_the_most_frequent_pair() -> None:
    """Worked by hand: lo 7, low 7, then of the pairs that occur 4 times the one of the oldest tokens."""
    words = {"low": 5, "lower": 2, "newest": 4}
    alphabet = list("elnorstw")
    inside = ["##e", "##o", "##r", "##s", "##t", "##w"]
    # lo: 7; low: 7; then e-s, s-t, n-e, e-w, w-e at 4 (w-e: only newest, lower has low + e).
    assert train(words, size=5 + 14 + 3) == [
        "e",
        "l",
        "n",
        "o",
        "r",
        "s",
        "t",
        "w",
        *inside,
        "lo",
        "low",
        "ne",
    ]
    assert alphabet == sorted(set("".join(words)))


def test_a_token_that_two_pairs_give_stands_once() -> None:
    """``abc`` from ab + ##c and from a + ##bc is one entry."""
    tokens = train({"abc": 3, "ab": 9, "xbc": 9, "axbc": 5, "aabc": 4})
    assert len(tokens) == len(set(tokens))
    assert "abc" in tokens


def test_training_stops_exactly_at_the_size() -> None:
    """Any size from the alphabet up is met, and a smaller vocabulary begins a larger one."""
    words = {"banana": 3, "bandana": 2, "ban": 4}
    whole = train(words)
    for size in range(5 + 7, 5 + len(whole) + 1):
        assert train(words, size=size) == whole[: size - 5]


def test_training_stops_where_pairs_become_rare() -> None:
    """A pair below the minimum frequency is not merged, though there is room."""
    words = {"ab": 3, "cd": 2}
    assert train(words, min_frequency=3)[-1] == "ab"
    assert train(words, min_frequency=2)[-2:] == ["ab", "cd"]


def test_rare_characters_are_dropped_with_their_words() -> None:
    """The most frequent characters stay, ties by code point; words with others take no part."""
    words = {"aab": 5, "ad": 2, "ac": 2, "zz": 1}
    found = train_wordpiece(words, size=100, min_frequency=1, limit_alphabet=3)
    assert found.alphabet == ["a", "b", "c"]
    assert found.dropped == {"d": 2, "z": 2}
    assert {"ac", "aab"} <= set(found.tokens)
    assert not any("d" in token or "z" in token for token in found.tokens[5:])


def test_words_too_long_for_the_model_take_no_part() -> None:
    """A word of more than 100 characters is unknown to WordPiece, so it earns no tokens."""
    assert "##bb" not in train({"a" + "b" * 100: 9, "ab": 1})
    assert "##bb" in train({"a" + "b" * 99: 9, "ab": 1})


def test_too_small_a_size_says_what_the_alphabet_needs() -> None:
    """The error names the number that would do, and that number does."""
    words = {"abc": 1, "ca": 1}
    with pytest.raises(ConfigError, match=r"vocab\.size = 10: the alphabet alone needs 11"):
        train(words, size=10)
    assert len(train(words, size=11)) == 6


def test_progress_adds_up_to_the_size() -> None:
    """What is told while merging is the number of tokens at the end."""
    told: list[int] = []
    draw = random.Random(1)
    words = {"".join(draw.choices("abcdefgh", k=8)): 2 for _ in range(200)}
    found = train_wordpiece(words, size=400, min_frequency=1, limit_alphabet=None, on_tokens=told.append)
    assert sum(told) == len(found.tokens)
    assert len(told) > 2
