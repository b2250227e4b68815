"""Where phases and notes are shown: a bar in a terminal, lines in a log, or notes alone."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import click
from rich.console import Console, RenderableType
from rich.filesize import decimal
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from bertpipe.cli.figures import described, duration, short

if TYPE_CHECKING:
    from bertpipe.cli.display import Running

_LINE_SECONDS = 10.0
_BETWEEN = "   "


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
            self.line(", ".join([f"{running.name}: {_how_far(running)}", *_rest(running), *figures]))

    def end(self, running: "Running") -> None:
        """Write how long it took."""
        self.line(f"{running.name}: {duration(running.seconds)}")


class Bar(Nothing):
    """A rich progress bar, with the figures below it."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = _Bars(self._console)

    def begin(self, running: "Running") -> None:
        """Start a bar; those of earlier phases stay on the screen as they are."""
        self._bars = _Bars(self._console)
        self._bars.show(running, time="")
        self._bars.start()

    def update(self, running: "Running") -> None:
        """Move the bar."""
        self._bars.show(running, time="".join(_rest(running)))

    def end(self, running: "Running") -> None:
        """Leave the bar with the time that the phase took."""
        self._bars.show(running, time=duration(running.seconds))
        self._bars.stop()

    def line(self, message: str) -> None:
        """Write the line above the bar."""
        self._console.print(message, emoji=False, highlight=False, markup=False)


class _Bars(Bars):
    """One bar with lines below it, which rich draws again ten times a second."""

    def __init__(self, console: Console) -> None:
        self._below: list[str] = []
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
        )
        self._task: TaskID | None = None

    def show(self, running: "Running", *, time: str) -> None:
        """Take over how far a phase is."""
        if self._task is None:
            self._task = self.add_task(running.name, text="")
        self._below = list(_packed(described(running.figures), width=self.console.width - 2))
        text = "  ".join(part for part in (_how_far(running), time) if part)
        self.update(self._task, total=running.total, completed=running.done, text=text)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bar, then the lines."""
        yield from super().get_renderables()
        for line in self._below:
            yield Text(f"  {line}", overflow="ellipsis", no_wrap=True)


def _packed(groups: Iterable[list[str]], *, width: int) -> Iterator[str]:
    """Yield lines as wide as they may be, no figure torn apart, each group on lines of its own."""
    for first, *others in groups:
        line = first
        for figure in others:
            if len(line) + len(_BETWEEN) + len(figure) > width:
                yield line
                line = figure
            else:
                line += _BETWEEN + figure
        yield line


def _how_far(running: "Running") -> str:
    if running.unit == "bytes":
        done = decimal(round(running.done))
        return done if running.total is None else f"{done} of {decimal(round(running.total))}"
    if running.total is None and not running.done:
        return ""
    total = "" if running.total is None else f" of {short(running.total)}"
    return f"{short(running.done)}{total} {running.unit}"


def _rest(running: "Running") -> list[str]:
    """Return the time left, or what goes on instead."""
    if running.pause is not None:
        return [f"{running.pause} ..."]
    remaining = running.remaining_seconds()
    return [] if remaining is None else [f"{duration(remaining)} left"]
