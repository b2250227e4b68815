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
sentences end; no token is touched.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bertpipe.randomness import Stream

FOLLOWS = 0
RANDOM_OR_SWAPPED = 1
NOT_ASKED = -100
SHORTEST = 2


class Span(NamedTuple):
    """Tokens ``[start, end)`` of one document."""

    document: int
    start: int
    end: int

    @property
    def length(self) -> int:
        """Number of tokens."""
        return self.end - self.start


class Pair(NamedTuple):
    """Two segments before they are shortened to fit.

    Attributes:
        first: the first segment.
        second: the second segment; None in a single one.
        label: the next sentence label.
        cut: whether both come, or would have come, from one sentence.
    """

    first: Span
    second: Span | None
    label: int
    cut: bool


# Given the stream and the number of tokens wanted: a span of another document.
RandomNext = Callable[[Stream, int], Span]


def target_length(stream: Stream, *, max_tokens: int, short_seq_prob: float) -> int:
    """Draw how long a sequence is meant to be: mostly ``max_tokens``, sometimes anything shorter."""
    if stream.uniform() < short_seq_prob:
        return SHORTEST + stream.below(max_tokens - SHORTEST + 1)
    return max_tokens


def next_sentence_pairs(
    document: int,
    bounds: Sequence[int],
    *,
    max_tokens: int,
    short_seq_prob: float,
    stream: Stream,
    random_next: RandomNext,
) -> Iterator[Pair]:
    """Yield pairs for next sentence prediction; half of the second segments are random.

    Args:
        document: its number.
        bounds: where its first sentence starts, then where each ends, in tokens.
        max_tokens: room for both segments.
        short_seq_prob: share of the sequences that are shorter on purpose.
        stream: all draws of this document.
        random_next: gives the random segments.
    """
    sentence, last = 0, len(bounds) - 1
    while sentence < last:
        end = _chunk_end(bounds, sentence, stream, max_tokens=max_tokens, short_seq_prob=short_seq_prob)
        is_random_next = stream.below(2) == 1
        split = _split(bounds, sentence, end, stream)
        if split is None:  # a last sentence of one token
            return
        first = Span(document, bounds[sentence], split)
        cut = end - sentence == 1
        if not is_random_next:
            yield Pair(first, Span(document, split, bounds[end]), FOLLOWS, cut)
            sentence = end
            continue
        yield Pair(first, random_next(stream, bounds[end] - split), RANDOM_OR_SWAPPED, cut)
        # The sentences that a random segment has replaced are used by the next pair.
        sentence = end if cut else bisect_left(bounds, split)


def sentence_order_pairs(
    document: int, bounds: Sequence[int], *, max_tokens: int, short_seq_prob: float, stream: Stream
) -> Iterator[Pair]:
    """Yield pairs of consecutive segments; half of them are swapped (Lan et al. 2020, section 3.1).

    Args:
        document: its number.
        bounds: where its first sentence starts, then where each ends, in tokens.
        max_tokens: room for both segments.
        short_seq_prob: share of the sequences that are shorter on purpose.
        stream: all draws of this document.
    """
    sentence, last = 0, len(bounds) - 1
    while sentence < last:
        end = _chunk_end(bounds, sentence, stream, max_tokens=max_tokens, short_seq_prob=short_seq_prob)
        is_swapped = stream.below(2) == 1
        split = _split(bounds, sentence, end, stream)
        if split is None:
            return
        first, second = Span(document, bounds[sentence], split), Span(document, split, bounds[end])
        cut = end - sentence == 1
        if is_swapped:
            yield Pair(second, first, RANDOM_OR_SWAPPED, cut)
        else:
            yield Pair(first, second, FOLLOWS, cut)
        sentence = end


def single_segments(
    document: int, bounds: Sequence[int], *, max_tokens: int, short_seq_prob: float, stream: Stream
) -> Iterator[Pair]:
    """Yield the document in pieces of whole sentences, as many as fit; no token is lost or repeated.

    A sentence that does not fit is cut where the piece is full.

    Args:
        document: its number.
        bounds: where its first sentence starts, then where each ends, in tokens.
        max_tokens: room for the segment.
        short_seq_prob: share of the sequences that are shorter on purpose.
        stream: all draws of this document.
    """
    start = bounds[0]
    while start < bounds[-1]:
        full = start + target_length(stream, max_tokens=max_tokens, short_seq_prob=short_seq_prob)
        whole = bounds[bisect_right(bounds, full) - 1]
        end = whole if whole > start else full
        yield Pair(Span(document, start, end), None, NOT_ASKED, cut=False)
        start = end


def truncated(pair: Pair, stream: Stream, *, max_tokens: int) -> Pair:
    """Return the pair shortened to ``max_tokens``: the longer segment first, at random ends.

    The outcome has the distribution of the original's loop, which takes tokens one by one off the
    front or the back of whichever segment is longer; both keep at least one.
    """
    first, second = pair.first, pair.second
    if second is None or first.length + second.length <= max_tokens:
        return pair
    keep_second = min(second.length, max(max_tokens - first.length, max_tokens // 2))
    keep_first = min(first.length, max_tokens - keep_second)
    return pair._replace(
        first=_shortened(first, keep_first, stream), second=_shortened(second, keep_second, stream)
    )


def _chunk_end(
    bounds: Sequence[int], sentence: int, stream: Stream, *, max_tokens: int, short_seq_prob: float
) -> int:
    """Return the sentence before which a chunk ends: enough tokens, two sentences where there are."""
    target = target_length(stream, max_tokens=max_tokens, short_seq_prob=short_seq_prob)
    enough = bisect_left(bounds, bounds[sentence] + target, lo=sentence)
    return min(max(enough, sentence + 2), len(bounds) - 1)


def _split(bounds: Sequence[int], sentence: int, end: int, stream: Stream) -> int | None:
    """Draw the token where the second segment of a chunk starts; None: a single token cannot be split."""
    if end - sentence >= 2:
        return bounds[sentence + 1 + stream.below(end - sentence - 1)]
    length = bounds[end] - bounds[sentence]
    return bounds[sentence] + 1 + stream.below(length - 1) if length >= 2 else None


def _shortened(span: Span, keep: int, stream: Stream) -> Span:
    excess = span.length - keep
    at_the_front = _heads(stream, excess)
    return Span(span.document, span.start + at_the_front, span.end - (excess - at_the_front))


def _heads(stream: Stream, tosses: int) -> int:
    """Draw how many of some tosses of a fair coin are heads: one bit each."""
    heads = 0
    while tosses > 0:
        heads += (stream.bits() & ((1 << min(tosses, 64)) - 1)).bit_count()
        tosses -= 64
    return heads
