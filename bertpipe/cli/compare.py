"""``bertpipe compare``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bertpipe.cli import options

if TYPE_CHECKING:
    from bertpipe.reports import Table
    from bertpipe.tools.compare import CompareSummary


@click.command()
@click.argument("first", type=options.FOLDER)
@click.argument("second", type=options.FOLDER)
@click.option(
    "--data", type=options.FOLDER, required=True, help="Folder of the task, as both were scored on."
)
@options.stage("compare")
def compare(first: Path, second: Path, data: Path, stage: options.StageCall) -> None:
    """Tell how sure it is that one model is better than another (paired bootstrap).

    FIRST and SECOND are outputs of 'bertpipe eval' on the same split of the same data.
    """
    from bertpipe.tools import compare as compare_tool

    settings = stage.read(compare_tool.CompareSettings)
    summary = compare_tool.run(settings, first=first, second=second, data=data, out=stage.out)
    stage.show(summary, tables=[_table(summary, first, second)])


def _table(summary: "CompareSummary", first: Path, second: Path) -> "Table":
    from bertpipe.metrics import Score
    from bertpipe.reports import Table

    rows = []
    for name, found in summary.scores.items():
        values = (found.first, found.second, found.difference, *found.interval)
        before, after, change, low, high = (Score(name, value).shown() for value in values)
        shown = (before, after, change, f"{low} to {high}", f"{found.p_value:.3f}")
        rows.append((name.replace("_", " "), *shown))
    return Table(
        title=f"{summary.task} ({summary.split}, {summary.n:,} examples): {first} and {second}",
        columns=("score", "first", "second", "second - first", "95 % interval", "p-value"),
        rows=tuple(rows),
        note=f"Paired bootstrap over {summary.samples:,} draws of the examples. The p-value says how often a "
        "difference as large would come from the choice of the examples alone; it knows nothing of seeds.",
    )
