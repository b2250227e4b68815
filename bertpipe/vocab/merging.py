"""Byte-pair merges over counted words, the same on every run (Sennrich et al. 2016, section 3.2).

The trainers of ``tokenizers`` break ties between pairs by the order of a hash map and give another
vocabulary each time. Here the ids decide, which begin with the sorted alphabet, so the result
depends on nothing but the counts. Ties apart, the two give the same tokens.
"""

import heapq
import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

OnTokens = Callable[[int], None]

_TOKENS_AT_ONCE = 100  # between two reports


class Merges:
    """Words, the counts of their pairs, and a heap of the pairs.

    A word is kept as a string with one character for each of its tokens, ``chr(token id)``: then a
    merge is one ``str.replace``, and the garbage collector has nothing to walk through.

    Counts are kept up to date by looking only at the words that hold the merged pair. The heap is
    lazy: an entry whose count has changed since it was pushed is put right when it comes up. A
    count grows only for pairs with the token just made, and these are pushed at once, so the first
    entry that is right is the most frequent pair.
    """

    def __init__(
        self,
        tokens: list[str],
        words: Mapping[str, int],
        *,
        continuation: str,
        min_frequency: int,
    ) -> None:
        """Spell the words with the tokens there are, and count their pairs.

        Args:
            tokens: those that no merge makes, by id.
            words: how often each word occurs; their order does not matter.
            continuation: what the tokens inside a word begin with.
            min_frequency: how often a pair must occur to be merged.
        """
        self.tokens = tokens
        self.pairs: list[tuple[str, str]] = []
        self._continuation = continuation
        self._min_frequency = max(1, min_frequency)
        self._ids = {token: token_id for token_id, token in enumerate(tokens)}
        self._counts = list(words.values())
        first, inside = self._letters(""), self._letters(continuation)
        self._words = [word[0].translate(first) + word[1:].translate(inside) for word in words]
        self._pair_counts: defaultdict[str, int] = defaultdict(int)
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        for word, count in zip(self._words, self._counts, strict=True):
            for pair in _pairs(word):
                self._pair_counts[pair] += count
        self._heap: list[tuple[int, str]] = []
        for pair in self._pair_counts:
            self._push(pair)
        # What is rare now stays so, and need not be found again: in much text these are most pairs.
        frequent = {pair for _, pair in self._heap}
        for index, word in enumerate(self._words):
            for pair in frequent.intersection(_pairs(word)):
                self._holders[pair].append(index)

    def run(self, *, size: int, on_tokens: OnTokens | None) -> None:
        """Merge the most frequent pair again and again.

        Args:
            size: number of tokens to stop at.
            on_tokens: told how many tokens were added since the last call.
        """
        told = 0
        while len(self.tokens) < size and (pair := self._pop()) is not None:
            self._merge(pair, chr(self._token_of(pair)))
            if on_tokens is not None and len(self.tokens) >= told + _TOKENS_AT_ONCE:
                on_tokens(len(self.tokens) - told)
                told = len(self.tokens)
        if on_tokens is not None:
            on_tokens(len(self.tokens) - told)

    def _letters(self, mark: str) -> dict[int, int]:
        """Return for each character the id of the token that it is behind a mark."""
        return {
            ord(token[-1]): token_id
            for token_id, token in enumerate(self.tokens)
            if len(token) == len(mark) + 1 and token.startswith(mark)
        }

    def _push(self, pair: str) -> None:
        count = self._pair_counts[pair]
        if count >= self._min_frequency:
            heapq.heappush(self._heap, (-count, pair))

    def _pop(self) -> str | None:
        """Return the most frequent pair; of several the one of the oldest tokens."""
        while self._heap:
            negative, pair = heapq.heappop(self._heap)
            count = self._pair_counts.get(pair, 0)
            if count == -negative:
                return pair
            if count < -negative:
                self._push(pair)
        return None

    def _token_of(self, pair: str) -> int:
        """Return the id of the joined token: a known one where another pair has made it before."""
        left, right = (self.tokens[ord(character)] for character in pair)
        self.pairs.append((left, right))
        token = left + right.removeprefix(self._continuation)
        if token not in self._ids:
            self._ids[token] = len(self.tokens)
            self.tokens.append(token)
        return self._ids[token]

    def _merge(self, pair: str, merged: str) -> None:
        """Replace the pair in all words, from the left; count its neighbours anew."""
        words = self._words
        lefts: defaultdict[str, list[int]] = defaultdict(list)
        rights: defaultdict[str, list[int]] = defaultdict(list)
        for index in self._holders.pop(pair):
            word = words[index]
            start = word.find(pair)
            if start < 0:  # noted twice, or gone from this word since
                continue
            words[index] = shorter = word.replace(pair, merged)
            if len(shorter) < len(word) - 1:
                self._recount(word, merged, index)
                continue
            if start:
                lefts[word[start - 1]].append(index)
            if start + 2 < len(word):
                rights[word[start + 2]].append(index)
        for left, holders in lefts.items():
            self._move(left + pair[0], left + merged, holders)
        for right, holders in rights.items():
            self._move(pair[1] + right, merged + right, holders)
        del self._pair_counts[pair]

    def _recount(self, word: str, merged: str, index: int) -> None:
        """Count the pairs of a word that held the merged pair more than once."""
        for old in _pairs(word):
            self._pair_counts[old] -= self._counts[index]
        for new in _pairs(self._words[index]):
            if merged in new:
                self._move(None, new, [index])
            else:
                self._pair_counts[new] += self._counts[index]

    def _move(self, old: str | None, new: str, holders: list[int]) -> None:
        """Count another pair for one that has become it in some words."""
        count = sum(map(self._counts.__getitem__, holders))
        if old is not None:
            self._pair_counts[old] -= count
        self._pair_counts[new] += count
        self._holders[new] += holders
        self._push(new)


def _pairs(word: str) -> Iterator[str]:
    return map(operator.add, word, word[1:])
