"""A run from start to end: however often it is stopped, it ends with the same bits."""

import json
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bertpipe.artifacts import open_artifact
from bertpipe.configs import RuntimeConfig
from bertpipe.errors import CheckpointError, ResourceError, StoppedError, TrainingDivergedError
from bertpipe.progress import Phase, Silent
from bertpipe.training import GuardConfig, OptimizerConfig, Outcome, Plan, TimeBudget, run_training
from bertpipe.training.signals import noticing_signals

Make = Callable[..., Any]


class Watcher(Silent):
    """Keeps notes, and does something after the update with a given number."""

    def __init__(self, *, at: int = -1, act: Callable[[], None] = lambda: None) -> None:
        self.notes: list[str] = []
        self.done: float = 0
        self._at, self._act = at, act

    def phase(
        self, name: str, *, total: float | None, unit: str, done: float = 0
    ) -> AbstractContextManager[Phase]:
        self.done = done
        return nullcontext(self)

    def note(self, message: str) -> None:
        self.notes.append(message)

    def advance(self, amount: float, **figures: float | str) -> None:
        self.done += amount
        if amount and self.done == self._at:
            self._act()


class KilledError(Exception):
    """Stands for a process that ends at once."""


def kill() -> None:
    raise KilledError


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def go(
    problem: Any,
    plan: Plan,
    work: Path,
    *,
    watcher: Watcher | None = None,
    checkpoint_steps: int = 2,
    log_interval: int = 50,
    evaluate_steps: int = 3,
    budget: TimeBudget | None = None,
) -> Outcome:
    work.mkdir(exist_ok=True)
    return run_training(
        problem,
        plan,
        evaluate_steps=evaluate_steps,
        work=work,
        device=torch.device("cpu"),
        runtime=RuntimeConfig(checkpoint_steps=checkpoint_steps, log_interval=log_interval, threads=1),
        progress=watcher or Watcher(),
        budget=budget,
    )


