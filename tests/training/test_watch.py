"""What is shown of a run: averages over all items, and rates over the time that was training."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.progress import Silent
from bertpipe.training import Plan
from bertpipe.training.update import StepReport
from bertpipe.training.watch import Watch, watching
from bertpipe.training.world import World


class FakePhase:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.done: float = 0
        self.told: list[dict[str, float | str]] = []
        self.doings: list[str | None] = []

    def advance(self, amount: float, **figures: float | str) -> None:
        self.done += amount
        if figures:
            self.told.append(figures)

    def doing(self, what: str | None) -> None:
        self.doings.append(what)


class FakeBoard:
    """Keeps what is drawn."""

    def __init__(self) -> None:
        self.drawn: dict[tuple[str, int], dict[str, float]] = {}

    def write(self, group: str, step: int, figures: Mapping[str, float]) -> None:
        self.drawn[group, step] = dict(figures)


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def report(
    step: int,
    *,
    tokens: int = 100,
    loss: float = 20.0,
    count: float = 10.0,
    waited: float = 0.0,
    moved: bool = True,
    loss_scale: float | None = None,
) -> StepReport:
    return StepReport(
        step=step,
        learning_rate=step / 1000,
        gradient_norm=float(step) if moved else float("inf"),
        sums={"mlm.loss": loss, "mlm.correct": 5.0, "mlm.count": count},
        tokens=tokens,
        data_wait_seconds=waited,
        moved=moved,
        loss_scale=loss_scale,
        stop_signal=None,
    )


def test_averages_are_over_items_since_the_last_line() -> None:
    """An update with more predicted tokens weighs more, and each line starts anew."""
    phase = FakePhase()
    watch = Watch(phase, interval=2, clock=Clock())
    for each in (report(1, loss=10, count=10), report(2, loss=60, count=30), report(3), report(4)):
        watch.saw(each)
    assert phase.done == 4
    assert [told["loss"] for told in phase.told] == [70 / 40, 2.0]
    assert phase.told[0]["mlm_accuracy"] == 10 / 40
    assert [told["gradient_norm"] for told in phase.told] == [1.5, 3.5]
    assert [told["learning_rate"] for told in phase.told] == [0.002, 0.004]


def test_rates_count_training_time_only() -> None:
    """Of 60 s evaluation took 20, saving 16 and the first update 4: 40 tokens in 20 s are 2 a second."""
    clock, phase = Clock(), FakePhase()
    watch = Watch(phase, interval=3, flops_per_token=30.0, peak_flops=100.0, clock=clock)
    clock.now += 4
    watch.saw(report(1, tokens=999, waited=4.0))
    with watch.pausing("evaluate"):
        clock.now += 20
    clock.now += 15
    watch.saw(report(2, tokens=30, waited=1.0))
    with watch.pausing("save"):
        clock.now += 16
    clock.now += 5
    watch.saw(report(3, tokens=10, waited=2.0))
    speed = {name: phase.told[0][name] for name in ("tokens_per_second", "mfu", "data_wait_share")}
    assert speed == {"tokens_per_second": 2, "mfu": 0.6, "data_wait_share": 0.15}
    assert watch.totals() == {**speed, "evaluate_seconds": 20.0, "save_seconds": 16.0}
    assert phase.doings == ["evaluate", None, "save", None]


def test_the_second_line_counts_its_own_time() -> None:
    """A rate is that of the updates since the last line; the totals are over all."""
    clock, phase = Clock(), FakePhase()
    watch = Watch(phase, interval=2, clock=clock)
    for step, seconds in enumerate((1.0, 10.0, 2.0, 2.0), start=1):
        clock.now += seconds
        watch.saw(report(step))
    assert [told["tokens_per_second"] for told in phase.told] == [10, 50]
    assert watch.totals()["tokens_per_second"] == round(300 / 14)


def test_unknown_costs_give_no_utilisation() -> None:
    """Without operations or without a peak there is no such figure, rather than a wrong one."""
    for flops, peak in ((None, 1.0), (1.0, None), (1.0, 0.0)):
        clock, phase = Clock(), FakePhase()
        watch = Watch(phase, interval=1, flops_per_token=flops, peak_flops=peak, clock=clock)
        watch.saw(report(1))
        clock.now += 1
        watch.saw(report(2))
        assert "mfu" not in phase.told[1] and "tokens_per_second" in phase.told[1]


def test_the_first_line_may_have_no_rate() -> None:
    """The first update alone tells nothing about speed: it compiles and warms up."""
    phase = FakePhase()
    watch = Watch(phase, interval=1, clock=Clock())
    watch.saw(report(1))
    assert "tokens_per_second" not in phase.told[0] and watch.totals() == {}


def test_skipped_updates_do_not_spoil_the_averages() -> None:
    """An fp16 update that overflowed is counted, but its infinite figures are not averaged."""
    phase = FakePhase()
    watch = Watch(phase, interval=2, clock=Clock())
    watch.saw(report(1, loss_scale=512.0))
    watch.saw(report(2, loss=float("nan"), moved=False, loss_scale=256.0))
    assert phase.told[0] == {
        "loss": 2.0,
        "mlm_loss": 2.0,
        "mlm_accuracy": 0.5,
        "gradient_norm": 1.0,
        "learning_rate": 0.002,
        "loss_scale": 256.0,
        "skipped_updates": 1,
    }
    for step in (3, 4):
        watch.saw(report(step, moved=False))
    assert phase.told[1]["skipped_updates"] == 2 and "loss" not in phase.told[1]


def test_evaluations_are_told_under_their_own_name() -> None:
    """Held-out figures do not overwrite those of training, and move nothing on."""
    phase = FakePhase()
    Watch(phase, interval=1, clock=Clock()).evaluated(7, {"loss": 3.0})
    assert phase.told == [{"validation_loss": 3.0}] and phase.done == 0


def test_figures_are_drawn_by_step() -> None:
    """The same figures in three groups, at the steps they belong to."""
    clock, board = Clock(), FakeBoard()
    watch = Watch(FakePhase(), interval=2, board=board, clock=clock)  # type: ignore[arg-type]
    for step in (1, 2):
        clock.now += 1
        watch.saw(report(step))
    watch.evaluated(2, {"loss": 3.0})
    assert board.drawn["train", 2]["loss"] == 2.0
    assert board.drawn["speed", 2] == {"tokens_per_second": 100, "data_wait_share": 0.0}
    assert board.drawn["validation", 2] == {"loss": 3.0}


def test_a_pause_that_fails_is_over() -> None:
    """The error goes on, and nothing is said to go on any more."""
    phase = FakePhase()
    watch = Watch(phase, interval=1, clock=Clock())
    with pytest.raises(KeyError), watch.pausing("save"):
        raise KeyError
    assert phase.doings == ["save", None]


class Recorder(Silent):
    """Keeps the facts for the run log."""

    def __init__(self) -> None:
        self.facts: dict[str, float | str] = {}

    def record(self, **facts: float | str) -> None:
        self.facts.update(facts)


class TwoAlike(World):
    """One of two processes, of which the other does what this one does."""

    def sums(self, values: Mapping[str, float]) -> dict[str, float]:
        return {name: 2 * value for name, value in values.items()}


def test_utilisation_is_relative_to_the_measured_peak(
    tmp_path: Path, make_plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peaks of all processes add up, as their tokens do; peak and totals go to the run log."""
    monkeypatch.setattr("bertpipe.training.watch.measured_peak", lambda device, precision: 1e9)
    phase, recorder = FakePhase(), Recorder()
    with watching(
        phase,
        make_plan(8),
        first_step=0,
        flops_per_token=1000.0,
        work=tmp_path,
        device=torch.device("cpu"),
        runtime=RuntimeConfig(log_interval=2),
        progress=recorder,
        world=TwoAlike(rank=0, size=2),
    ) as watch:
        for step in (1, 2):
            watch.saw(report(step))
    assert recorder.facts["peak_flops"] == 2e9
    rate, mfu = recorder.facts["tokens_per_second"], recorder.facts["mfu"]
    assert isinstance(rate, int) and mfu == pytest.approx(rate * 1000 / 2e9, abs=1e-4)


def test_a_run_without_a_line_of_figures_is_not_measured(
    tmp_path: Path, make_plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measuring takes a moment, which a run of a few updates does not have to spare."""
    monkeypatch.delattr("bertpipe.training.watch.measured_peak")
    recorder = Recorder()
    with watching(
        FakePhase(),
        make_plan(8),
        first_step=6,
        flops_per_token=1000.0,
        work=tmp_path,
        device=torch.device("cpu"),
        runtime=RuntimeConfig(log_interval=3),
        progress=recorder,
    ):
        pass
    assert recorder.facts == {}


@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_first_process_draws(rank: int, tmp_path: Path, make_plan: Callable[..., Plan]) -> None:
    """The board of a run over several processes is written once, named after stage and fingerprint."""
    with watching(
        FakePhase(),
        make_plan(8),
        first_step=0,
        flops_per_token=None,
        work=Path("work/finetune/77aa"),
        device=torch.device("cpu"),
        runtime=RuntimeConfig(log_interval=1, tensorboard=str(tmp_path / "board")),
        progress=Silent(),
        world=World(rank=rank, size=2),
    ) as watch:
        watch.saw(report(1))
    assert (tmp_path / "board" / "finetune" / "77aa").is_dir() == (rank == 0)
