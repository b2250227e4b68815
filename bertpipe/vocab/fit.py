"""How a vocabulary fits a text."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bertpipe.vocab.tokenizer import Tokenizer
from bertpipe.vocab.vocabulary import SPECIAL_TOKENS

_EXAMPLES = 20


@dataclass(frozen=True)
class Fit:
    """What a text looks like in pieces of a vocabulary.

    Attributes:
        fertility: tokens for each run of characters between spaces.
        unknown_rate: share of ``[UNK]`` among the tokens.
        unknown_characters: number of different characters that the vocabulary does not know.
        longest_pieces: the longest tokens that occur.
    """

    fertility: float
    unknown_rate: float
    unknown_characters: int
    longest_pieces: list[str]


def measure_fit(
    words: Mapping[str, int], *, runs: int, tokenizer: Tokenizer, alphabet: Collection[str]
) -> Fit:
    """Return how the vocabulary fits counted words.

    Args:
        words: how often each word occurs, normalised and cut.
        runs: number of runs of characters between spaces that they come from.
        tokenizer: has the vocabulary.
        alphabet: the characters that it knows.
    """
    occurring: Counter[int] = Counter()
    for ids, count in zip(tokenizer.ids_of_words(words), words.values(), strict=True):
        for token_id in ids:
            occurring[token_id] += count
    total = occurring.total()
    tokens = tokenizer.tokens
    pieces = [tokens[token_id] for token_id in occurring]
    return Fit(
        fertility=round(total / runs, 6),
        unknown_rate=round(occurring[tokenizer.unk_id] / total, 6),
        unknown_characters=len(set().union(*words).difference(alphabet)),
        longest_pieces=sorted(set(pieces).difference(SPECIAL_TOKENS), key=lambda t: (-len(t), t))[:_EXAMPLES],
    )