def bits(problem: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in problem.model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("stop_at", [1, 4, 5, 7])
@pytest.mark.parametrize("act", [kill, terminate], ids=["killed", "terminated"])
@pytest.mark.parametrize(("precision", "optimizer"), [("fp32", "adamw"), ("bf16", "lamb"), ("fp16", "adamw")])
def test_resumed_equals_uninterrupted(
    stop_at: int,
    act: Callable[[], None],
    precision: str,
    optimizer: str,
    tmp_path: Path,
    make_problem: Make,
    make_plan: Make,
) -> None:
    """Weights and curve are the same bit for bit, with dropout and pieces, into the third epoch.

    So they are whatever the intervals of checkpoints and progress lines in the second run.
    """
    config = OptimizerConfig.model_validate({"learning_rate": 0.01, "optimizer": optimizer})
    plan = make_plan(8, precision=precision, optimizer=config, micro_batch_size=4)
    unbroken = make_problem(dropout=0.3)
    expected = go(unbroken, plan, tmp_path / "unbroken")
    with pytest.raises((KilledError, StoppedError)):
        go(make_problem(dropout=0.3), plan, tmp_path / "work", watcher=Watcher(at=stop_at, act=act))
    resumed = make_problem(dropout=0.3)
    outcome = go(resumed, plan, tmp_path / "work", checkpoint_steps=3, log_interval=1)
    # A checkpoint is written after each second update; a signal waits for the update's checkpoint.
    assert outcome.resumed_from_step == (stop_at if act is terminate else (stop_at - 1) // 2 * 2)
    assert equal(bits(resumed), bits(unbroken))
    assert (outcome.rows, outcome.tokens) == (expected.rows, expected.tokens)


def test_the_optimizer_goes_on_too(tmp_path: Path, make_problem: Make, make_plan: Make) -> None:
    """The checkpoint after step 6 is the same file for file, whether the run was stopped before or not.

    So are the guards' running figures and the loss scale.
    """
    plan = make_plan(8, precision="fp16")
    go(make_problem(dropout=0.3), plan, tmp_path / "unbroken")
    with pytest.raises(StoppedError):
        go(make_problem(dropout=0.3), plan, tmp_path / "work", watcher=Watcher(at=3, act=terminate))
    go(make_problem(dropout=0.3), plan, tmp_path / "work")
    for name in ("model.safetensors", "optimizer.safetensors", "state.json"):
        one, two = (tmp_path / run / "step-000000006" / name for run in ("unbroken", "work"))
        assert one.read_bytes() == two.read_bytes(), name
    state = load_file(tmp_path / "work" / "step-000000006" / "optimizer.safetensors")
    assert {key.rsplit("/", 1)[1] for key in state} == {"step", "exp_avg", "exp_avg_sq"}
    figures = json.loads((tmp_path / "work" / "step-000000006" / "state.json").read_text())
    assert figures["guards"]["loss_updates"] > 1 and figures["scaler"]["scale"] >= 1


def test_rows_of_the_curve(tmp_path: Path, make_problem: Make, make_plan: Make) -> None:
    """Evaluated each third update and at the end; training figures are those since the last row."""
    problem = make_problem()
    outcome = go(problem, make_plan(8), tmp_path)
    assert [row["step"] for row in outcome.rows] == [3, 6, 8]
    assert outcome.resumed_from_step == 0 and outcome.tokens == 8 * 24
    single = go(make_problem(), make_plan(8), tmp_path / "each", evaluate_steps=1)
    mean = sum(row["train_fit_loss"] for row in single.rows[6:8]) / 2
    assert outcome.rows[-1]["train_fit_loss"] == pytest.approx(mean, rel=1e-6)
    assert {"learning_rate", "validation_loss", "validation_fit_accuracy"} <= outcome.rows[0].keys()
    assert not problem.model.training


def checkpoints(work: Path) -> list[str]:
    return sorted(path.name for path in work.iterdir() if path.is_dir())


def test_the_two_newest_checkpoints_are_kept(tmp_path: Path, make_problem: Make, make_plan: Make) -> None:
    """Both are whole; older ones go."""
    go(make_problem(), make_plan(9), tmp_path)
    assert checkpoints(tmp_path) == ["step-000000006", "step-000000008"]
    for path in tmp_path.iterdir():
        open_artifact(path, stage="checkpoint")


def damage_weights(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def cut_state(checkpoint: Path) -> None:
    (checkpoint / "state.json").write_text("")


def lose_manifest(checkpoint: Path) -> None:
    (checkpoint / "manifest.json").unlink()


def lose_optimizer(checkpoint: Path) -> None:
    (checkpoint / "optimizer.safetensors").unlink()


@pytest.mark.parametrize("damage", [damage_weights, cut_state, lose_manifest, lose_optimizer])
def test_a_damaged_checkpoint_is_named_skipped_and_kept(
    damage: Callable[[Path], None], tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """The older one is used, the result is the same, and what was damaged is still there."""
    unbroken = make_problem(dropout=0.3)
    go(unbroken, make_plan(10), tmp_path / "unbroken")
    work = tmp_path / "work"
    with pytest.raises(KilledError):
        go(make_problem(dropout=0.3), make_plan(10), work, watcher=Watcher(at=5, act=kill))
    assert checkpoints(work) == ["step-000000002", "step-000000004"]
    damage(work / "step-000000004")
    damaged = {path.name: path.read_bytes() for path in (work / "step-000000004").iterdir()}
    watcher, resumed = Watcher(), make_problem(dropout=0.3)
    assert go(resumed, make_plan(10), work, watcher=watcher).resumed_from_step == 2
    assert any("damaged" in note and "step-000000004" in note for note in watcher.notes)
    assert equal(bits(resumed), bits(unbroken))
    kept = [path for path in work.iterdir() if "damaged" in path.name]
    assert [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in kept] == [damaged]
    assert checkpoints(work)[-2:] == ["step-000000006", "step-000000008"]


def test_a_damaged_checkpoint_does_not_count_as_kept(
    tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """After two damaged ones a run starts anew, and still ends with two whole ones."""
    with pytest.raises(KilledError):
        go(make_problem(), make_plan(10), tmp_path, watcher=Watcher(at=5, act=kill))
    for path in list(tmp_path.iterdir()):
        damage_weights(path)
    assert go(make_problem(), make_plan(10), tmp_path).resumed_from_step == 0
    whole = [name for name in checkpoints(tmp_path) if name.startswith("step-")]
    assert whole == ["step-000000006", "step-000000008"]
    assert len(checkpoints(tmp_path)) == 4


def test_a_checkpoint_of_another_model_is_named(tmp_path: Path, make_problem: Make, make_plan: Make) -> None:
    """Progress that an older version has made is continued only if its names are those of the model."""
    with pytest.raises(KilledError):
        go(make_problem(), make_plan(10), tmp_path, watcher=Watcher(at=3, act=kill))
    other = make_problem()
    other.model.extra = torch.nn.Linear(1, 1)
    with pytest.raises(CheckpointError, match=r"step-000000002 .*: the checkpoint lacks extra\.bias"):
        go(other, make_plan(10), tmp_path)


def test_a_half_written_checkpoint_does_not_count(
    tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """What a killed process left under its hidden name is cleared by the next that writes there."""
    with pytest.raises(KilledError):
        go(make_problem(), make_plan(8), tmp_path, watcher=Watcher(at=3, act=kill))
    shutil.copytree(tmp_path / "step-000000002", tmp_path / ".step-000000004.partial")
    assert go(make_problem(), make_plan(8), tmp_path).resumed_from_step == 2
    assert not [name for name in checkpoints(tmp_path) if name.startswith(".")]


def test_a_signal_saves_and_stops(tmp_path: Path, make_problem: Make, make_plan: Make) -> None:
    """The error carries the signal, the message the step; the usual handlers are back."""
    usual = signal.getsignal(signal.SIGTERM)
    with pytest.raises(
        StoppedError, match="stopped by SIGTERM after step 3; the progress is saved"
    ) as caught:
        go(make_problem(), make_plan(8), tmp_path, watcher=Watcher(at=3, act=terminate))
    assert caught.value.signal_number == signal.SIGTERM
    assert checkpoints(tmp_path) == ["step-000000002", "step-000000003"]
    assert signal.getsignal(signal.SIGTERM) is usual


def test_a_signal_at_the_last_update_does_not_matter(
    tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """The run is done; there is nothing to save or to stop."""
    outcome = go(make_problem(), make_plan(4), tmp_path, watcher=Watcher(at=4, act=terminate))
    assert outcome.rows[-1]["step"] == 4


def test_a_second_signal_has_its_usual_effect() -> None:
    """Ctrl-C twice ends a program that does not come to the end of its update."""
    with noticing_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signal_number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_divergence_keeps_the_last_checkpoint(tmp_path: Path, make_problem: Make, make_plan: Make) -> None:
    """The step is named, and nothing of the broken update is saved."""
    with pytest.raises(TrainingDivergedError, match="step 6"):
        go(make_problem(broken_at=5), make_plan(8), tmp_path)
    assert checkpoints(tmp_path) == ["step-000000002", "step-000000004"]


def test_a_row_of_updates_that_were_left_out_has_no_training_figures(
    tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """A loss of zero would be a lie; the held-out figures are those of weights that have not moved."""
    plan = make_plan(4, guards=GuardConfig(on_nonfinite="skip"))
    rows = go(make_problem(broken_at=2), plan, tmp_path, evaluate_steps=1).rows
    assert ["train_loss" in row for row in rows] == [True, True, False, True]
    assert rows[2]["validation_loss"] == rows[1]["validation_loss"]


def test_a_validation_loss_that_is_not_finite_is_divergence(
    tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """A rate so large that the next outputs overflow is told by step, not as a JSON error."""
    plan = make_plan(3, warmup_steps=0, optimizer=OptimizerConfig(learning_rate=1e30))
    with pytest.raises(TrainingDivergedError, match=r"the validation loss is .* at step 1"):
        go(make_problem(), plan, tmp_path, evaluate_steps=1)


@contextmanager
def no_file_longer_than(size_bytes: int) -> Iterator[None]:
    """Let writing fail beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size_bytes", [0, 1000, 4000])
def test_a_full_disk_leaves_the_checkpoint_before(
    size_bytes: int, tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """One line with the path, nothing half written, and the run goes on from there to the same bits."""
    unbroken, resumed = make_problem(dropout=0.3), make_problem(dropout=0.3)
    go(unbroken, make_plan(8), tmp_path / "unbroken")
    work = tmp_path / "work"
    limits = ExitStack()
    fills = Watcher(at=3, act=lambda: limits.enter_context(no_file_longer_than(size_bytes)))
    with limits, pytest.raises((ResourceError, OSError)) as caught:
        go(make_problem(dropout=0.3), make_plan(8), work, watcher=fills)
    assert "step-000000004" in str(caught.value)
    assert checkpoints(work) == ["step-000000002"]
    assert go(resumed, make_plan(8), work).resumed_from_step == 2
    assert equal(bits(resumed), bits(unbroken))


def test_a_time_budget_is_kept_as_a_number_of_updates(
    tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """The run is that of a plan with that number, bit for bit, also when it was stopped; once is enough."""
    budget = TimeBudget(minutes=0.02, plan_over=make_plan)
    work = tmp_path / "work"
    with pytest.raises(StoppedError):
        go(make_problem(dropout=0.3), make_plan(5), work, watcher=Watcher(at=1, act=terminate), budget=budget)
    decided = json.loads((work / "decisions.json").read_text())["total_steps"]
    filled, planned = make_problem(dropout=0.3), make_problem(dropout=0.3)
    outcome = go(filled, make_plan(5), work, budget=TimeBudget(minutes=9, plan_over=make_plan))
    assert outcome.total_steps == decided and outcome.resumed_from_step == 1
    assert go(planned, make_plan(decided), tmp_path / "planned").rows == outcome.rows
    assert equal(bits(filled), bits(planned))
