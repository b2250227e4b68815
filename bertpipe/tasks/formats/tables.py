"""Tables as text: TSV in which a quote is an ordinary character, and CSV as RFC 4180 has it."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bertpipe.errors import TaskDataError
from bertpipe.tasks.formats.files import lines_of, read_text
from bertpipe.tasks.formats.records import Record

# Of the whole process; Python's own limit is 128 KiB.
_LONGEST_FIELD = 2**31 - 1
_SHOWN_NAMES = 10

Row = tuple[int, list[str]]  # with the number of its first line


def read_table(
    path: Path, *, separator: str, quotes: bool, header: Sequence[str] = (), broken: list[str] | None = None
) -> Iterator[Record]:
    """Yield the rows of a table; empty lines are skipped.

    Args:
        path: of the file.
        separator: between fields.
        quotes: whether a double quote encloses a field, which may then hold separators and lines.
        header: the names of the columns; empty: the first row has them.
        broken: where given, rows with another number of fields are told here, and left out.

    Raises:
        TaskDataError: a row has another number of fields than the header, or the quotes do not match.
    """
    text = read_text(path)
    rows = _quoted_rows(text, path, separator) if quotes else _raw_rows(text, separator)
    names = list(header) or next(rows, (1, []))[1]
    _check_header(names, path)
    for number, row in rows:
        if len(row) == len(names):
            yield Record(dict(zip(names, row, strict=True)), f"{path}:{number}", is_text=True)
            continue
        message = f"{path}:{number}: {len(row)} fields, expected {len(names)} ({_shown(names)})"
        if broken is None:
            raise TaskDataError(
                message,
                hint="mend the row; if fields stand in quotes, or quotes are ordinary characters, "
                "tell it with tasks.<name>.quotes",
            )
        broken.append(message)


def _raw_rows(text: str, separator: str) -> Iterator[Row]:
    for number, line in lines_of(text):
        if line:
            yield number, line.split(separator)


def _quoted_rows(text: str, path: Path, separator: str) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(io.StringIO(text, newline="\n"), delimiter=separator, strict=True)
    first_line = 1
    try:
        for row in rows:
            if row:
                yield first_line, row
            first_line = rows.line_num + 1
    except csv.Error as error:
        raise TaskDataError(
            f"{path}:{first_line}: not valid CSV: {error}",
            hint="mend the row, or, where a quote is an ordinary character, set tasks.<name>.quotes to false",
        ) from None


def _check_header(names: Sequence[str], path: Path) -> None:
    """Refuse two columns of one name; a column without one has been written by a data frame."""
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise TaskDataError(
            f"{path}: two columns are called {twice[0]!r} ({_shown(names)})",
            hint="name the columns under tasks.<name>.header, if the file has no header",
        )


def _shown(names: Sequence[str]) -> str:
    rest = ", ..." if len(names) > _SHOWN_NAMES else ""
    return "header " + ", ".join(names[:_SHOWN_NAMES]) + rest
