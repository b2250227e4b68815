"""The bar in a terminal. It is loaded where there is one only: rich takes 0.05 s."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from bertpipe.cli.figures import described, duration
from bertpipe.cli.screens import Nothing, how_far, rest

if TYPE_CHECKING:
    from bertpipe.cli.display import Running

_BETWEEN = "   "


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
        self._bars.show(running, time="".join(rest(running)))

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
        text = "  ".join(part for part in (how_far(running), time) if part)
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
