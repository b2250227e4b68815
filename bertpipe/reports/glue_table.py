"""GLUE as a whole, where all of its tasks were scored."""

from collections.abc import Sequence

from bertpipe.metrics import glue
from bertpipe.reports.comparison import Comparison
from bertpipe.reports.tables import Table


def glue_table(tasks: Sequence[Comparison]) -> list[Table]:
    """Return GLUE's averages of each start, from its means over seeds; nothing without all tasks."""
    means: dict[str, dict[str, dict[str, float]]] = {}
    for task in tasks:
        for start in task.starts:
            scores = {name: summary.mean for name, summary in start.summaries.items()}
            # As the catalog has the names: official folders are called CoLA and MNLI.
            means.setdefault(start.initialization, {})[task.task.lower()] = scores
    rows = []
    for start_name, scores_of in means.items():
        averages = (
            glue.leaderboard_average(scores_of),
            glue.leaderboard_average(scores_of, with_wnli=False),
            glue.paper_average(scores_of),
        )
        if any(average is not None for average in averages):
            rows.append((start_name, *("" if value is None else f"{100 * value:.1f}" for value in averages)))
    if not rows:
        return []
    return [
        Table(
            title="GLUE",
            columns=("start", "average", "average without WNLI", "average of the paper's columns"),
            rows=tuple(rows),
            note="Of the mean of each task over its seeds, by the rules of the leaderboard and of the paper.",
        )
    ]
