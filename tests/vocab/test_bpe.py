"""Byte-level BPE, against the trainer of ``tokenizers``."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.trainers import BpeTrainer

from bertpipe.errors import ConfigError
from bertpipe.vocab import SPECIAL_TOKENS, train_bpe

WORDS = st.dictionaries(st.text("Ġabc", min_size=1, max_size=8), st.integers(1, 6), min_size=1, max_size=25)


def reference(words: Mapping[str, int], first: list[str], *, size: int, min_frequency: int) -> list[str]:
    """Train with ``tokenizers``, whose ties are settled by giving it the first ids as special tokens."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = WhitespaceSplit()
    trainer = BpeTrainer(
        vocab_size=size, min_frequency=min_frequency, special_tokens=first, show_progress=False
    )
    tokenizer.train_from_iterator((" ".join([word] * count) for word, count in words.items()), trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


@given(words=WORDS, size=st.integers(261, 320), min_frequency=st.integers(1, 5))
def test_vocabulary_is_that_of_the_reference_trainer(
    words: dict[str, int], size: int, min_frequency: int
) -> None:
    """Same tokens in the same order as ``tokenizers``."""
    ours = train_bpe(words, size=size, min_frequency=min_frequency)
    first = ours.tokens[: len(SPECIAL_TOKENS) + 256]
    assert ours.tokens == reference(words, first, size=size, min_frequency=min_frequency)


def test_merges_are_in_the_order_found() -> None:
    """Worked by hand: bc 9, then a + bc 5; each token but the bytes has the pair that made it."""
    found = train_bpe({"abc": 5, "bc": 4}, size=300, min_frequency=2)
    assert found.merges == [("b", "c"), ("a", "bc")]
    assert found.tokens[261:] == ["bc", "abc"]
    assert found.dropped == {}


def test_too_small_a_size_says_what_the_bytes_need() -> None:
    """The error names the number that would do, and that number does."""
    with pytest.raises(ConfigError, match=r"vocab\.size = 260: the bytes alone need 261"):
        train_bpe({"ab": 2}, size=260, min_frequency=2)
    assert len(train_bpe({"ab": 2}, size=261, min_frequency=2).tokens) == 261


def test_data_in_the_shape_of_a_word_teaches_nothing() -> None:
    """A run of more than 1,000 bytes takes no part."""
    assert train_bpe({"ab" * 501: 9}, size=300, min_frequency=1).merges == []
