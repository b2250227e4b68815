"""Segments are drawn as in the paper, and the label says what was drawn."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe import randomness
from bertpipe.instances.segments import (
    FOLLOWS,
    NOT_ASKED,
    RANDOM_OR_SWAPPED,
    Documents,
    Lengths,
    Pairs,
    Spans,
    next_sentence_pairs,
    sentence_order_pairs,
    single_segments,
    target_lengths,
    truncated,
)
from bertpipe.randomness import Draws

OTHER = 99
START = 1000

documents = st.lists(st.integers(1, 60), min_size=1, max_size=30)
seeds = st.integers(0, 2**32)


class Span(NamedTuple):
    document: int
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Pair(NamedTuple):
    first: Span
    second: Span
    label: int
    cut: bool


def listed(pairs: Pairs) -> list[Pair]:
    """Return pairs one by one."""
    columns = [
        map(Span, *(values.tolist() for values in (spans.document, spans.start, spans.end)))
        for spans in (pairs.first, pairs.second)
    ]
    return list(map(Pair, *columns, pairs.labels.tolist(), pairs.cut.tolist()))


def numbers(*values: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def draws_of(seed: int, *, rows: int = 1) -> Draws:
    """Return draws for rows that differ."""
    return Draws(randomness.hashed(randomness.key(seed, "test"), np.arange(rows)))


def bounds_of(lengths: Sequence[int]) -> list[int]:
    return [*accumulate(lengths, initial=START)]


def random_next(draws: Draws, rows: Any, tokens: Any) -> Spans:
    return Spans(np.full_like(tokens, OTHER), np.zeros_like(tokens), tokens)


def pairs_of(
    make: Any,
    lengths: Sequence[int],
    seed: int,
    *,
    max_tokens: int = 61,
    short_seq_prob: float = 0.1,
    **more: Any,
) -> Iterator[Pair]:
    """Yield the pairs of one document, whose number is 5, until there is nothing left."""
    bounds = np.array(bounds_of(lengths))
    is_single = make is single_segments
    position, end = (START, int(bounds[-1])) if is_single else (0, len(lengths))
    draws, step = draws_of(seed), 0
    while position < end and (is_single or bounds[end] - bounds[position] > 1):
        pairs, following = make(
            Documents(numbers(5), numbers(position), numbers(end)),
            bounds,
            lengths=Lengths(max_tokens, short_seq_prob),
            draws=draws.fork(step),
            **more,
        )
        yield from listed(pairs)
        assert following[0] > position
        position, step = int(following[0]), step + 1


def nsp(lengths: Sequence[int], seed: int) -> list[Pair]:
    return list(pairs_of(next_sentence_pairs, lengths, seed, random_next=random_next))


def one_pair(first: int, second: int, *, rows: int = 1) -> Pairs:
    """Return the same pair of segments once or more."""
    one, two = np.full(rows, 500), np.full(rows, 900)
    return Pairs(
        Spans(np.full(rows, 1), one, one + first),
        Spans(np.full(rows, 2), two, two + second),
        np.full(rows, FOLLOWS),
        np.zeros(rows, dtype=bool),
    )


def original_truncation(first: int, second: int, max_tokens: int) -> tuple[int, int]:
    """The lengths that truncate_seq_pair of google-research/bert leaves, token by token."""
    while first + second > max_tokens:
        if first > second:
            first -= 1
        else:
            second -= 1
    return first, second


@given(documents, seeds)
def test_the_label_says_where_the_second_segment_is_from(lengths: list[int], seed: int) -> None:
    """Label 0: it starts in the same document where the first ends; label 1: in another one."""
    for pair in nsp(lengths, seed):
        assert pair.first.document == 5
        if pair.label == FOLLOWS:
            assert (pair.second.document, pair.second.start) == (5, pair.first.end)
        else:
            assert (pair.label, pair.second.document) == (RANDOM_OR_SWAPPED, OTHER)
        assert pair.first.length >= 1
        assert pair.second.length >= 1


@given(documents, seeds)
def test_first_segments_and_true_next_ones_cover_the_document_once(lengths: list[int], seed: int) -> None:
    """Sentences that a random segment replaced are put back: nothing is skipped or used twice.

    What may be left out is the rest of a lone last sentence.
    """
    position = START
    for pair in nsp(lengths, seed):
        assert pair.first.start == position
        position = pair.second.end if pair.label == FOLLOWS else pair.first.end
    assert bounds_of(lengths)[-1] - position <= max(1, lengths[-1] - 1)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=30), seeds)
def test_only_a_lone_last_sentence_is_cut(lengths: list[int], seed: int) -> None:
    """Where there are two sentences, segments begin and end at sentence bounds."""
    bounds = bounds_of(lengths)
    for pair in nsp(lengths, seed):
        if pair.cut:
            assert pair.first.start == bounds[-2]
        else:
            assert pair.first.start in bounds
            assert pair.first.end in bounds


@pytest.mark.parametrize("lengths", [[20], [2], [3, 3], [50, 50, 50], [1, 2, 3, 4, 5] * 4])
def test_half_of_the_next_segments_are_random_whatever_the_document(lengths: list[int]) -> None:
    """Also where one sentence is all there is, the coin is fair (4 sigma)."""
    labels = [pair.label for seed in range(1500) for pair in nsp(lengths, seed)]
    share = sum(labels) / len(labels)
    assert abs(share - 0.5) < 4 * 0.5 / len(labels) ** 0.5


def test_the_length_does_not_tell_the_label() -> None:
    """Second segments are as long when they are random as when they follow."""
    lengths = [3, 17, 5, 9, 30, 2, 2, 11]
    by_label: dict[int, list[int]] = {FOLLOWS: [], RANDOM_OR_SWAPPED: []}
    for seed in range(4000):
        pair = nsp(lengths, seed)[0]
        by_label[pair.label].append(pair.second.length)
    means = {label: sum(values) / len(values) for label, values in by_label.items()}
    spread = max(max(values) for values in by_label.values())
    assert abs(means[0] - means[1]) < 4 * spread / 2000**0.5 / 2
    assert set(by_label[FOLLOWS]) == set(by_label[RANDOM_OR_SWAPPED])


def test_a_single_token_makes_no_pair() -> None:
    """It cannot be cut into two segments."""
    assert nsp([1], 0) == []


@given(documents, seeds)
def test_swapped_segments_change_places(lengths: list[int], seed: int) -> None:
    """Sentence order: both segments follow each other, the label says in which order they stand."""
    position = START
    for pair in pairs_of(sentence_order_pairs, lengths, seed, max_tokens=40):
        earlier, later = (pair.first, pair.second) if pair.label == FOLLOWS else (pair.second, pair.first)
        assert earlier.start == position
        assert earlier.end == later.start
        position = later.end
    assert bounds_of(lengths)[-1] - position <= 1


@given(st.lists(st.integers(1, 200), min_size=1, max_size=30), seeds, st.sampled_from([0.0, 0.1, 1.0]))
def test_single_segments_are_the_document(lengths: list[int], seed: int, short_seq_prob: float) -> None:
    """One after another they are all its tokens, in pieces that fit, asked nothing about."""
    pieces = list(pairs_of(single_segments, lengths, seed, max_tokens=62, short_seq_prob=short_seq_prob))
    position = START
    for piece in pieces:
        assert (piece.first.document, piece.first.start, piece.second.length) == (5, position, 0)
        assert piece.label == NOT_ASKED
        assert 1 <= piece.first.length <= 62
        position = piece.first.end
    assert position == bounds_of(lengths)[-1]


def test_single_segments_end_with_sentences_where_these_fit() -> None:
    """As many whole sentences as fit; one that does not fit at all is cut."""
    pieces = pairs_of(single_segments, [30, 30, 30, 150, 5], 0, max_tokens=62, short_seq_prob=0.0)
    assert [piece.first.length for piece in pieces] == [60, 30, 62, 62, 31]


@given(st.integers(1, 300), st.integers(1, 300), st.integers(5, 125), seeds)
def test_truncation_leaves_the_lengths_of_the_original(
    first: int, second: int, max_tokens: int, seed: int
) -> None:
    """The longer segment loses tokens first, from its ends only; both keep at least one."""
    (result,) = listed(truncated(one_pair(first, second), draws_of(seed), max_tokens=max_tokens))
    lengths = (result.first.length, result.second.length)
    assert lengths == original_truncation(first, second, max_tokens)
    assert 500 <= result.first.start < result.first.end <= 500 + first
    assert 900 <= result.second.start < result.second.end <= 900 + second


def test_truncation_takes_from_both_ends_alike() -> None:
    """Each token goes from the front or the back with the same chance (4 sigma)."""
    rows = one_pair(200, 10, rows=500)
    fronts = (truncated(rows, draws_of(3, rows=500), max_tokens=110).first.start - 500).tolist()
    tosses = 100 * len(fronts)
    assert abs(sum(fronts) / tosses - 0.5) < 4 * 0.5 / tosses**0.5
    assert len(set(fronts)) > 10


def test_some_sequences_are_short_on_purpose() -> None:
    """One in ten has a length drawn from 2 to all, the others are full (4 sigma)."""
    draws = target_lengths(draws_of(1, rows=5000), Lengths(50, 0.1)).tolist()
    short = [draw for draw in draws if draw < 50]
    expected = 0.1 * 48 / 49
    assert abs(len(short) / len(draws) - expected) < 4 * (expected * (1 - expected) / len(draws)) ** 0.5
    assert (min(short), max(short)) == (2, 49)
