"""Finding how many sequences fit into memory, once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ResourceError
from bertpipe.progress import Silent
from bertpipe.training import Outcome, Plan, run_training
from bertpipe.training.decisions import Decisions
from bertpipe.training.micro_batches import MicroBatches

Make = Callable[..., Any]


class Notes(Silent):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def go(problem: Any, plan: Plan, work: Path, notes: Notes | None = None) -> Outcome:
    work.mkdir(exist_ok=True)
    return run_training(
        problem,
        plan,
        evaluate_steps=4,
        work=work,
        device=torch.device("cpu"),
        runtime=RuntimeConfig(checkpoint_steps=2),
        progress=notes or Notes(),
    )


def weights(problem: Any) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in problem.model.parameters()])


@pytest.mark.parametrize("width", [1, 4])
def test_a_batch_that_does_not_fit_is_halved_until_it_does(
    width: int, tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """Eight items, room for three: two it is, told twice, stored; the bits are those of a plan with two.

    So it is where an item is of four sequences, as a question with its choices: items are what is cut.
    """
    small, planned = make_problem(dropout=0.3, room=3, width=width), make_problem(dropout=0.3)
    notes = Notes()
    outcome = go(small, make_plan(6), tmp_path / "small", notes)
    go(planned, make_plan(6, micro_batch_size=2), tmp_path / "planned")
    assert torch.equal(weights(small), weights(planned))
    assert outcome.micro_batch_size == 2
    assert [note.split(": ")[0] for note in notes.notes] == [
        f"memory ran out at step 1 with {size} items a forward pass" for size in (8, 4)
    ]
    stored = json.loads((tmp_path / "small" / "decisions.json").read_text())
    assert stored == {"micro_batch_size_from_step_0": 2}


def test_a_resumed_run_cuts_as_it_did_before(tmp_path: Path, make_problem: Make, make_plan: Make) -> None:
    """Memory runs short in update 4, the run breaks off in update 6; the bits are those of one that does not.

    A third run has room all the time, and still cuts from update 4 on.
    """

    class Shrinking:
        """Lets a problem have less room from an update on, and fail in another."""

        def __init__(self, problem: Any, *, broken_at: int | None = None) -> None:
            self._problem, self._broken_at, self.model = problem, broken_at, problem.model
            self.batch_size = problem.batch_size
            self.validation_batches, self.terms = problem.validation_batches, self._terms
            self._updates = 0

        def micro_batches(self, step: int, cut: Any) -> Any:
            return self._problem.micro_batches(step, cut)

        def _terms(self, batch: Any) -> Any:
            if self.model.training and len(batch.points) == 8:
                self._updates += 1
                self._problem.room = 8 if self._updates < 4 else 4
            if self.model.training and self._broken_at == len(self._problem.seeds):
                raise KeyError("broken off")
            return self._problem.terms(batch)

    unbroken, resumed = (make_problem(dropout=0.3) for _ in range(2))
    go(Shrinking(unbroken), make_plan(8), tmp_path / "unbroken")
    with pytest.raises(KeyError):
        go(Shrinking(make_problem(dropout=0.3), broken_at=14), make_plan(8), tmp_path / "work")
    stored = json.loads((tmp_path / "work" / "decisions.json").read_text())
    assert stored == {"micro_batch_size_from_step_3": 4}
    outcome = go(resumed, make_plan(8), tmp_path / "work")
    assert outcome.resumed_from_step == 4 and outcome.micro_batch_size == 4
    assert torch.equal(weights(resumed), weights(unbroken))


def test_one_item_that_does_not_fit_is_the_end(tmp_path: Path, make_problem: Make, make_plan: Make) -> None:
    """Nothing is left to halve."""
    with pytest.raises(ResourceError, match="out of memory with a single item"):
        go(make_problem(room=0), make_plan(6), tmp_path)


def test_a_size_that_is_set_is_not_changed(tmp_path: Path, make_problem: Make, make_plan: Make) -> None:
    """The hint names the setting, and what it costs."""
    with pytest.raises(ResourceError, match="out of memory with 4 items") as caught:
        go(make_problem(room=3), make_plan(6, micro_batch_size=4), tmp_path)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(
        "set pretrain.micro_batch_size, for example to 2; it changes the result"
    )


def test_a_size_holds_from_its_step_on(tmp_path: Path) -> None:
    """Later sizes leave earlier updates as they were, for this run and for the next that reads them."""
    sizes = MicroBatches(decisions=Decisions(tmp_path))
    sizes.halve(5, items=32)
    sizes.halve(9, items=16)
    for found in (sizes, MicroBatches(decisions=Decisions(tmp_path))):
        by_step = [found.cut(step).micro_batch_size for step in (0, 4, 5, 8, 9, 1000)]
        assert by_step == [None, None, 16, 16, 8, 8]
