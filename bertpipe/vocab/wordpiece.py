"""Training a WordPiece vocabulary: byte-pair merges over word counts, the same on every run.

The trainer of ``tokenizers`` breaks ties between pairs by the order of a hash map and gives
another vocabulary each time. Here the ids decide, which begin with the sorted alphabet, so the
result depends on nothing but the counts. Ties apart, the two give the same tokens.
"""

import heapq
import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bertpipe.errors import ConfigError

PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUATION = "##"

# Longer words are unknown to WordPiece whatever the vocabulary holds (max_input_chars_per_word).
LONGEST_WORD = 100

_TOKENS_AT_ONCE = 100  # between two reports


@dataclass(frozen=True)
class WordPieceVocabulary:
    """A trained vocabulary.

    Attributes:
        tokens: by id: special tokens, sorted characters, then merges in the order found.
        alphabet: the characters that were kept, sorted.
        dropped: the characters beyond the limit, the most frequent first.
    """

    tokens: list[str]
    alphabet: list[str]
    dropped: list[str]


def train_wordpiece(
    words: Mapping[str, int],
    *,
    size: int,
    min_frequency: int,
    limit_alphabet: int | None,
    on_tokens: Callable[[int], None] | None = None,
) -> WordPieceVocabulary:
    """Return the vocabulary that byte-pair merges over these words give.

    A word with a character that is not kept takes no part: WordPiece would not know it anyway.
    With few words the vocabulary is smaller than ``size``: no pair is left that is frequent enough.

    Args:
        words: how often each word occurs; their order does not matter.
        size: number of tokens to stop at, special tokens included.
        min_frequency: how often a pair must occur to be merged.
        limit_alphabet: how many different characters to keep; unset: all.
        on_tokens: told how many tokens were added since the last call.

    Raises:
        ConfigError: ``size`` is too small for the alphabet.
    """
    alphabet, dropped = _choose_alphabet(words, limit_alphabet)
    known = set(alphabet)
    kept = {
        word: count for word, count in words.items() if len(word) <= LONGEST_WORD and known.issuperset(word)
    }
    inside = sorted({character for word in kept for character in word[1:]})
    tokens = [*SPECIAL_TOKENS, *alphabet, *(CONTINUATION + character for character in inside)]
    if len(tokens) > size:
        raise ConfigError(
            f"vocab.size = {size}: the alphabet alone needs {len(tokens)} "
            f"({len(alphabet)} characters at the start of a word, {len(inside)} inside, "
            f"{len(SPECIAL_TOKENS)} special tokens)",
            hint=f"set vocab.size to {len(tokens)} or more, or vocab.limit_alphabet lower",
        )
    merges = _Merges(tokens, kept)
    merges.run(size=size, min_frequency=max(1, min_frequency), on_tokens=on_tokens)
    return WordPieceVocabulary(merges.tokens, alphabet, dropped)


def _choose_alphabet(words: Mapping[str, int], limit: int | None) -> tuple[list[str], list[str]]:
    """Return the characters to keep, sorted, and the others by falling frequency."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    limit = len(ranked) if limit is None else limit
    return sorted(ranked[:limit]), ranked[limit:]


class _Merges:
    """Words, the counts of their pairs, and a heap of the pairs.

    A word is kept as a string with one character for each of its tokens, ``chr(token id)``: then a
    merge is one ``str.replace``, and the garbage collector has nothing to walk through.

    Counts are kept up to date by looking only at the words that hold the merged pair. The heap is
    lazy: an entry whose count has changed since it was pushed is put right when it comes up. A
    count grows only for pairs with the token just made, and these are pushed at once, so the first
    entry that is right is the most frequent pair.
    """

    def __init__(self, tokens: list[str], words: Mapping[str, int]) -> None:
        self.tokens = tokens
        self._ids = {token: token_id for token_id, token in enumerate(tokens)}
        self._counts = list(words.values())
        self._words = [self._characters(word) for word in words]
        self._pair_counts: defaultdict[str, int] = defaultdict(int)
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        for index, (word, count) in enumerate(zip(self._words, self._counts, strict=True)):
            for pair in _pairs(word):
                self._pair_counts[pair] += count
                self._holders[pair].append(index)
        self._heap = [self._entry(pair) for pair in self._pair_counts]
        heapq.heapify(self._heap)

    def run(self, *, size: int, min_frequency: int, on_tokens: Callable[[int], None] | None) -> None:
        """Merge the most frequent pair again and again."""
        told = 0
        while len(self.tokens) < size and (pair := self._pop(min_frequency)) is not None:
            self._merge(pair, self._token_of(pair))
            if on_tokens is not None and len(self.tokens) >= told + _TOKENS_AT_ONCE:
                on_tokens(len(self.tokens) - told)
                told = len(self.tokens)
        if on_tokens is not None:
            on_tokens(len(self.tokens) - told)

    def _characters(self, word: str) -> str:
        tokens = [word[0], *(CONTINUATION + character for character in word[1:])]
        return "".join(chr(self._ids[token]) for token in tokens)

    def _entry(self, pair: str) -> tuple[int, str]:
        return -self._pair_counts[pair], pair

    def _pop(self, min_frequency: int) -> str | None:
        """Return the most frequent pair; of several the one of the oldest tokens."""
        while self._heap:
            negative, pair = heapq.heappop(self._heap)
            count = self._pair_counts[pair]
            if count == -negative:
                return pair if count >= min_frequency else None
            if 0 < count < -negative:
                heapq.heappush(self._heap, self._entry(pair))
        return None

    def _token_of(self, pair: str) -> int:
        """Return the id of the joined token: a known one where another pair has made it before."""
        left, right = (self.tokens[ord(character)] for character in pair)
        token = left + right.removeprefix(CONTINUATION)
        if token not in self._ids:
            self._ids[token] = len(self.tokens)
            self.tokens.append(token)
        return self._ids[token]

    def _merge(self, pair: str, token_id: int) -> None:
        """Replace the pair in all words, from the left, and count their pairs anew."""
        merged = chr(token_id)
        grown: set[str] = set()
        for index in self._holders.pop(pair):
            word, count = self._words[index], self._counts[index]
            shorter = word.replace(pair, merged)
            if len(shorter) == len(word):  # noted twice, or gone from this word since
                continue
            for old in _pairs(word):
                self._pair_counts[old] -= count
            for new in _pairs(shorter):
                self._pair_counts[new] += count
                if merged in new:
                    self._holders[new].append(index)
                    grown.add(new)
            self._words[index] = shorter
        for new in grown:
            heapq.heappush(self._heap, self._entry(new))


def _pairs(word: str) -> Iterator[str]:
    return map(operator.add, word, word[1:])
