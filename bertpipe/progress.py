"""How far a stage has come: told by the stages, shown by the command line.

Code below the command line does not print. A stage is handed a ``Progress``; what becomes of it
(a bar in a terminal, plain lines in a log, nothing) is not its business.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Phase(Protocol):
    """One part of a stage's work, under way."""

    def advance(self, amount: float, **figures: float | str) -> None:
        """Report that ``amount`` more units are done, or none, with figures worth watching."""

    def doing(self, what: str | None) -> None:
        """Tell what goes on between two advances, such as ``evaluate``; none: the work itself."""


class Progress(Protocol):
    """Where a stage reports to."""

    def phase(
        self, name: str, *, total: float | None, unit: str, done: float = 0
    ) -> AbstractContextManager[Phase]:
        """Open a phase of ``total`` units (unset: unknown), ``done`` of them by an earlier run."""

    def note(self, message: str) -> None:
        """Tell something that the user should know now, in one line."""

    def record(self, **facts: float | str) -> None:
        """Keep facts of this run (device, threads) for the run log, never for an artifact."""


class Silent:
    """A ``Progress`` that drops everything, for use as a library."""

    def phase(
        self, name: str, *, total: float | None, unit: str, done: float = 0
    ) -> AbstractContextManager[Phase]:
        """Open a phase that nobody watches."""
        return nullcontext(self)

    def advance(self, amount: float, **figures: float | str) -> None:
        """Drop the advance."""

    def doing(self, what: str | None) -> None:
        """Drop it."""

    def note(self, message: str) -> None:
        """Drop the note."""

    def record(self, **facts: float | str) -> None:
        """Drop the facts."""
