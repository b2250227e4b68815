"""Dropout by words of random bits."""

import pytest
import torch
from torch.nn import functional

from bertpipe.model.dropout import add_dropped, dropout

DTYPES = [torch.float64, torch.float32, torch.bfloat16]


def seeded(x: torch.Tensor, *, prob: float = 0.1, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return dropout(x, prob=prob)


@pytest.mark.parametrize("prob", [0.1, 0.5, 0.9])
def test_each_place_in_a_draw_is_dropped_as_often_as_asked(prob: float) -> None:
    """A draw holds four words: elements at each of the four places are dropped with the probability.

    Four deviations of a binomial of 250,000 trials are at most 0.004.
    """
    kept = seeded(torch.ones(1_000_000), prob=prob) != 0
    for place in range(4):
        assert kept[place::4].double().mean() == pytest.approx(1 - prob, abs=0.004)


def test_neighbours_are_dropped_independently() -> None:
    """Two elements of one draw, and of two draws, are both dropped as often as chance has it: 1 %."""
    is_dropped = seeded(torch.ones(1_000_000)) == 0
    for distance in (1, 2, 3, 4, 256):
        both = (is_dropped[distance:] & is_dropped[:-distance]).double().mean()
        assert both == pytest.approx(0.01, abs=0.0005)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_kept_is_scaled_by_the_true_probability(dtype: torch.dtype) -> None:
    """0.1 of 65,536 words are 6,554: what is kept grows by 65,536 / 58,982, so that the mean stays."""
    x = torch.linspace(-2, 2, 1003).to(dtype)
    y = seeded(x)
    kept = y != 0
    assert y.dtype == dtype and 0.8 < kept.double().mean() < 0.97
    expected = x[kept].double() * (65536 / 58982)
    assert torch.allclose(y[kept].double(), expected, rtol=2 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_goes_where_the_value_went(dtype: torch.dtype) -> None:
    """Its elements are the scale where the value was kept, and zero where it was dropped."""
    x = torch.ones(7, 5, dtype=dtype).requires_grad_()
    y = seeded(x, prob=0.5)
    y.backward(torch.ones_like(y))  # type: ignore[no-untyped-call]
    assert x.grad is not None and torch.equal(x.grad, y.detach())
    assert 0 < int((y == 0).sum()) < y.numel()


def test_views_in_any_order_are_masked_by_element() -> None:
    """A transposed tensor drops whole elements, not parts of its neighbours."""
    x = torch.arange(1.0, 13.0).view(3, 4).t()
    y = seeded(x, prob=0.5)
    assert torch.equal(torch.where(y != 0, 2 * x, 0), y)


def test_the_seed_decides() -> None:
    """The same seed gives the same mask, another seed another one, and a second call goes on."""
    x = torch.ones(1000)
    first = seeded(x)
    assert not torch.equal(dropout(x, prob=0.1), first)
    assert torch.equal(seeded(x), first)
    assert not torch.equal(seeded(x, seed=1), first)


@pytest.mark.parametrize("dtype", DTYPES)
def test_adding_to_a_residual_is_dropout_then_sum(dtype: torch.dtype) -> None:
    """Value and both gradients are those of the sum; the residual is kept in its own precision."""
    residual = torch.linspace(0, 1, 60).requires_grad_()
    x = torch.linspace(1, 2, 60).to(dtype).requires_grad_()
    torch.manual_seed(3)
    together = add_dropped(residual, x, prob=0.3)
    together.sum().backward()  # type: ignore[no-untyped-call]
    torch.manual_seed(3)
    apart = residual + dropout(x, prob=0.3)
    assert torch.allclose(together, apart, rtol=torch.finfo(dtype).eps, atol=0)
    assert residual.grad is not None and torch.equal(residual.grad, torch.ones(60))
    assert x.grad is not None and torch.equal(x.grad != 0, apart != residual)


def test_without_dropout_nothing_is_drawn() -> None:
    """With probability 0 values stay, and the generator is where it was."""
    torch.manual_seed(0)
    x, before = torch.randn(10), torch.get_rng_state()
    assert torch.equal(dropout(x, prob=0.0), x)
    assert torch.equal(add_dropped(x, x, prob=0.0), x + x)
    assert torch.equal(torch.get_rng_state(), before)


def test_on_other_devices_torch_has_its_own() -> None:
    """A tensor that is not on a CPU goes to torch's dropout: here one without memory, for its shape."""
    x = torch.empty(3, 4, device="meta")
    assert dropout(x, prob=0.1).shape == functional.dropout(x, 0.1).shape
