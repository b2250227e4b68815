"""Cross entropy over a vocabulary, against torch's own in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from bertpipe.model import summed_cross_entropy


def reference(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return loss and gradient of a tenth of it, in float64."""
    exact = logits.detach().double().requires_grad_()
    loss = functional.cross_entropy(exact, labels, reduction="sum")
    (loss / 10).backward()  # type: ignore[no-untyped-call]
    assert exact.grad is not None
    return loss, exact.grad


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6), (torch.bfloat16, 4e-3)]
)
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(2, 50), st.floats(0, 60))
def test_loss_and_gradient(
    dtype: torch.dtype, tolerance: float, seed: int, rows: int, entries: int, spread: float
) -> None:
    """Scores of any spread: the loss is right to float32, the gradient to the scores' precision."""
    generator = torch.Generator().manual_seed(seed)
    logits = (spread * torch.randn(rows, entries, generator=generator)).to(dtype).requires_grad_()
    labels = torch.randint(entries, (rows,), generator=generator)
    loss, correct = summed_cross_entropy(logits, labels)
    (loss / 10).backward()  # type: ignore[no-untyped-call]
    expected, gradient = reference(logits, labels)
    assert loss.dtype == torch.promote_types(dtype, torch.float32)
    assert loss.item() == pytest.approx(expected.item(), rel=2e-6, abs=2e-6)
    assert logits.grad is not None and logits.grad.dtype == dtype
    assert torch.allclose(logits.grad.double(), gradient, rtol=tolerance, atol=2e-7)
    assert correct == (logits.argmax(-1) == labels).sum()


def test_a_label_without_any_chance_costs_its_distance() -> None:
    """Its probability is too small for a float, the loss is not: 300 behind the best, 300 nats."""
    loss, correct = summed_cross_entropy(torch.tensor([[300.0, 0.0, -10.0]]), torch.tensor([1]))
    assert (loss.item(), correct.item()) == (300.0, 0)


def test_of_equal_scores_the_first_counts() -> None:
    """As with argmax: of two best entries the second is no right guess."""
    logits = torch.tensor([[1.0, 5.0, 5.0], [1.0, 5.0, 5.0]])
    assert summed_cross_entropy(logits, torch.tensor([1, 2]))[1] == 1


def test_no_predictions_are_no_loss() -> None:
    """A batch in which nothing is hidden: zero, and a gradient of no rows."""
    logits = torch.zeros(0, 5, requires_grad=True)
    loss, correct = summed_cross_entropy(logits, torch.zeros(0, dtype=torch.int64))
    loss.backward()  # type: ignore[no-untyped-call]
    assert (loss.item(), correct.item()) == (0.0, 0)
