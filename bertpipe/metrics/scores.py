"""Scores that travel with what one must know to compare them, as sacreBLEU's do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bertpipe import __version__

# Shares and correlations are told times 100, as the field does; these have units of their own.
NOT_TIMES_100 = frozenset({"mean_squared_error"})
LOWER_IS_BETTER = frozenset({"mean_squared_error"})


@dataclass(frozen=True)
class Score:
    """One figure of a model on a task.

    Attributes:
        name: such as ``accuracy``.
        value: as computed: a share or a correlation is not yet times 100.
    """

    name: str
    value: float

    def shown(self) -> str:
        """Return the value as people read it: shares and correlations times 100 with one digit."""
        if self.name in NOT_TIMES_100:
            return f"{self.value:.3f}"
        return f"{round(100 * self.value, 1) + 0.0:.1f}"  # + 0.0: no "-0.0"


@dataclass(frozen=True)
class ScoreReport:
    """All scores of one model on one split of one task.

    Attributes:
        task: name of the task.
        split: the part of its data, such as ``test``.
        n: number of examples.
        scores: the figures by name, in the order to show them.
        primary: the one to compare models by.
        extra: what else a reader must know, such as ``{"norm": "official-v1.1"}``.
    """

    task: str
    split: str
    n: int
    scores: Mapping[str, float]
    primary: str
    extra: Mapping[str, str] = field(default_factory=dict)

    def signature(self) -> str:
        """Return one line, such as ``film-reviews|accuracy=74.1|split:test|n:1060|version:0.1.0``."""
        figures = [f"{name}={Score(name, value).shown()}" for name, value in self.scores.items()]
        facts = {"split": self.split, "n": str(self.n), **self.extra, "version": __version__}
        return "|".join([self.task, *figures, *(f"{name}:{fact}" for name, fact in facts.items())])
