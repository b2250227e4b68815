"""Learning rates as functions of the step."""

import math
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from bertpipe.configs import Settings
from bertpipe.errors import ConfigError

ScheduleKind = Literal["linear", "cosine", "wsd", "constant"]


@dataclass(frozen=True)
class Schedule:
    """The shares of the peak rate over a run: a pure function of the step, so nothing to save.

    Attributes:
        kind: ``linear`` falls evenly to the end (Devlin et al. 2019, appendix A.2), ``cosine``
            along half a cosine (Radford et al. 2018, section 4.1), ``wsd`` stays and then falls
            as one minus a square root (Hägele et al. 2024, section 3.1), ``constant`` stays.
        total_steps: updates from start to end.
        warmup_steps: updates over which the rate rises evenly.
        decay_steps: the last updates, in which ``wsd`` falls.
        minimum_share: the share that the fall ends at, right after the last update.
    """

    kind: ScheduleKind
    total_steps: int
    warmup_steps: int
    decay_steps: int = 0
    minimum_share: float = 0.0

    def share(self, step: int) -> float:
        """Return the share of the peak rate at update ``step`` (from 0).

        The first update already moves: its share is ``1 / warmup_steps``.
        """
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.minimum_share + (1 - self.minimum_share) * self._height(step)

    def _height(self, step: int) -> float:
        """Return how much of the fall is left: 1 before it, 0 after the last update."""
        if self.kind == "constant":
            return 1.0
        start = self.total_steps - self.decay_steps if self.kind == "wsd" else self.warmup_steps
        if step < start:
            return 1.0
        length = max(1, self.total_steps - start)
        if self.kind == "linear":
            return (self.total_steps - step) / length
        done = (step - start) / length
        return (1 + math.cos(math.pi * done)) / 2 if self.kind == "cosine" else 1 - math.sqrt(done)


class ScheduleConfig(Settings):
    """How the learning rate falls after its warm-up; for a section to inherit."""

    schedule: ScheduleKind = Field(
        "linear", description="How the rate falls after the warm-up; wsd: warm-up, stable, decay."
    )
    decay_steps: int | None = Field(
        None, ge=1, description="Last updates in which wsd falls; unset: a tenth of all."
    )
    minimum_share: float = Field(0.0, ge=0, lt=1, description="Share of the peak rate that the fall ends at.")

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.decay_steps is not None and self.schedule != "wsd":
            raise ValueError(
                f"decay_steps = {self.decay_steps} has no meaning with schedule = {self.schedule}, "
                "only with wsd"
            )
        if self.minimum_share and self.schedule == "constant":
            raise ValueError(
                f"minimum_share = {self.minimum_share} has no meaning with schedule = constant, "
                "which does not fall"
            )
        return self

    def misfit(self, *, total_steps: int, warmup_steps: int) -> str | None:
        """Say why a run of that length has no room for its parts; none where it has.

        A section says it in its validator; where a time budget decides the length, ``over`` does.
        """
        if warmup_steps > total_steps:
            return f"warmup_steps = {warmup_steps} is more than total_steps = {total_steps}"
        if self.decay_steps is not None and warmup_steps + self.decay_steps > total_steps:
            return (
                f"warmup_steps = {warmup_steps} and decay_steps = {self.decay_steps} are together "
                f"more than total_steps = {total_steps}"
            )
        return None

    def over(self, *, total_steps: int, warmup_steps: int) -> Schedule:
        """Return the schedule of a run of that length.

        Raises:
            ConfigError: the run has no room for warm-up and decay.
        """
        problem = self.misfit(total_steps=total_steps, warmup_steps=warmup_steps)
        if problem is not None:
            raise ConfigError(problem, hint="shorten them, or train longer")
        decay_steps = self.decay_steps
        if decay_steps is None:
            decay_steps = min(max(1, total_steps // 10), total_steps - warmup_steps)
        return Schedule(self.schedule, total_steps, warmup_steps, decay_steps, self.minimum_share)
