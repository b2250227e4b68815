"""A training run from start to end: loop, evaluation, checkpoints, progress and stopping.

Pre-training and fine-tuning are the same run over different problems.
"""

import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import StoppedError
from bertpipe.progress import Phase, Progress
from bertpipe.training.loop import Plan, StepReport, check_finite, evaluate, train
from bertpipe.training.optimizers import adamw
from bertpipe.training.problem import B, Problem, Tally
from bertpipe.training.signals import noticing_signals
from bertpipe.training.state import load_newest, save_checkpoint


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves behind, beside the trained model.

    Attributes:
        resumed_from_step: 0 where it ran from the start.
        tokens: real tokens seen in all.
        rows: the curve: one row an evaluation.
    """

    resumed_from_step: int
    tokens: int
    rows: list[dict[str, float]] = field(default_factory=list)


def run_training(
    problem: Problem[B],
    plan: Plan,
    *,
    evaluate_steps: int,
    work: Path,
    device: torch.device,
    runtime: RuntimeConfig,
    progress: Progress,
) -> Outcome:
    """Train to the end of ``plan``, going on from the newest whole checkpoint in ``work``.

    Args:
        problem: model, data and loss; its model ends up trained, in evaluation mode.
        plan: how long and how.
        evaluate_steps: updates between two rows of the curve; the last update has one too.
        work: where checkpoints live.
        device: where to compute.
        runtime: intervals of progress lines and checkpoints.
        progress: told every update.

    Raises:
        StoppedError: SIGTERM or SIGINT asked to stop; a checkpoint was saved first.
        TrainingDivergedError: the loss is not finite.
    """
    problem.model.to(device)
    optimizer = adamw(problem.model, plan.optimizer)
    state = load_newest(work, model=problem.model, optimizer=optimizer, progress=progress)
    first_step = state.step
    if first_step:
        progress.note(f"going on from step {first_step} of {plan.total_steps}")
    with (
        noticing_signals() as stop,
        progress.phase("train", total=plan.total_steps, unit="steps", done=first_step) as phase,
    ):
        watch = _Watch(phase, interval=runtime.log_interval)
        for report in train(problem, optimizer, plan, device=device, first_step=first_step):
            state.step = report.step
            state.tokens += report.tokens
            state.tally.add(report.sums)
            watch.saw(report)
            if report.step % evaluate_steps == 0 or report.step == plan.total_steps:
                validation = evaluate(problem, precision=plan.precision, device=device)
                check_finite(report.step, validation_loss=validation["loss"])
                state.rows.append(_row(report, state.tally, validation))
                state.tally = Tally()
            is_last = report.step == plan.total_steps
            stopping = stop.signal_number is not None and not is_last
            if stopping or (report.step % runtime.checkpoint_steps == 0 and not is_last):
                save_checkpoint(work, state, model=problem.model, optimizer=optimizer)
            if stopping:
                raise _stopped(stop.signal_number or signal.SIGTERM, report.step)
    problem.model.eval()
    return Outcome(resumed_from_step=first_step, tokens=state.tokens, rows=state.rows)


def _row(report: StepReport, tally: Tally, validation: dict[str, float]) -> dict[str, float]:
    return {
        "step": report.step,
        "learning_rate": report.learning_rate,
        **tally.figures("train_"),
        **{f"validation_{name}": value for name, value in validation.items()},
    }


def _stopped(number: int, step: int) -> StoppedError:
    return StoppedError(
        number,
        f"stopped by {signal.Signals(number).name} after step {step}; the progress is saved",
        hint="the same command goes on from there",
    )


class _Watch:
    """Averages of the last updates, for the progress line."""

    def __init__(self, phase: Phase, *, interval: int) -> None:
        self._phase = phase
        self._interval = interval
        self._restart()

    def _restart(self) -> None:
        self._tally, self._tokens, self._since = Tally(), 0, time.monotonic()

    def saw(self, report: StepReport) -> None:
        """Count one update; every ``interval`` updates pass the averages on."""
        self._tally.add(report.sums)
        self._tokens += report.tokens
        if report.step % self._interval:
            self._phase.advance(1)
            return
        seconds = max(time.monotonic() - self._since, 1e-9)
        self._phase.advance(
            1,
            **self._tally.figures(),
            learning_rate=report.learning_rate,
            tokens_per_second=round(self._tokens / seconds),
        )
        self._restart()
