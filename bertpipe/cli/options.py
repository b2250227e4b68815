"""Options that every stage command has, and what becomes of them."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bertpipe.cli import early

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from bertpipe.cli.display import Display
    from bertpipe.cli.runlog import Journal
    from bertpipe.configs import Params, Settings
    from bertpipe.reports import tables as report_tables

S = TypeVar("S", bound="Settings")

FOLDER = click.Path(path_type=Path)

# Options that are short for --set SECTION.NAME.
_SHORT = {"workers": "runtime", "executor": "runtime", "scheduler": "runtime", "split": "predict"}


@dataclass
class StageCall:
    """One call of a stage from the command line.

    Attributes:
        name: the stage.
        out: the output folder.
        params: the settings, read once.
        display: where progress goes.
        journal: where it is kept.
        as_json: print one JSON object instead of a table.
        started: when the command began, in seconds.
    """

    name: str
    out: Path
    params: "Params"
    display: "Display"
    journal: "Journal"
    as_json: bool
    started: float

    def read(self, model: type[S]) -> S:
        """Return the sections of ``params.yaml`` that a stage reads, checked."""
        return self.params.read(model)

    def show(self, summary: "DataclassInstance", *, tables: Sequence["report_tables.Table"] = ()) -> None:
        """Write the result to stdout, and how long it took to the run log.

        Args:
            summary: what the command did.
            tables: what people see in its place.
        """
        from bertpipe.cli import results, runlog

        runlog.append(
            stage=self.name,
            out=self.out,
            seconds=time.monotonic() - self.started,
            phases=self.display.seconds_by_phase,
            facts=self.display.facts,
        )
        self.journal.finish(self.display.facts)
        if self.as_json or not tables:
            results.print_result(asdict(summary), title=self.name, as_json=self.as_json)
        else:
            for table in tables:
                results.print_table(table)


def stage(
    name: str, *, writes: str = "Folder to write"
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add ``--params --set --out --json --quiet`` and hand the command a ``StageCall``."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @click.option("--out", type=FOLDER, required=True, help=f"{writes}; replaced when whole.")
        @click.option("--params", type=FOLDER, help="Settings file; default: params.yaml, if there.")
        @click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable."
        )
        @click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
        @click.option("--quiet", is_flag=True, help="Show no progress.")
        @functools.wraps(command)
        def call(
            out: Path, params: Path | None, overrides: Sequence[str], as_json: bool, quiet: bool, **rest: Any
        ) -> None:
            from bertpipe.cli.display import open_display
            from bertpipe.cli.runlog import keeping_journal
            from bertpipe.configs import Params

            started = time.monotonic()
            for setting, section in _SHORT.items():
                value = rest.pop(setting, None)
                if value is not None:
                    overrides = (*overrides, f"{section}.{setting}={value}")
            loaded = Params.load(params, overrides)
            with keeping_journal(name, out) as journal, open_display(journal, quiet=quiet) as shown:
                call = StageCall(name, out, loaded, shown, journal, as_json, started)
                command(stage=call, **rest)

        return call

    return decorate


def workers(*modules: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add ``--workers``, ``--executor`` and ``--scheduler``, each short for ``--set runtime.NAME``.

    Args:
        modules: what worker processes run; their imports begin before all else.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def call(**values: Any) -> None:
            early.leave_out_threads()
            if values["executor"] != "dask" and values["scheduler"] is None:
                early.start_fork_server(modules, corpus=values["corpus"], workers=values["workers"])
            command(**values)

        return _with_workers(call)

    return decorate


def _with_workers(command: Callable[..., None]) -> Callable[..., None]:
    number = click.option("--workers", type=click.IntRange(min=1), help="Processes; default: one a core.")
    executor = click.option(
        "--executor",
        type=click.Choice(["local", "dask"]),
        help="Processes of this machine, or workers of a Dask scheduler; default: dask with --scheduler.",
    )
    scheduler = click.option(
        "--scheduler", metavar="ADDRESS", help="Of the Dask scheduler, such as tcp://host:8786."
    )
    return number(executor(scheduler(command)))


def corpus(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--corpus``."""
    option = click.option(
        "--corpus",
        metavar="PATH",
        multiple=True,
        required=True,
        help="Text file or folder, pattern ('text/*.txt'), list of these (@list.txt) or URL; repeatable.",
    )
    return option(command)


def task(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--task`` and ``--data``."""
    name = click.option("--task", required=True, metavar="NAME", help="Task, such as film-reviews.")
    data = click.option("--data", type=FOLDER, required=True, help="Folder with train, dev and test.")
    return name(data(command))
