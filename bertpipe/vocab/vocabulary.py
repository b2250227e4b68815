"""What training a subword vocabulary gives, and the tokens that every vocabulary begins with."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_UNUSED = "[unused{}]"


@dataclass(frozen=True)
class Vocabulary:
    """A trained vocabulary.

    Attributes:
        tokens: by id: special tokens, sorted characters, then what training found.
        alphabet: the characters that it knows, sorted.
        dropped: how often each other character occurs, the most frequent first; a word with one of
            them is unknown.
        merges: the pairs of tokens that are joined, first things first, where encoding needs them.
        scores: log probability of each token, where encoding needs it.
        unused: number of tokens at the end that stand for nothing.
    """

    tokens: list[str]
    alphabet: list[str]
    dropped: dict[str, int] = field(default_factory=dict)
    merges: list[tuple[str, str]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    unused: int = 0

    def padded(self, multiple: int | None) -> "Vocabulary":
        """Return it with ``[unused0]`` and so on added, up to the next multiple.

        No text is cut into such tokens: signs are words of their own. They fill the embedding
        matrix to a size that suits the hardware, or wait for words of your own, as in BERT.
        """
        missing = -len(self.tokens) % multiple if multiple is not None else 0
        unused = [_UNUSED.format(number) for number in range(missing)]
        scores = self.scores + [min(self.scores)] * missing if self.scores else []
        return replace(self, tokens=self.tokens + unused, scores=scores, unused=missing)


@dataclass(frozen=True)
class Alphabet:
    """The characters of a text: those to keep, sorted, and how often the others occur."""

    kept: list[str]
    dropped: dict[str, int]


def choose_alphabet(words: Mapping[str, int], *, limit: int | None, coverage: float) -> Alphabet:
    """Keep the most frequent characters; of several that are as frequent, the first by code point.

    Args:
        words: how often each word occurs.
        limit: how many different characters to keep at most; unset: all.
        coverage: keep no more than it takes to make up this share of all characters.
    """
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    kept, covered, wanted = 0, 0, coverage * counts.total()
    while kept < len(ranked[:limit]) and covered < wanted:
        covered += counts[ranked[kept]]
        kept += 1
    return Alphabet(sorted(ranked[:kept]), {character: counts[character] for character in ranked[kept:]})
