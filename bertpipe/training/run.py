"""Following the updates of a run: counting, evaluating, saving, stopping."""

import math
import signal
from typing import Generic

from bertpipe.errors import StoppedError, TrainingDivergedError
from bertpipe.progress import Progress
from bertpipe.training.guards import Guards
from bertpipe.training.loop import evaluate, updates
from bertpipe.training.problem import B, Tally
from bertpipe.training.signals import noticing_signals
from bertpipe.training.state import Checkpoints, State
from bertpipe.training.update import Plan, Setup, StepReport
from bertpipe.training.watch import Watch

# torchrun, SLURM and a terminal may each send the same request to the same process.
PATIENCE_SECONDS = 5.0


class Run(Generic[B]):
    """A run under way.

    Args:
        setup: what the updates work on.
        plan: how long and how.
        state: where the run stands; kept up to date.
        checkpoints: where it is saved.
        watch: shown every update.
        progress: told what the guards find.
        evaluate_steps: updates between two rows of the curve; the last update has one too.
        checkpoint_steps: updates between two checkpoints.
    """

    def __init__(
        self,
        setup: Setup[B],
        plan: Plan,
        state: State,
        *,
        checkpoints: Checkpoints,
        watch: Watch,
        progress: Progress,
        evaluate_steps: int,
        checkpoint_steps: int,
    ) -> None:
        self._setup, self._plan, self._state = setup, plan, state
        self._checkpoints, self._watch, self._progress = checkpoints, watch, progress
        self._evaluate_steps, self._checkpoint_steps = evaluate_steps, checkpoint_steps
        setup.scaler.restore(state.scaler)
        self._guards = Guards(
            plan.guards, schedule=plan.schedule, unigram_entropy=plan.unigram_entropy, state=state.guards
        )

    def to_the_end(self) -> None:
        """Do all updates that are left.

        Raises:
            StoppedError: a signal asked to stop; a checkpoint was saved first.
            TrainingDivergedError: a loss is not finite, or went where the guards say stop.
        """
        alone = self._setup.world.is_alone
        with noticing_signals(patience_seconds=0.0 if alone else PATIENCE_SECONDS) as stop:
            for report in updates(self._setup, self._plan, first_step=self._state.step, stop=stop):
                self._saw(report)
                is_last = report.step == self._plan.total_steps
                if is_last or report.step % self._evaluate_steps == 0:
                    self._evaluate(report)
                if is_last:
                    return
                # Alone it need not wait for the next update, which may take long.
                stop_signal = stop.signal_number if alone else report.stop_signal
                if stop_signal is not None or report.step % self._checkpoint_steps == 0:
                    self._save()
                if stop_signal is not None:
                    self._checkpoints.wait()
                    raise _stopped(stop_signal, report.step)

    def _saw(self, report: StepReport) -> None:
        figures = Tally(report.sums).figures()
        notes = self._guards.saw(report.step, figures, report.gradient_norm, loss_scale=report.loss_scale)
        for note in notes:
            self._progress.note(note)
        self._state.step = report.step
        self._state.tokens += report.tokens
        if math.isfinite(figures["loss"]):
            self._state.tally.add(report.sums)
        self._watch.saw(report)

    def _evaluate(self, report: StepReport) -> None:
        setup, state = self._setup, self._state
        with self._watch.pausing("evaluate"):
            validation = evaluate(
                setup.problem,
                precision=self._plan.precision,
                device=setup.device,
                cut=setup.sizes.cut(report.step),
            )
        _check_finite(validation["loss"], report.step)
        self._watch.evaluated(report.step, validation)
        state.rows.append(_row(report, state.tally, validation))
        state.tally = Tally()

    def _save(self) -> None:
        setup, state = self._setup, self._state
        state.scaler, state.guards = setup.scaler.state(), self._guards.state
        with self._watch.pausing("save"):
            self._checkpoints.save(state, model=setup.problem.model, optimizer=setup.optimizer)


def _row(report: StepReport, tally: Tally, validation: dict[str, float]) -> dict[str, float]:
    """Return a row of the curve; without training figures where every update since the last was left out."""
    training = tally.figures("train_") if tally.sums else {}
    return {
        "step": report.step,
        "learning_rate": report.learning_rate,
        **training,
        **{f"validation_{name}": value for name, value in validation.items()},
    }


def _check_finite(validation_loss: float, step: int) -> None:
    if not math.isfinite(validation_loss):
        raise TrainingDivergedError(
            f"the validation loss is {validation_loss} at step {step}",
            hint="a lower learning rate or a longer warm-up usually helps; progress up to the "
            "last checkpoint is kept",
        )


def _stopped(number: int, step: int) -> StoppedError:
    return StoppedError(
        number,
        f"stopped by {signal.Signals(number).name} after step {step}; the progress is saved",
        hint="the same command goes on from there",
    )
