"""Tables as data: the same for Markdown and for the terminal."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"[-+]?[\d,.]+( [%s])?( ± [\d,.]+)?|")


@dataclass(frozen=True)
class Table:
    """Cells with a title.

    Attributes:
        title: what it shows.
        columns: the names in the first line.
        rows: the cells, as text, one for each column.
        note: what must be read with it; empty where there is nothing.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def is_numeric(self, column: int) -> bool:
        """Tell whether a column holds numbers only, which are set to the right."""
        return all(_NUMBER.fullmatch(row[column]) for row in self.rows)


def markdown(table: Table) -> str:
    """Return the table in GitHub's Markdown, without its title, with its note below."""
    rules = ["---:" if table.is_numeric(column) else "---" for column in range(len(table.columns))]
    lines = [_line(table.columns), _line(rules), *map(_line, table.rows)]
    if table.note:
        lines += ["", table.note]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def figures_table(title: str, figures: Mapping[str, float | str], *, note: str = "") -> Table:
    """Return a table of names and values."""
    rows = tuple((name.replace("_", " "), _figure(name, value)) for name, value in figures.items())
    return Table(title=title, columns=("figure", "value"), rows=rows, note=note)


def _figure(name: str, value: float | str) -> str:
    is_share = name.endswith(("_share", "unknown_rate")) and not isinstance(value, str)
    return f"{100 * float(value):.2f} %" if is_share else shown(value)


def shown(value: float | str) -> str:
    """Return a value as people read it: thousands apart, at most four digits of a fraction."""
    if isinstance(value, str | bool):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
