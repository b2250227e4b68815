"""What goes wrong in training, recognised while it happens and explained.

A loss or gradient that is not finite, a loss that rises, a masked LM that stays at the unigram
entropy of its corpus, or one that learns a repetitive corpus by heart: each is told once when it
begins, with its usual causes; whether the run then stops is a setting.
"""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from bertpipe.configs import Settings
from bertpipe.errors import TrainingDivergedError
from bertpipe.training.plateau import Change, MaskedLossDetector, usual_patience
from bertpipe.training.schedules import Schedule
from bertpipe.training.spikes import Rise, RiseDetector

Reaction = Literal["warn", "stop", "ignore"]

# As many updates on end say that the model is broken, not its data.
MOST_SKIPPED = 20

_KEPT = "progress up to the last checkpoint is kept"
_NOT_FINITE = (
    "usual causes: a learning rate too high for the batch size, too short a warm-up, layers that "
    f"normalise after the sum at depth, a damaged model to start from; {_KEPT}"
)
_SPIKE = (
    "usual causes: a learning rate too high for the batch size, too short a warm-up, weights that "
    "adam_beta2 near 1 follows too slowly, some damaged or odd text; most spikes are over within some "
    "hundred updates"
)
_CLIMB = (
    "a loss that rises and stays high seldom recovers; usual causes: a learning rate too high for the batch "
    "size or this depth, too short a warm-up"
)
_PLATEAU = (
    "most runs that leave it do so after some thousand updates, small models on little text after up to "
    "half of a short run, so waiting may be all it needs; else the usual causes: a learning rate too low "
    "or too high, too small a batch, too few tokens, too short a warm-up for a deep model, sequences long "
    "for so small a model"
)
_ABOVE = (
    "not even the frequencies of the tokens are learned; usual causes: a learning rate far too low or far "
    "too high, too short a warm-up for a deep model, a warm-up as long as the run"
)
_REPETITION = (
    "usual causes: the same lines or documents again and again, text made from templates, too little text "
    "for so many updates; corpus.cleaning.exact_duplicates leaves repeated documents out"
)


class GuardConfig(Settings):
    """What to do when training goes wrong; for a section to inherit."""

    on_nonfinite: Literal["stop", "skip"] = Field(
        "stop", description="A loss or gradient that is not finite: stop, or leave that update out."
    )
    on_spike: Reaction = Field("warn", description="A loss that rises well above its noise.")
    on_plateau: Reaction = Field("warn", description="A masked LM loss that stays at the unigram entropy.")
    on_repetition: Reaction = Field(
        "warn", description="A masked LM loss lower than natural text allows: the corpus repeats itself."
    )
    plateau_steps: int | None = Field(
        None,
        ge=1,
        description="Updates without a fall that are a plateau; unset: a tenth of all, 500 to 10,000.",
    )


class Guards:
    """Watches every update.

    Attributes:
        state: running figures by name, all finite: what a checkpoint has to keep.
    """

    def __init__(
        self,
        config: GuardConfig,
        *,
        schedule: Schedule,
        unigram_entropy: float | None = None,
        state: Mapping[str, float] | None = None,
    ) -> None:
        """Take the settings and the run.

        Args:
            config: what to do.
            schedule: length and warm-up of the run.
            unigram_entropy: of the corpus, in nats; none: neither plateau nor repetition is looked for.
            state: of the checkpoint to go on from.
        """
        self.state: dict[str, float] = dict(state or {})
        self._config = config
        self._rises = RiseDetector(self.state)
        self._unigram_entropy = unigram_entropy or 0.0
        self._masked: MaskedLossDetector | None = None
        if unigram_entropy is not None:
            self._masked = MaskedLossDetector(
                self.state,
                unigram_entropy=unigram_entropy,
                warmup_steps=schedule.warmup_steps,
                patience_steps=config.plateau_steps or usual_patience(schedule.total_steps),
            )

    def saw(
        self,
        step: int,
        figures: Mapping[str, float],
        gradient_norm: float,
        *,
        loss_scale: float | None = None,
    ) -> list[str]:
        """Take the figures of one update; return what the user should know now.

        Weights that a figure which is not finite could have spoiled must not have been moved.

        Args:
            step: updates done, this one included.
            figures: averages over the global batch: ``loss``, and ``mlm_loss`` where there is one.
            gradient_norm: before clipping.
            loss_scale: of fp16, after this update; an overflow is then part of finding the scale.

        Raises:
            TrainingDivergedError: something is wrong, and the setting for it says stop.
        """
        for name, value in (("loss", figures["loss"]), ("gradient norm", gradient_norm)):
            if not math.isfinite(value):
                return self._skipped(f"the {name} is {value} at step {step}", loss_scale)
        self.state["skipped_run"] = 0
        notes = self._risen(step, figures["loss"])
        if self._masked is not None and "mlm_loss" in figures:
            change = self._masked.saw(step, figures["mlm_loss"])
            notes += self._changed(change, step, self._masked.mean) if change else []
        return notes

    def _skipped(self, problem: str, loss_scale: float | None) -> list[str]:
        run = self.state["skipped_run"] = self.state.get("skipped_run", 0) + 1
        if loss_scale is None:
            if self._config.on_nonfinite == "stop":
                raise TrainingDivergedError(problem, hint=_NOT_FINITE)
            if run > MOST_SKIPPED:
                raise TrainingDivergedError(
                    f"{problem}, as in {MOST_SKIPPED} updates before", hint=_NOT_FINITE
                )
            how = _NOT_FINITE
        else:
            how = f"with fp16 this finds the loss scale, which is now {loss_scale:g}"
        return [f"{problem}: the update is left out; {how}"] if run == 1 else []

    def _risen(self, step: int, loss: float) -> list[str]:
        rise = self._rises.saw(loss)
        if rise is None:
            return []
        return self._react(
            self._config.on_spike, _told(rise, step), _SPIKE if rise.kind == "spike" else _CLIMB
        )

    def _changed(self, change: Change, step: int, mean: float) -> list[str]:
        entropy, on_plateau = self._unigram_entropy, self._config.on_plateau
        now = f"the masked LM loss is {mean:.2f} at step {step}"
        if change == "repetition":
            told = f"{now}, less than an eighth of the unigram entropy of the corpus ({entropy:.2f})"
            return self._react(
                self._config.on_repetition, f"{told}, which natural text does not allow", _REPETITION
            )
        if change == "plateau ends":
            return [f"{now}: it has left the plateau"] if on_plateau != "ignore" else []
        updates = step - self.state["mlm_level_step"]
        told = f"{now} and has hardly fallen for {updates:.0f} updates"
        if mean > entropy * 1.05:
            return self._react(
                on_plateau, f"{told}: it is above the unigram entropy of the corpus ({entropy:.2f})", _ABOVE
            )
        return self._react(
            on_plateau,
            f"{told}: about what the frequencies of the tokens alone give (unigram entropy {entropy:.2f}): "
            "the context is not used yet",
            _PLATEAU,
        )

    def _react(self, reaction: Reaction, problem: str, causes: str) -> list[str]:
        if reaction == "stop":
            raise TrainingDivergedError(problem, hint=f"{causes}; {_KEPT}")
        return [f"{problem}; {causes}"] if reaction == "warn" else []


def _told(rise: Rise, step: int) -> str:
    how = "rose within a few updates" if rise.kind == "spike" else "has climbed"
    return f"the loss {how} from about {rise.before:.3g} to {rise.after:.3g}, at step {step}"
