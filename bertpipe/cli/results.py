"""How results look: a short table, or one JSON object."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from bertpipe.cli.figures import short

if TYPE_CHECKING:
    from bertpipe.reports import tables as report_tables


def print_result(values: Mapping[str, Any], *, title: str, as_json: bool) -> None:
    """Write a result to stdout: one JSON object, or a short table."""
    if as_json:
        click.echo(json.dumps(values, ensure_ascii=False, allow_nan=False))
        return
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in _flat(values):
        table.add_row(name.replace("_", " "), short(value))
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
