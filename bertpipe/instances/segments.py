"""Which tokens of which documents become an instance.

The procedure is that of the BERT paper (Devlin et al. 2019, appendix A.2) as in the original
``create_pretraining_data``, with its faults mended:

- The label says what was drawn, a fair coin for each pair. In the original a lone sentence is
  always followed by a random one, so that short documents tip the balance. Here a pair takes two
  sentences where the document has them, and a lone sentence is cut in two: to the paper a
  "sentence" is any span of contiguous text.
- A random next segment is as long as the true one that it replaces. In the original it fills the
  sequence, or stops early where its document ends, so that the length tells the label.
- Each sequence has its own chance to be short, not each document.

Segments are ranges of tokens in the encoded corpus, so all this is arithmetic on the places where
sentences end; no token is touched. It is done for many documents in step: each function makes the
next pair of each, and says from which sentence the one after goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertpipe.randomness import Draws, below, uniform

FOLLOWS = 0
RANDOM_OR_SWAPPED = 1
NOT_ASKED = -100
SHORTEST = 2

Numbers = NDArray[np.int64]
Choice = NDArray[np.bool_]

# What the draws of one step are for.
_IS_SHORT, _SHORT_LENGTH, _LABEL, _SPLIT, _FRONT_OF_FIRST, _FRONT_OF_SECOND, _PARTNER = range(7)


@dataclass(frozen=True)
class Spans:
    """Tokens ``[start, end)`` of a document, for each of N instances; all int64 ``[N]``."""

    document: Numbers
    start: Numbers
    end: Numbers

    @property
    def length(self) -> Numbers:
        """Number of tokens of each, int64 ``[N]``."""
        return self.end - self.start

    def of(self, rows: Choice) -> "Spans":
        """Return some of them."""
        return Spans(self.document[rows], self.start[rows], self.end[rows])

    def replaced(self, rows: Choice, by: "Spans") -> "Spans":
        """Return them with others, one for each True of ``rows``, in their place."""
        replaced = Spans(self.document.copy(), self.start.copy(), self.end.copy())
        replaced.document[rows], replaced.start[rows], replaced.end[rows] = by.document, by.start, by.end
        return replaced


@dataclass(frozen=True)
class Pairs:
    """Two segments of each of N instances, before they are shortened to fit.

    Attributes:
        first: the first segments.
        second: the second ones; empty where there is none.
        labels: the next sentence labels, int64 ``[N]``.
        cut: whether both come, or would have come, from one sentence, bool ``[N]``.
    """

    first: Spans
    second: Spans
    labels: Numbers
    cut: Choice


@dataclass(frozen=True)
class Documents:
    """N documents, and where in each of them the next pair starts.

    Attributes:
        number: of the document, int64 ``[N]``.
        position: the number of the sentence, or with single segments of the token, where the next
            pair starts, int64 ``[N]``.
        end: the sentence, or the token, behind the document, int64 ``[N]``.
    """

    number: Numbers
    position: Numbers
    end: Numbers


@dataclass(frozen=True)
class Lengths:
    """How long an instance is meant to be.

    Attributes:
        max_tokens: room for both segments.
        short_seq_prob: share of the instances that are shorter on purpose.
    """

    max_tokens: int
    short_seq_prob: float


# Given draws, the rows of the documents and the numbers of tokens wanted: spans of other documents.
RandomNext = Callable[[Draws, Choice, Numbers], Spans]


def target_lengths(draws: Draws, lengths: Lengths) -> Numbers:
    """Draw how long each instance is meant to be: mostly ``max_tokens``, sometimes anything shorter."""
    is_short = uniform(draws.bits(_IS_SHORT)) < lengths.short_seq_prob
    shorter = SHORTEST + below(draws.bits(_SHORT_LENGTH), lengths.max_tokens - SHORTEST + 1)
    return np.where(is_short, shorter, lengths.max_tokens)


def next_sentence_pairs(
    documents: Documents, bounds: Numbers, *, lengths: Lengths, draws: Draws, random_next: RandomNext
) -> tuple[Pairs, Numbers]:
    """Make the next pair of each document for next sentence prediction; half of them are random.

    Args:
        documents: N documents with a sentence left, of two tokens or more.
        bounds: where the first sentence of the corpus starts, then where each ends, in tokens.
        lengths: how long an instance is meant to be.
        draws: of this step, for the N documents.
        random_next: gives the random segments.

    Returns:
        The pairs, and the sentence where the next ones start, int64 ``[N]``.
    """
    neighbours, end, split_sentence = _neighbours(documents, bounds, lengths, draws)
    is_random = below(draws.bits(_LABEL), 2) == RANDOM_OR_SWAPPED
    wanted = neighbours.second.length[is_random]
    second = neighbours.second.replaced(
        is_random, random_next(draws.fork(_PARTNER).of(is_random), is_random, wanted)
    )
    labels = np.where(is_random, RANDOM_OR_SWAPPED, FOLLOWS)
    # The sentences that a random segment has replaced are used by the next pair.
    following = np.where(is_random & ~neighbours.cut, split_sentence, end)
    return Pairs(neighbours.first, second, labels, neighbours.cut), following


def sentence_order_pairs(
    documents: Documents, bounds: Numbers, *, lengths: Lengths, draws: Draws
) -> tuple[Pairs, Numbers]:
    """Make pairs of consecutive segments; half of them are swapped (Lan et al. 2020, section 3.1).

    Arguments and result are those of ``next_sentence_pairs``.
    """
    neighbours, end, _ = _neighbours(documents, bounds, lengths, draws)
    is_swapped = below(draws.bits(_LABEL), 2) == RANDOM_OR_SWAPPED
    first = neighbours.first.replaced(is_swapped, neighbours.second.of(is_swapped))
    second = neighbours.second.replaced(is_swapped, neighbours.first.of(is_swapped))
    return Pairs(first, second, np.where(is_swapped, RANDOM_OR_SWAPPED, FOLLOWS), neighbours.cut), end


def single_segments(
    documents: Documents, bounds: Numbers, *, lengths: Lengths, draws: Draws
) -> tuple[Pairs, Numbers]:
    """Make the next piece of each document, of whole sentences, as many as fit.

    A sentence that does not fit is cut where the piece is full; no token is lost or repeated.

    Args:
        documents: N documents with a token left; their positions are tokens.
        bounds: where the first sentence of the corpus starts, then where each ends, in tokens.
        lengths: how long an instance is meant to be.
        draws: of this step, for the N documents.

    Returns:
        Pairs without second segments, and the token where the next ones start, int64 ``[N]``.
    """
    start = documents.position
    full = np.minimum(start + target_lengths(draws, lengths), documents.end)
    whole = bounds[np.searchsorted(bounds, full, side="right") - 1]
    end = np.where(whole > start, whole, full)
    nothing = np.zeros_like(start)
    pairs = Pairs(
        Spans(documents.number, start, end),
        Spans(nothing, nothing, nothing),
        np.full_like(start, NOT_ASKED),
        nothing.astype(bool),
    )
    return pairs, end


def truncated(pairs: Pairs, draws: Draws, *, max_tokens: int) -> Pairs:
    """Return the pairs shortened to ``max_tokens``: the longer segment first, at random ends.

    The outcome has the distribution of the original's loop, which takes tokens one by one off the
    front or the back of whichever segment is longer; both keep at least one.
    """
    first, second = pairs.first.length, pairs.second.length
    keep_second = np.minimum(second, np.maximum(max_tokens - first, max_tokens // 2))
    keep_first = np.minimum(first, max_tokens - keep_second)
    return Pairs(
        _shortened(pairs.first, keep_first, draws.fork(_FRONT_OF_FIRST)),
        _shortened(pairs.second, keep_second, draws.fork(_FRONT_OF_SECOND)),
        pairs.labels,
        pairs.cut,
    )


def _neighbours(
    documents: Documents, bounds: Numbers, lengths: Lengths, draws: Draws
) -> tuple[Pairs, Numbers, Numbers]:
    """Return consecutive segments, the sentence behind both, and the one where the second starts."""
    sentence = documents.position
    end = _chunk_end(documents, bounds, target_lengths(draws, lengths))
    cut = end - sentence == 1
    split_sentence = sentence + 1 + below(draws.bits(_SPLIT), np.maximum(end - sentence - 1, 1))
    start, behind = bounds[sentence], bounds[end]
    split_token = start + 1 + below(draws.bits(_SPLIT), np.maximum(behind - start - 1, 1))
    split = np.where(cut, split_token, bounds[split_sentence])
    first, second = Spans(documents.number, start, split), Spans(documents.number, split, behind)
    return Pairs(first, second, np.zeros_like(start), cut), end, split_sentence


def _chunk_end(documents: Documents, bounds: Numbers, target: Numbers) -> Numbers:
    """Return the sentence before which a chunk ends: enough tokens, two sentences where there are."""
    enough = np.searchsorted(bounds, bounds[documents.position] + target)
    return np.minimum(np.maximum(enough, documents.position + 2), documents.end)


def _shortened(spans: Spans, keep: Numbers, draws: Draws) -> Spans:
    excess = spans.length - keep
    at_the_front = _heads(draws, excess)
    return Spans(spans.document, spans.start + at_the_front, spans.end - (excess - at_the_front))


def _heads(draws: Draws, tosses: Numbers) -> Numbers:
    """Draw how many of some tosses of a fair coin are heads: one bit each."""
    heads = np.zeros_like(tosses)
    rows = np.flatnonzero(tosses > 0)
    word = 0
    while len(rows):
        unused = np.maximum(64 - (tosses[rows] - 64 * word), 0).astype(np.uint64)
        heads[rows] += np.bitwise_count(draws.of(rows).bits(word) >> unused)
        word += 1
        rows = rows[tosses[rows] > 64 * word]
    return heads
