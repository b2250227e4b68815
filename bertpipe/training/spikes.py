"""Noticing a loss that leaves its course upwards."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Literal

# Updates over which mean and deviation are taken, and those that it takes to have a first idea of them.
HORIZON, SETTLING = 100, 20
# Above its mean by so many mean absolute deviations (a normal distribution: 4.8 standard deviations),
# by this share of it, and by so many nats: three updates on end of that are no noise.
DEVIATIONS, SHARE, NATS = 6.0, 0.05, 0.1
RUN = 3
# What ends a spike: so many updates on end below that.
CALM = 20
# A slow rise that the mean follows: by this share and so many nats above its lowest.
CLIMB_SHARE, CLIMB_NATS = 0.25, 0.5


@dataclass(frozen=True)
class Rise:
    """A loss that has risen.

    Attributes:
        kind: ``spike`` within a few updates, ``climb`` slowly or for good.
        before: what the loss was about.
        after: what it is.
    """

    kind: Literal["spike", "climb"]
    before: float
    after: float


class RiseDetector:
    """Compares each loss with the mean and the mean absolute deviation of those before it.

    What lies above the limit counts as if it lay on it, so that an outlier moves the statistics
    little, while a level that has changed for good is taken over in the end. Each rise is told once.
    """

    def __init__(self, state: MutableMapping[str, float]) -> None:
        """Go on from the numbers in ``state``, which is kept up to date."""
        self._state = state

    def saw(self, loss: float) -> Rise | None:
        """Take the loss of one update; return a rise that begins with it."""
        state = self._state
        if "loss_mean" not in state:
            # One loss is no level: it may lie far below the next ones by chance.
            lowest = loss + CLIMB_NATS
            state.update(loss_mean=loss, loss_deviation=0.0, loss_lowest=lowest, loss_updates=1)
            state.update(loss_high_run=0, loss_calm_run=0, loss_is_high=0, loss_has_climbed=0)
            return None
        state["loss_updates"] += 1
        mean = state["loss_mean"]
        room = max(DEVIATIONS * state["loss_deviation"], SHARE * mean, NATS)
        is_settled = state["loss_updates"] > SETTLING
        spike_begins = self._count(is_high=is_settled and loss > mean + room)
        self._learn(min(loss - mean, room) if is_settled else loss - mean)
        if spike_begins:
            return Rise("spike", before=mean, after=loss)
        lowest = state["loss_lowest"]
        if is_settled and self._climb_begins():
            return Rise("climb", before=lowest, after=state["loss_mean"])
        return None

    def _learn(self, surprise: float) -> None:
        state = self._state
        updates = min(state["loss_updates"], HORIZON)
        state["loss_mean"] += surprise / updates
        state["loss_deviation"] += (abs(surprise) - state["loss_deviation"]) / updates

    def _count(self, *, is_high: bool) -> bool:
        """Count updates on end; return whether a spike begins."""
        state = self._state
        state["loss_high_run"] = state["loss_high_run"] + 1 if is_high else 0
        state["loss_calm_run"] = 0 if is_high else state["loss_calm_run"] + 1
        if state["loss_is_high"]:
            state["loss_is_high"] = int(state["loss_calm_run"] < CALM)
            return False
        state["loss_is_high"] = int(state["loss_high_run"] >= RUN)
        return bool(state["loss_is_high"])

    def _climb_begins(self) -> bool:
        state = self._state
        mean, lowest = state["loss_mean"], state["loss_lowest"]
        state["loss_lowest"] = min(lowest, mean)
        room = max(CLIMB_SHARE * lowest, CLIMB_NATS)
        if state["loss_has_climbed"]:
            state["loss_has_climbed"] = int(mean > lowest + room / 2)
            return False
        state["loss_has_climbed"] = int(mean > lowest + room)
        return bool(state["loss_has_climbed"])
