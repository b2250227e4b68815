"""Whole words and spans: the vectorised choice is the one that a loop over the words would make."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.instances.choosing import Places, Words, choose_spans, choose_words, geometric

# Of each token: whether it may be hidden, and whether its id continues a word.
Row = list[tuple[bool, bool]]

rows = st.lists(st.lists(st.tuples(st.booleans() | st.just(True), st.booleans()), max_size=30), max_size=6)
keys = st.integers(0, 2**128 - 1)


def places_of(rows: list[Row]) -> tuple[Places, Words]:
    flat = [token for row in rows for token in row]
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    maskable = np.array([maskable for maskable, _ in flat], dtype=bool)
    places = Places.of(lengths, np.arange(100, 100 + len(rows)), maskable)
    return places, Words.of(places, np.array([continues for _, continues in flat], dtype=bool))


def words_of(row: Row) -> list[list[int]]:
    """Return the positions of each word; a token that must stay is None's."""
    words: list[list[int]] = []
    for position, (maskable, continues) in enumerate(row):
        joined = position > 0 and maskable and continues and row[position - 1][0]
        words[-1].append(position) if joined else words.append([position])
    return words


def by_hand(number: int, row: Row, wanted: int, key: int, shares: NDArray[np.float64]) -> dict[int, int]:
    """Hide spans one after another, as in the paper; return the begin of the span of each position."""
    words = words_of(row)
    begins = np.array([word[0] for word in words], dtype=np.int64)
    numbers = np.full(len(words), number)
    draws = randomness.hashed(key, numbers, begins).tolist()
    lengths = randomness.uniform(randomness.hashed(randomness.key(key, "length"), numbers, begins)).tolist()
    hidden: dict[int, int] = {}
    for word in sorted(range(len(words)), key=lambda word: draws[word] >> 16):
        count = 1 + sum(lengths[word] >= share for share in shares[:-1].tolist())
        for other in words[word : word + count]:
            free = row[other[0]][0] and other[0] not in hidden
            if not free or len(hidden) + len(other) > wanted:
                break
            hidden |= dict.fromkeys(other, words[word][0])
    return hidden


@given(rows, st.integers(1, 12), keys, st.sampled_from([0.2, 0.5, 1.0]), st.integers(1, 12))
def test_spans_are_those_of_a_loop(rows: list[Row], wanted: int, key: int, p: float, longest: int) -> None:
    """Begin by begin in a drawn order, each as long as drawn, until nothing more fits."""
    places, words = places_of(rows)
    shares = geometric(p, longest)
    chosen, span = choose_spans(np.full(len(rows), wanted), places, words, key=key, shares=shares)
    expected, start = {}, 0
    for number, row in enumerate(rows):
        for position, begin in by_hand(100 + number, row, wanted, key, shares).items():
            expected[start + position] = start + begin
        start += len(row)
    assert chosen.tolist() == sorted(expected)
    assert dict(zip(chosen.tolist(), span.tolist(), strict=True)) == expected


@given(rows, st.integers(1, 12), keys)
def test_words_are_spans_of_one_word(rows: list[Row], wanted: int, key: int) -> None:
    """Whole words are chosen by the same rule, though by a quicker way."""
    places, words = places_of(rows)
    each = np.full(len(rows), wanted)
    chosen = choose_words(each, places, words, key=key)
    spans, _ = choose_spans(each, places, words, key=key, shares=np.ones(1))
    assert chosen.tolist() == spans.tolist()


@given(rows, st.integers(1, 12), keys)
def test_spans_stay_in_their_segment(rows: list[Row], wanted: int, key: int) -> None:
    """Between a span's beginning and each of its tokens nothing stands that must stay, nor a row's end."""
    places, words = places_of(rows)
    chosen, span = choose_spans(np.full(len(rows), wanted), places, words, key=key, shares=geometric(0.2, 10))
    for place, begin in zip(chosen.tolist(), span.tolist(), strict=True):
        assert places.row_of[begin] == places.row_of[place]
        assert places.maskable[begin : place + 1].all()


def test_the_mean_span_is_that_of_the_paper() -> None:
    """Joshi et al. 2020, section 3.1: p = 0.2 and at most 10 words give a mean of 3.8 words."""
    shares = np.diff(geometric(0.2, 10), prepend=0)
    assert (shares * np.arange(1, 11)).sum() == pytest.approx(3.8, abs=0.01)
    assert shares[1:] / shares[:-1] == pytest.approx(0.8)
    assert geometric(0.2, 10)[-1] == geometric(1.0, 3)[0] == 1.0


def test_spans_have_the_lengths_of_a_simulation() -> None:
    """Mean span and number of spans are those of a plain simulation with another generator (5 sigma)."""
    count, words, wanted = 1000, 60, 12
    row: Row = [(True, False)] * words
    places, found = places_of([row] * count)
    _, span = choose_spans(np.full(count, wanted), places, found, key=5, shares=geometric(0.2, 10))
    spans = len(np.unique(span))
    draw = random.Random(3)
    weights = [0.8**length for length in range(10)]
    simulated = []
    for _ in range(count):
        hidden: set[int] = set()
        made = 0
        while len(hidden) < wanted:
            begin, length = draw.randrange(words), draw.choices(range(1, 11), weights)[0]
            made += begin not in hidden
            for word in range(begin, min(begin + length, words)):
                if word in hidden or len(hidden) == wanted:
                    break
                hidden.add(word)
        simulated.append(made)
    assert len(span) == count * wanted
    assert abs(spans / count - np.mean(simulated)) < 5 * (2 * np.var(simulated) / count) ** 0.5


def test_a_word_longer_than_wanted_is_never_cut() -> None:
    """With three words of two tokens and one wanted, nothing is hidden; with three wanted, one word."""
    row: Row = [(False, False), *[(True, False), (True, True)] * 3, (False, False)]
    places, words = places_of([row, row])
    chosen = choose_words(np.array([1, 3]), places, words, key=1)
    assert len(chosen) == 2
    assert chosen[0] >= len(row) and chosen[0] % 2 == 1 and chosen[1] == chosen[0] + 1
