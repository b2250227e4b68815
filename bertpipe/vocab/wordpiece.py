"""WordPiece as BERT has it: a piece inside a word begins with ``##`` (Devlin et al. 2019, section 3)."""

from collections.abc import Mapping

from bertpipe.errors import ConfigError
from bertpipe.vocab.merging import Merges, OnTokens
from bertpipe.vocab.vocabulary import SPECIAL_TOKENS, Vocabulary, choose_alphabet

CONTINUATION = "##"

# Longer words are unknown to WordPiece whatever the vocabulary holds (max_input_chars_per_word).
LONGEST_WORD = 100


def train_wordpiece(
    words: Mapping[str, int],
    *,
    size: int,
    min_frequency: int,
    limit_alphabet: int | None,
    alphabet_coverage: float = 1.0,
    on_tokens: OnTokens | None = None,
) -> Vocabulary:
    """Return the vocabulary that byte-pair merges over these words give.

    A word with a character that is not kept takes no part: WordPiece would not know it anyway.
    With few words the vocabulary is smaller than ``size``: no pair is left that is frequent enough.

    Args:
        words: how often each word occurs; their order does not matter.
        size: number of tokens to stop at, special tokens included.
        min_frequency: how often a pair must occur to be merged.
        limit_alphabet: how many different characters to keep; unset: all.
        alphabet_coverage: share of all characters after which no further ones are kept.
        on_tokens: told how many tokens were added since the last call.

    Raises:
        ConfigError: ``size`` is too small for the alphabet.
    """
    alphabet = choose_alphabet(words, limit=limit_alphabet, coverage=alphabet_coverage)
    known = set(alphabet.kept)
    kept = {
        word: count for word, count in words.items() if len(word) <= LONGEST_WORD and known.issuperset(word)
    }
    inside = sorted({character for word in kept for character in word[1:]})
    tokens = [*SPECIAL_TOKENS, *alphabet.kept, *(CONTINUATION + character for character in inside)]
    if len(tokens) > size:
        raise ConfigError(
            f"vocab.size = {size}: the alphabet alone needs {len(tokens)} "
            f"({len(alphabet.kept)} characters at the start of a word, {len(inside)} inside, "
            f"{len(SPECIAL_TOKENS)} special tokens)",
            hint=f"set vocab.size to {len(tokens)} or more, or vocab.limit_alphabet or "
            "vocab.alphabet_coverage lower",
        )
    merges = Merges(tokens, kept, continuation=CONTINUATION, min_frequency=min_frequency)
    merges.run(size=size, on_tokens=on_tokens)
    return Vocabulary(merges.tokens, alphabet.kept, alphabet.dropped)
