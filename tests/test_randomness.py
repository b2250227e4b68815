"""Draws are a function of (seed, purpose, position), today and in every later version."""

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bertpipe import randomness

seeds = st.integers(0, 2**63)
keys = st.integers(0, 2**128 - 1)
MASK = 2**64 - 1


def splitmix64(state: int) -> int:
    """Return the output of splitmix64 for a state (Steele, Lea, Flood 2014), in plain integers."""
    state = (state + 0x9E3779B97F4A7C15) & MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def test_frozen_streams() -> None:
    """These values may never change: shards and orders of examples that exist depend on them.

    They come from this code itself, on the day its streams were frozen; the tests below tie their
    source, splitmix64, to the published algorithm.
    """
    key = randomness.key(1, "order", 0)
    assert key == 56466486390793860667551884644356047687
    assert randomness.torch_seed(1, "weights") == 7294169692439646559
    assert randomness.hashed(key, np.arange(3), np.asarray(5)).tolist() == [
        16421484942223839820,
        7123880547342694660,
        17662848777723092694,
    ]
    assert randomness.permuted(np.arange(10), size=10, key=key).tolist() == [2, 3, 4, 0, 7, 1, 8, 6, 5, 9]
    assert randomness.permuted(np.arange(6), size=20, key=key).tolist() == [2, 15, 8, 13, 19, 1]
    far = np.arange(10**6, 10**6 + 4)
    assert randomness.permuted(far, size=10**9, key=key).tolist() == [
        153520718,
        807861275,
        804166846,
        158954813,
    ]


def test_a_key_is_a_sha256_of_what_it_is_for() -> None:
    """The key is the first half of a sha256 over seed and purpose, separated, little-endian."""
    digest = hashlib.sha256(b"7\x1fmasking\x1f3").digest()
    assert randomness.key(7, "masking", 3) == int.from_bytes(digest[:16], "little")


def test_keys_of_different_purposes_differ() -> None:
    """No two purposes share a key, nor do parts that read the same when put together."""
    purposes: list[tuple[Any, ...]] = [
        (0,),
        (1,),
        (0, "a"),
        (1, "a"),
        (0, "b"),
        (0, "a", 0),
        (0, "a", 1),
        (0, "a", 11),
        (0, "a", 1, 1),
        (0, "a1"),
        (0, "a", "bc"),
        (0, "ab", "c"),
        (0, "abc"),
        (0, "", "abc"),
        (10, "a"),
    ]
    assert len({randomness.key(*purpose) for purpose in purposes}) == len(purposes)


@given(seeds)
def test_torch_seeds_fit_torch(seed: int) -> None:
    """``torch.manual_seed`` takes what a signed 64-bit integer holds."""
    assert 0 <= randomness.torch_seed(seed, "weights") < 2**63


def test_splitmix64_as_published() -> None:
    """The reference in this file is splitmix64: seed 0 starts with e220a8397b1dcdaf."""
    assert splitmix64(0) == 0xE220A8397B1DCDAF


