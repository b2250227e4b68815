"""Where phases and notes are shown: lines in a log, or notes alone; ``bar`` has the one for a terminal."""

from typing import TYPE_CHECKING, Protocol

import click
from rich.filesize import decimal

from bertpipe.cli.figures import described, duration, short

if TYPE_CHECKING:
    from bertpipe.cli.display import Running

_LINE_SECONDS = 10.0


class Screen(Protocol):
    """Where phases and notes are shown."""

    def begin(self, running: "Running") -> None:
        """Show that a phase has begun."""

    def update(self, running: "Running") -> None:
        """Show how far it is."""

    def end(self, running: "Running") -> None:
        """Show that it is over."""

    def line(self, message: str) -> None:
        """Show one line."""


class Nothing:
    """Shows notes only: they are what a user must know even with ``--quiet``."""

    def begin(self, running: "Running") -> None:
        """Show nothing."""

    def update(self, running: "Running") -> None:
        """Show nothing."""

    def end(self, running: "Running") -> None:
        """Show nothing."""

    def line(self, message: str) -> None:
        """Write the line to stderr."""
        click.echo(message, err=True)


class Lines(Nothing):
    """A line every few seconds, for logs."""

    def __init__(self) -> None:
        self._last = 0.0

    def begin(self, running: "Running") -> None:
        """Start the clock, so that short phases show one line only."""
        self._last = running.started

    def update(self, running: "Running") -> None:
        """Write a line when the last one is old enough."""
        if running.now - self._last >= _LINE_SECONDS:
            self._last = running.now
            figures = [figure for group in described(running.figures) for figure in group]
            self.line(", ".join([f"{running.name}: {how_far(running)}", *rest(running), *figures]))

    def end(self, running: "Running") -> None:
        """Write how long it took."""
        self.line(f"{running.name}: {duration(running.seconds)}")


def how_far(running: "Running") -> str:
    """Return what is done, and of how much."""
    if running.unit == "bytes":
        done = decimal(round(running.done))
        return done if running.total is None else f"{done} of {decimal(round(running.total))}"
    if running.total is None and not running.done:
        return ""
    total = "" if running.total is None else f" of {short(running.total)}"
    return f"{short(running.done)}{total} {running.unit}"


def rest(running: "Running") -> list[str]:
    """Return the time left, or what goes on instead."""
    if running.pause is not None:
        return [f"{running.pause} ..."]
    remaining = running.remaining_seconds()
    return [] if remaining is None else [f"{duration(remaining)} left"]
