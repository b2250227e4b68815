"""Byte-level BPE as GPT-2 has it: words of bytes, so that no character is unknown.

Radford et al. 2019, section 2.2. A piece at the start of a word begins with the mark of a space.
"""

from collections.abc import Mapping

from tokenizers.pre_tokenizers import ByteLevel

from bertpipe.errors import ConfigError
from bertpipe.vocab.merging import Merges, OnTokens
from bertpipe.vocab.vocabulary import SPECIAL_TOKENS, Vocabulary

SPACE = "Ġ"  # what ByteLevel writes for the byte of a space

# Longer words, in bytes, are no words but data; they teach nothing and cost much.
LONGEST_WORD = 1000


def train_bpe(
    words: Mapping[str, int],
    *,
    size: int,
    min_frequency: int,
    limit_alphabet: int | None = None,
    alphabet_coverage: float = 1.0,
    on_tokens: OnTokens | None = None,
) -> Vocabulary:
    """Return the vocabulary and the merges that these words give.

    With few words the vocabulary is smaller than ``size``: no pair is left that is frequent enough.

    Args:
        words: how often each word occurs, spelled in ``ByteLevel``'s 256 characters.
        size: number of tokens to stop at, special tokens included.
        min_frequency: how often a pair must occur to be merged.
        limit_alphabet: not looked at: the alphabet is the 256 bytes.
        alphabet_coverage: not looked at.
        on_tokens: told how many tokens were added since the last call.

    Raises:
        ConfigError: ``size`` is too small for the bytes.
    """
    alphabet = sorted(ByteLevel.alphabet())
    tokens = [*SPECIAL_TOKENS, *alphabet]
    if len(tokens) > size:
        raise ConfigError(
            f"vocab.size = {size}: the bytes alone need {len(tokens)} ({len(alphabet)} bytes, "
            f"{len(SPECIAL_TOKENS)} special tokens)",
            hint=f"set vocab.size to {len(tokens)} or more",
        )
    kept = {word: count for word, count in words.items() if len(word) <= LONGEST_WORD}
    merges = Merges(tokens, kept, continuation="", min_frequency=min_frequency)
    merges.run(size=size, on_tokens=on_tokens)
    return Vocabulary(merges.tokens, alphabet, merges=merges.pairs)
