"""Averages over many items."""

import pytest
import torch

from bertpipe.training import Tally, Term
from bertpipe.training.problem import sums_of


def test_averages_weigh_every_item_alike() -> None:
    """Sums 6 over 2 items and 2 over 6 items average to 8 / 8, not to the mean of 3 and 1/3."""
    tally = Tally()
    tally.add({"mlm.loss": 6.0, "mlm.count": 2.0, "mlm.correct": 1.0, "nsp.loss": 1.0, "nsp.count": 2.0})
    tally.add({"mlm.loss": 2.0, "mlm.count": 6.0, "mlm.correct": 3.0, "nsp.loss": 3.0, "nsp.count": 2.0})
    assert tally.figures("train_") == {
        "train_loss": 2.0,
        "train_mlm_loss": 1.0,
        "train_mlm_accuracy": 0.5,
        "train_nsp_loss": 1.0,
    }


def test_nothing_counted_is_zero_not_an_error() -> None:
    """A part without items (no token was predicted) does not divide by zero."""
    tally = Tally()
    tally.add({"mlm.loss": 0.0, "mlm.count": 0.0})
    assert tally.figures() == {"loss": 0.0, "mlm_loss": 0.0}


def test_sums_are_read_by_name() -> None:
    """Loss, correct and count of each part keep their names; a part without correct has none."""
    terms = {
        "mlm": Term(loss=torch.tensor(2.5), correct=torch.tensor(3)),
        "nsp": Term(loss=torch.tensor(0.5)),
    }
    assert sums_of(terms, {"mlm": 4, "nsp": 2, "other": 9}) == pytest.approx(
        {"mlm.loss": 2.5, "mlm.correct": 3, "mlm.count": 4, "nsp.loss": 0.5, "nsp.count": 2}
    )
