"""How progress and results look: a bar in a terminal, plain lines elsewhere, or nothing."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table

if TYPE_CHECKING:
    from bertpipe.reports import tables as report_tables

_LINE_SECONDS = 10.0
_SMALL = 1e-3


class Display:
    """A ``Progress`` that measures phases; what it shows is up to its ``Screen``."""

    def __init__(self, screen: "Screen") -> None:
        self._screen = screen
        self.seconds_by_phase: dict[str, float] = {}
        self.facts: dict[str, float | str] = {}

    @contextmanager
    def phase(self, name: str, *, total: float | None, unit: str, done: float = 0) -> Iterator["Running"]:
        """Open a phase and measure how long it takes."""
        running = Running(self._screen, name=name, total=total, unit=unit, done=done)
        self._screen.begin(running)
        try:
            yield running
        finally:
            seconds = time.monotonic() - running.started
            self.seconds_by_phase[name] = self.seconds_by_phase.get(name, 0.0) + seconds
            self._screen.end(running)

    def note(self, message: str) -> None:
        """Show one line now."""
        self._screen.line(message)

    def record(self, **facts: float | str) -> None:
        """Keep facts for the run log."""
        self.facts.update(facts)


class Running:
    """One phase under way: how far it is, and how long it will take."""

    def __init__(self, screen: "Screen", *, name: str, total: float | None, unit: str, done: float) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done, self.already = done, done
        self.figures: dict[str, float | str] = {}
        self.started = time.monotonic()
        self._screen = screen

    def advance(self, amount: float, **figures: float | str) -> None:
        """Count ``amount`` more units."""
        self.done += amount
        self.figures.update(figures)
        self._screen.update(self)

    def remaining_seconds(self) -> float | None:
        """Return the time left at the mean rate of this run; none while that is unknown."""
        fresh, seconds = self.done - self.already, time.monotonic() - self.started
        if self.total is None or fresh <= 0 or seconds < 1.0:
            return None
        return (self.total - self.done) * seconds / fresh

    def describe(self) -> str:
        """Return figures and the time left, for the end of a line."""
        parts = [f"{name.replace('_', ' ')} {_short(value)}" for name, value in self.figures.items()]
        remaining = self.remaining_seconds()
        if remaining is not None:
            parts.append(f"{_duration(remaining)} left")
        return ", ".join(parts)


class Screen(Protocol):
    """Where phases and notes are shown."""

    def begin(self, running: Running) -> None:
        """Show that a phase has begun."""

    def update(self, running: Running) -> None:
        """Show how far it is."""

    def end(self, running: Running) -> None:
        """Show that it is over."""

    def line(self, message: str) -> None:
        """Show one line."""


class Nothing:
    """Shows notes only: they are what a user must know even with ``--quiet``."""

    def begin(self, running: Running) -> None:
        """Show nothing."""

    def update(self, running: Running) -> None:
        """Show nothing."""

    def end(self, running: Running) -> None:
        """Show nothing."""

    def line(self, message: str) -> None:
        """Write the line to stderr."""
        click.echo(message, err=True)


class Lines(Nothing):
    """A line every few seconds, for logs."""

    def __init__(self) -> None:
        self._last = 0.0

    def begin(self, running: Running) -> None:
        """Start the clock, so that short phases show one line only."""
        self._last = time.monotonic()

    def update(self, running: Running) -> None:
        """Write a line when the last one is old enough."""
        if time.monotonic() - self._last >= _LINE_SECONDS:
            self._last = time.monotonic()
            total = "" if running.total is None else f" of {_short(running.total)}"
            self.line(f"{running.name}: {_short(running.done)}{total} {running.unit}, {running.describe()}")

    def end(self, running: Running) -> None:
        """Write how long it took."""
        self.line(f"{running.name}: {_duration(time.monotonic() - running.started)}")


class Bar(Nothing):
    """A rich progress bar."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = self._new_bars()
        self._task: TaskID | None = None

    def _new_bars(self) -> Bars:
        return Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}  {task.fields[figures]}"),
            console=self._console,
        )

    def begin(self, running: Running) -> None:
        """Start a bar; those of earlier phases stay on the screen as they are."""
        self._bars = self._new_bars()
        self._bars.start()
        self._task = self._bars.add_task(running.name, total=running.total, unit=running.unit, figures="")
        self._bars.update(self._task, completed=running.done)

    def update(self, running: Running) -> None:
        """Move the bar."""
        assert self._task is not None
        self._bars.update(self._task, completed=running.done, figures=running.describe())

    def end(self, running: Running) -> None:
        """Leave the bar with the time that the phase took."""
        assert self._task is not None
        took = _duration(time.monotonic() - running.started)
        self._bars.update(self._task, figures=took)
        self._bars.stop()

    def line(self, message: str) -> None:
        """Write the line above the bar."""
        self._console.print(message, emoji=False, highlight=False, markup=False)


@contextmanager
def open_display(*, quiet: bool) -> Iterator[Display]:
    """Return a display that fits where stderr goes."""
    screen: Screen
    if quiet:
        screen = Nothing()
    elif sys.stderr.isatty():
        screen = Bar()
    else:
        screen = Lines()
    yield Display(screen)


def print_result(values: Mapping[str, Any], *, title: str, as_json: bool) -> None:
    """Write a result to stdout: one JSON object, or a short table."""
    if as_json:
        click.echo(json.dumps(values, ensure_ascii=False, allow_nan=False))
        return
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in _flat(values):
        table.add_row(name.replace("_", " "), _short(value))
    _plain_console().print(table)


def print_table(table: "report_tables.Table") -> None:
    """Write a table of a report to stdout, with its note."""
    shown = Table(title=table.title, title_justify="left")
    for column, name in enumerate(table.columns):
        shown.add_column(name, justify="right" if table.is_numeric(column) else "left")
    for row in table.rows:
        shown.add_row(*row)
    console = _plain_console()
    console.print(shown)
    if table.note:
        console.print(table.note)


def _plain_console() -> Console:
    """Return stdout for text that is data: ``[UNK]`` and ``:)`` are shown as they are."""
    return Console(highlight=False, markup=False, emoji=False)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}: ")
        else:
            yield f"{prefix}{name}", value


def _short(value: object) -> str:
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.2e}" if abs(value) < _SMALL else f"{value:,.4g}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(_short(item) for item in value)
    return str(value)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
