"""A run that has collapsed is told; one that has learned is not."""

import pytest

from bertpipe.tasks import Ending

LOW, NEAR = {"train_loss": 0.5}, {"train_loss": 0.6895}


@pytest.mark.parametrize(
    ("last", "baseline", "constant", "below", "says"),
    [
        (LOW, 0.6931, False, True, None),
        (NEAR, 0.6931, False, False, "its training loss over the last epoch, 0.6895, is not below 0.6931"),
        (LOW, 0.6931, True, True, "has collapsed: it answers the same for everything in dev; another"),
        (NEAR, 0.6931, True, False, "for everything in dev, and its training loss"),
        (LOW, None, False, None, None),
        (LOW, None, True, None, "it answers the same"),
    ],
)
def test_what_is_said_of_a_run(
    last: dict[str, float], baseline: float | None, constant: bool, below: bool | None, says: str | None
) -> None:
    """Within 1 % of the best constant answer nothing was learned; where there is none, that is unknown."""
    ending = Ending(dev={}, last=last, baseline_loss=baseline, constant_prediction=constant)
    assert ending.below_baseline is below
    assert (ending.warning is None) if says is None else (says in (ending.warning or ""))