@given(keys, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_hashed_is_splitmix64_of_key_and_position(key: int, row: int, token: int) -> None:
    """The key's low half is mixed with one coordinate after another, its high half at the end."""
    state = key & MASK
    for position in (row, token):
        state = splitmix64((state + position) & MASK)
    expected = splitmix64(state ^ (key >> 64))
    assert randomness.hashed(key, np.asarray([row]), np.asarray(token)).tolist() == [expected]


@given(keys, st.lists(st.integers(0, 2**40), min_size=1, max_size=30), st.data())
def test_hashed_does_not_depend_on_the_batch(key: int, rows: list[int], data: st.DataObject) -> None:
    """A position has the same bits alone, in any batch and in any order."""
    tokens = np.arange(4)
    together = randomness.hashed(key, np.asarray(rows)[:, None], tokens)
    assert together.shape == (len(rows), 4) and together.dtype == np.uint64
    place = data.draw(st.integers(0, len(rows) - 1))
    alone = randomness.hashed(key, np.asarray([[rows[place]]]), tokens)
    assert together[place].tolist() == alone[0].tolist()


def test_hashed_differs_by_key_and_coordinate() -> None:
    """Neither keys nor coordinates, swapped or shifted, share their bits."""
    grid = np.arange(50)
    bits = [randomness.hashed(randomness.key(seed, "grid"), grid[:, None], grid).ravel() for seed in range(5)]
    assert len(np.unique(np.concatenate(bits))) == 5 * 50 * 50


@given(st.integers(1, 2**32), keys)
def test_hashed_draws_stay_in_bounds(bound: int, key: int) -> None:
    """``below`` is below its bound for every bound that it takes; ``uniform`` is in [0, 1)."""
    bits = np.append(randomness.hashed(key, np.arange(100)), np.asarray([0, MASK], dtype=np.uint64))
    drawn = randomness.below(bits, bound)
    assert drawn.dtype == np.int64
    assert drawn.min() >= 0 and drawn.max() < bound
    floats = randomness.uniform(bits)
    assert floats.dtype == np.float64
    assert floats.min() >= 0 and floats.max() < 1


def test_hashed_draws_are_roughly_uniform() -> None:
    """Neighbouring positions are spread evenly, by the high bits and by the float."""
    bits = randomness.hashed(randomness.key(0, "uniform"), np.arange(100_000))
    # Binomial: 10,000 +- 95 in each of ten bins; five standard deviations.
    for counts in (
        np.bincount(randomness.below(bits, 10), minlength=10),
        np.histogram(randomness.uniform(bits), bins=10, range=(0, 1))[0],
    ):
        assert np.abs(counts - 10_000).max() < 475


def permutation(size: int, key: int) -> NDArray[np.int64]:
    return randomness.permuted(np.arange(size), size=size, key=key)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 64, 65, 1023, 1024, 1025, 4096])
def test_permuted_is_a_permutation_at_the_edges(size: int) -> None:
    """Every element comes up once, also for one element and around powers of two."""
    assert np.array_equal(np.sort(permutation(size, randomness.key(1, "p"))), np.arange(size))


@given(st.integers(1, 3000), keys)
def test_permuted_is_a_permutation(size: int, key: int) -> None:
    """Every element comes up once, for any size and key."""
    image = permutation(size, key)
    assert image.dtype == np.int64
    assert np.array_equal(np.sort(image), np.arange(size))


@given(st.integers(1, 2**40), keys, st.data())
def test_permuted_elements_stand_alone(size: int, key: int, data: st.DataObject) -> None:
    """Any element can be asked for by itself, which is what resuming in mid-epoch needs."""
    indices = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=20, unique=True))
    together = randomness.permuted(np.asarray(indices), size=size, key=key)
    alone = [int(randomness.permuted(np.asarray([index]), size=size, key=key)[0]) for index in indices]
    assert together.tolist() == alone
    assert len(set(alone)) == len(indices)
    assert min(alone) >= 0 and max(alone) < size


def test_permuted_differs_by_key() -> None:
    """Each key gives another order, and nothing but chance is left of the old one."""
    first, second = permutation(1000, randomness.key(0, "a")), permutation(1000, randomness.key(0, "b"))
    # Fixed points of a random permutation are Poisson(1): more than ten happen once in 10^8.
    assert (first == second).sum() <= 10
    assert (first == np.arange(1000)).sum() <= 10


def test_permuted_orders_small_sets_in_every_way() -> None:
    """All six orders of three elements come up, none far more often than the others."""
    orders = [tuple(permutation(3, randomness.key(0, "small", number)).tolist()) for number in range(1200)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    # Binomial: 200 +- 13; six standard deviations leave room for the small network's bias.
    assert all(abs(count - 200) < 78 for count in counts)


def test_permuted_takes_any_shape() -> None:
    """The images have the shape of the indices, none included."""
    indices = np.arange(6).reshape(2, 3)
    key = randomness.key(5)
    assert randomness.permuted(indices, size=6, key=key).ravel().tolist() == permutation(6, key).tolist()
    assert randomness.permuted(np.zeros(0, dtype=np.int64), size=6, key=key).shape == (0,)
