"""What becomes of a stage's progress: measured, shown on a screen, kept in a journal."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bertpipe.cli.pace import Pace
from bertpipe.cli.screens import Lines, Nothing, Screen

Clock = Callable[[], float]


class Display:
    """A ``Progress`` that measures phases; what it shows is up to its screens."""

    def __init__(self, *screens: Screen, clock: Clock = time.monotonic) -> None:
        self._screens = screens
        self._clock = clock
        self.seconds_by_phase: dict[str, float] = {}
        self.facts: dict[str, float | str] = {}

    @contextmanager
    def phase(self, name: str, *, total: float | None, unit: str, done: float = 0) -> Iterator["Running"]:
        """Open a phase and measure how long it takes."""
        running = Running(self._screens, self._clock, name=name, total=total, unit=unit, done=done)
        for screen in self._screens:
            screen.begin(running)
        try:
            yield running
        finally:
            running.now = self._clock()
            self.seconds_by_phase[name] = self.seconds_by_phase.get(name, 0.0) + running.seconds
            for screen in self._screens:
                screen.end(running)

    def note(self, message: str) -> None:
        """Show one line now."""
        for screen in self._screens:
            screen.line(message)

    def record(self, **facts: float | str) -> None:
        """Keep facts for the run log."""
        self.facts.update(facts)


class Running:
    """One phase under way: how far it is, and how long it will take.

    Attributes:
        name: the phase.
        total: units in all; unset: unknown.
        unit: what is counted.
        done: units so far.
        figures: the last value of each.
        fresh: those that came with the last advance.
        pause: what goes on instead of the work, such as ``evaluate``.
        started: when it began, in seconds of the clock.
        now: when it last told something.
    """

    def __init__(
        self,
        screens: Sequence[Screen],
        clock: Clock,
        *,
        name: str,
        total: float | None,
        unit: str,
        done: float,
    ) -> None:
        self.name, self.total, self.unit, self.done = name, total, unit, done
        self.figures: dict[str, float | str] = {}
        self.fresh: dict[str, float | str] = {}
        self.pause: str | None = None
        self.started = self.now = clock()
        self._screens, self._clock = screens, clock
        self._pace = Pace(self.now, done)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return self.now - self.started

    def advance(self, amount: float, **figures: float | str) -> None:
        """Count ``amount`` more units."""
        self.done += amount
        self.fresh = figures
        self.figures.update(figures)
        self._tell()

    def doing(self, what: str | None) -> None:
        """Show what goes on instead of the work."""
        self.pause, self.fresh = what, {}
        self._tell()

    def remaining_seconds(self) -> float | None:
        """Return the time left; none while that is unknown."""
        return None if self.total is None else self._pace.seconds_for(self.total - self.done)

    def _tell(self) -> None:
        self.now = self._clock()
        self._pace.saw(self.now, self.done)
        for screen in self._screens:
            screen.update(self)


@contextmanager
def open_display(*screens: Screen, quiet: bool) -> Iterator[Display]:
    """Return a display that fits where stderr goes, and tells other screens too."""
    shown: Screen
    if quiet:
        shown = Nothing()
    elif sys.stderr.isatty():
        from bertpipe.cli.bar import Bar

        shown = Bar()
    else:
        shown = Lines()
    yield Display(shown, *screens)
