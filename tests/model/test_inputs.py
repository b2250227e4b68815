"""Sequences without padding: where each token stands."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.model import TokenBatch

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def batch_of(lengths: list[int], first: list[int] | None = None) -> TokenBatch:
    """Return sequences of these lengths with the ids 0, 1, 2 and so on."""
    return TokenBatch.of(
        np.arange(sum(lengths)),
        lengths=np.array(lengths),
        first_segment_lengths=np.array(first if first is not None else lengths),
    )


def test_places_by_hand() -> None:
    """Three and two tokens: positions restart, the second segment has type 1, padding is no token."""
    batch = batch_of([3, 2], [2, 2])
    assert batch.position_ids.tolist() == [0, 1, 2, 0, 1]
    assert batch.token_type_ids.tolist() == [0, 0, 1, 0, 0]
    assert batch.starts.tolist() == [0, 3]
    assert batch.grid.cells.tolist() == [0, 1, 2, 3, 4]
    assert batch.grid.is_token is not None and batch.grid.is_token.tolist() == [
        [True] * 3,
        [True, True, False],
    ]
    assert (batch.sequences, batch.grid.longest) == (2, 3)


def test_equal_lengths_need_no_mask() -> None:
    """A full grid has nothing to hide from attention, which is then faster."""
    assert batch_of([4, 4]).grid.is_token is None


@given(LENGTHS)
def test_the_grid_holds_each_token_at_its_place(lengths: list[int]) -> None:
    """Row b, column s of the grid is token s of sequence b; elsewhere it is zero."""
    batch = batch_of(lengths)
    tokens = torch.arange(1.0, 2 * sum(lengths) + 1).view(-1, 2)
    grid = batch.grid.spread(tokens)
    assert grid.shape == (len(lengths), max(lengths), 2)
    for row, (start, length) in enumerate(zip(batch.starts.tolist(), lengths, strict=True)):
        assert torch.equal(grid[row, :length], tokens[start : start + length])
        assert not grid[row, length:].any()


@given(LENGTHS)
def test_gathering_undoes_spreading(lengths: list[int]) -> None:
    """No token is lost, moved or mixed with padding."""
    batch = batch_of(lengths)
    tokens = torch.arange(3.0 * sum(lengths)).view(-1, 3)
    assert torch.equal(batch.grid.gather(batch.grid.spread(tokens)), tokens)


@given(LENGTHS)
def test_gradients_flow_to_tokens_only(lengths: list[int]) -> None:
    """The gradient of what stands in a padded cell reaches no token."""
    batch = batch_of(lengths)
    tokens = torch.ones(sum(lengths), 1, requires_grad=True)
    batch.grid.spread(tokens).sum().backward()  # type: ignore[no-untyped-call]
    assert tokens.grad is not None and torch.equal(tokens.grad, torch.ones(sum(lengths), 1))


def test_what_is_read_by_hand() -> None:
    """Of three and two tokens the second, the third and the first of each: five places, four of them read."""
    readout = batch_of([3, 2]).read_at(np.array([1, 2]))
    assert readout.tokens.tolist() == [0, 1, 2, 3]
    assert (readout.first.tolist(), readout.chosen.tolist()) == ([0, 3], [1, 2])
    assert (readout.grid.bounds.tolist(), readout.grid.longest) == ([0, 3, 4], 3)
    assert readout.grid.cells.tolist() == [0, 1, 2, 3]


@given(LENGTHS)
def test_to_read_first_tokens_is_to_choose_none(lengths: list[int]) -> None:
    """What is written down for any device is what is worked out on the CPU."""
    batch = batch_of(lengths)
    one, other = batch.read_first(), batch.read_at(np.array([], dtype=np.int64))
    for name in ("tokens", "first", "chosen"):
        assert torch.equal(getattr(one, name), getattr(other, name))
    assert torch.equal(one.grid.bounds, other.grid.bounds) and one.grid.bounds.dtype == torch.int32
    assert torch.equal(one.grid.cells, other.grid.cells)
    assert (one.grid.is_token, one.grid.longest) == (other.grid.is_token, other.grid.longest) == (None, 1)


@given(LENGTHS, st.data())
def test_what_was_chosen_is_found_again(lengths: list[int], data: st.DataObject) -> None:
    """First and chosen tokens are among those that are read, whether or not a first one was chosen."""
    batch = batch_of(lengths)
    chosen = sorted(data.draw(st.sets(st.integers(0, sum(lengths) - 1))))
    readout = batch.read_at(np.array(chosen, dtype=np.int64))
    assert readout.tokens[readout.chosen].tolist() == chosen
    assert torch.equal(readout.tokens[readout.first], batch.starts)
    assert set(readout.tokens.tolist()) == {*chosen, *batch.starts.tolist()}
    assert int(readout.grid.bounds[-1]) == len(readout.tokens)
