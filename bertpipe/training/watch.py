"""What can be seen of a run: averages since the last line, and how well the time was used."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.progress import Phase, Progress
from bertpipe.training.board import Board, open_board
from bertpipe.training.peak import measured_peak
from bertpipe.training.problem import Tally
from bertpipe.training.update import Plan, StepReport
from bertpipe.training.world import ALONE, World


@dataclass
class _Stretch:
    """Some updates, and the time they took."""

    tokens: int = 0
    seconds: float = 0.0
    waited_seconds: float = 0.0

    def add(self, tokens: int, *, seconds: float, waited_seconds: float) -> None:
        self.tokens += tokens
        self.seconds += seconds
        self.waited_seconds += waited_seconds


class Watch:
    """Gathers what the updates tell, and passes it on every few of them.

    Evaluating and saving are no training: their time is counted apart. Nor does the first update
    count, which compiles, fills caches and asks for memory.

    Args:
        phase: told of every update, and of the figures.
        interval: updates between two lines of figures.
        flops_per_token: useful operations to train on a real token; unset: unknown.
        peak_flops: the most operations a second of all devices together, measured; unset or 0: unknown.
        board: where the figures are drawn.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        phase: Phase,
        *,
        interval: int,
        flops_per_token: float | None = None,
        peak_flops: float | None = None,
        board: Board | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._phase, self._interval, self._board, self._clock = phase, interval, board, clock
        self._flops_per_token, self._peak_flops = flops_per_token, peak_flops
        self._since: float | None = None
        self._whole = _Stretch()
        self._paused: dict[str, float] = {}
        self._restart()

    def _restart(self) -> None:
        self._tally, self._norms, self._skipped, self._recent = Tally(), list[float](), 0, _Stretch()

    def saw(self, report: StepReport) -> None:
        """Count one update; every ``interval`` updates pass the averages on."""
        if report.moved:
            self._tally.add(report.sums)
            self._norms.append(report.gradient_norm)
        else:
            self._skipped += 1
        self._time(report)
        if report.step % self._interval:
            self._phase.advance(1)
            return
        training = self._averages(report)
        speed = self._speed(self._recent)
        self._phase.advance(1, **training, **speed)
        self._draw("train", report.step, training)
        self._draw("speed", report.step, speed)
        self._restart()

    def evaluated(self, step: int, validation: Mapping[str, float]) -> None:
        """Pass on the averages over the held-out data."""
        self._phase.advance(0, **{f"validation_{name}": value for name, value in validation.items()})
        self._draw("validation", step, validation)

    @contextmanager
    def pausing(self, what: str) -> Iterator[None]:
        """Leave out the time of the block, which is no training, such as ``evaluate``."""
        began = self._clock()
        self._phase.doing(what)
        try:
            yield
        finally:
            self._phase.doing(None)
            seconds = self._clock() - began
            self._paused[what] = self._paused.get(what, 0.0) + seconds
            if self._since is not None:
                self._since += seconds

    def totals(self) -> dict[str, float]:
        """Return figures over the whole run, for the run log."""
        pauses = {f"{what}_seconds": round(seconds, 2) for what, seconds in self._paused.items()}
        return {**self._speed(self._whole), **pauses}

    def _time(self, report: StepReport) -> None:
        now = self._clock()
        if self._since is not None:
            for stretch in (self._recent, self._whole):
                stretch.add(report.tokens, seconds=now - self._since, waited_seconds=report.data_wait_seconds)
        self._since = now

    def _averages(self, report: StepReport) -> dict[str, float]:
        """Return averages over the updates that moved the weights: the others' may not be finite."""
        figures: dict[str, float] = {}
        if self._norms:
            mean_norm = sum(self._norms) / len(self._norms)
            figures = {**self._tally.figures(), "gradient_norm": mean_norm}
        figures["learning_rate"] = report.learning_rate
        if report.loss_scale is not None:
            figures["loss_scale"] = report.loss_scale
        return figures | ({"skipped_updates": self._skipped} if self._skipped else {})

    def _speed(self, stretch: _Stretch) -> dict[str, float]:
        if stretch.seconds <= 0:
            return {}
        rate = stretch.tokens / stretch.seconds
        figures: dict[str, float] = {"tokens_per_second": round(rate)}
        if self._flops_per_token is not None and self._peak_flops:
            figures["mfu"] = round(rate * self._flops_per_token / self._peak_flops, 4)
        return figures | {"data_wait_share": round(stretch.waited_seconds / stretch.seconds, 4)}

    def _draw(self, group: str, step: int, figures: Mapping[str, float]) -> None:
        if self._board is not None:
            self._board.write(group, step, figures)


@contextmanager
def watching(
    phase: Phase,
    plan: Plan,
    *,
    first_step: int,
    flops_per_token: float | None,
    work: Path,
    device: torch.device,
    runtime: RuntimeConfig,
    progress: Progress,
    world: World = ALONE,
) -> Iterator[Watch]:
    """Open the watch over a run: measure the peak of all devices together, open the board.

    A run that is too short for a line of figures is not measured.

    Args:
        phase: told of every update, and of the figures.
        plan: how long, and how exactly.
        first_step: updates done before.
        flops_per_token: useful operations to train on a real token; unset: unknown.
        work: the run's work folder.
        device: where this process computes.
        runtime: interval of the lines, and the folder of the board.
        progress: told the peak, and figures over the whole run, for the run log.
        world: the processes that train together; all of them call this.

    Raises:
        ConfigError: ``runtime.tensorboard`` cannot be had.
    """
    peak_flops = None
    if flops_per_token is not None and plan.total_steps - first_step >= runtime.log_interval:
        peak_flops = world.sums({"peak": measured_peak(device, plan.precision)})["peak"]
        progress.record(peak_flops=peak_flops)
    folder = runtime.tensorboard if world.is_first else None
    with open_board(folder, work=work, first_step=first_step) as board:
        watch = Watch(
            phase,
            interval=runtime.log_interval,
            flops_per_token=flops_per_token,
            peak_flops=peak_flops,
            board=board,
        )
        yield watch
    progress.record(**watch.totals())
