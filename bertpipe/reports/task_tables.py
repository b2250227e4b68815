"""What the runs of one task came to: tables, sentences and reliability diagrams."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from bertpipe.metrics import Score, Summary
from bertpipe.reports.comparison import Comparison, Reliability, Run, Start
from bertpipe.reports.curves import Chart, Series
from bertpipe.reports.tables import Table

# A larger matrix does not fit on a page, and more lines cannot be told apart.
_MOST_LABELS, _MOST_LINES = 20, 5


def task_table(task: Comparison) -> Table:
    """Return mean and spread of each start, every seed's value, and what pre-training gave."""
    first = task.starts[0].runs[0]
    runs = [run for start in task.starts for run in start.runs]
    seeds = sorted({run.seed for run in runs if run.seed is not None})
    sizes = [run.train_examples for run in runs if run.train_examples is not None]
    learned = f"; {sizes[0]:,} to learn from" if sizes else ""
    others = [name for name in first.scores if name != task.primary]
    best = _best_columns(task, seeds)
    columns = ("start", task.primary, *(f"seed {seed}" for seed in seeds), *best, *others)
    rows = tuple(_start_row(start, task.primary, seeds, best, others) for start in task.starts)
    return Table(
        title=f"{task.task} ({first.split}, {first.n:,} examples{learned})",
        columns=tuple(column.replace("_", " ") for column in columns),
        rows=rows,
        note=" ".join(_sentences(task)),
    )


def _best_columns(task: Comparison, seeds: Sequence[int]) -> list[str]:
    """Return the columns of the best runs: none where there is one seed, one where dev says nothing new."""
    if len(seeds) < 2:
        return []
    tells = task.starts[0].runs[0].split != "dev" and any(start.dev for start in task.starts)
    return ["best", "best by dev"] if tells else ["best"]


def _start_row(
    start: Start, primary: str, seeds: Sequence[int], best: Sequence[str], others: Sequence[str]
) -> tuple[str, ...]:
    runs = {run.seed: run for run in start.runs}
    values = [_value(runs[seed], primary) if seed in runs else "" for seed in seeds]
    values += [_shown(primary, start.best), _shown(primary, start.best_by_dev)][: len(best)]
    means = (_mean(name, start.summaries[name]) for name in others)
    return (start.initialization, _mean(primary, start.summaries[primary]), *values, *means)


def _value(run: Run, name: str) -> str:
    return Score(name, run.scores[name]).shown() + (" (collapsed)" if run.has_collapsed else "")


def _shown(name: str, value: float | None) -> str:
    return "" if value is None else Score(name, value).shown()


def _mean(name: str, summary: Summary) -> str:
    mean = Score(name, summary.mean).shown()
    return mean if summary.sd is None else f"{mean} ± {Score(name, summary.sd).shown()}"


def _sentences(task: Comparison) -> Iterator[str]:
    name = task.primary.replace("_", " ")
    for baseline, value in task.starts[0].runs[0].baseline.items():
        yield f"Baseline: {baseline.replace('_', ' ')} {Score(baseline, value).shown()}."
    for start in task.starts:
        if start.collapsed:
            yield (
                f"Collapsed (nothing learned): {start.collapsed} of {len(start.runs)} "
                f"runs from the {start.initialization} start."
            )
    if task.chosen is not None:
        yield _choice(task)
    if task.gain is None:
        return
    change = Score(task.primary, task.gain.difference).shown()
    said = f"Pre-trained minus random: {change if change.startswith('-') else '+' + change} {name}"
    if task.gain.spread is None:
        yield f"{said}; with a single run from one of the starts its spread is not known."
        return
    verdict = "larger than" if task.gain.is_beyond_spread else "not larger than"
    yield (
        f"{said}, {verdict} the spread of {Score(task.primary, task.gain.spread).shown()} (the two standard "
        "deviations over seeds, added)."
    )


def _choice(task: Comparison) -> str:
    """Say which settings are best on dev, and what they score on the split that was evaluated."""
    settings = [start for start in task.starts if start.runs[0].setting]
    best = shown_start(task)
    assert best.dev is not None
    split = best.runs[0].split
    means = {"dev": best.dev} | {split: best.summaries[task.primary]}
    shown = ", ".join(f"{_mean(task.primary, mean)} on {where}" for where, mean in means.items())
    return (
        f"Chosen on dev among {len(settings)} settings: {best.initialization} "
        f"({task.primary.replace('_', ' ')} {shown})."
    )


def shown_start(task: Comparison) -> Start:
    """Return the start to show in detail: the one that was chosen, else the first."""
    return next((start for start in task.starts if start.initialization == task.chosen), task.starts[0])


def runs_table(task: Comparison) -> Table:
    """Return every run by itself: its interval, its score on dev, how far its probabilities are off."""
    name = task.primary
    rows = []
    for start in task.starts:
        for run in start.runs:
            interval = [Score(name, end).shown() for end in run.intervals.get(name, ())]
            error = run.calibration and f"{100 * run.calibration.expected_calibration_error:.1f}"
            rows.append(
                (
                    start.initialization,
                    "" if run.seed is None else str(run.seed),
                    _value(run, name),
                    " to ".join(interval),
                    _shown(name, (run.dev or {}).get(name)),
                    error or "",
                )
            )
    columns = ("start", "seed", name.replace("_", " "), "95 % interval", "dev", "calibration error")
    return Table(
        title=f"{task.task}: every run",
        columns=columns,
        rows=tuple(rows),
        note="The interval is over draws of the examples (bootstrap), not over seeds.",
    )


def class_table(task: Comparison) -> list[Table]:
    """Return the scores of each class, the mean over the seeds of one start; nothing without classes."""
    start = shown_start(task)
    first = start.runs[0].classes
    if not first:
        return []
    columns = list(dict.fromkeys(name for scores in first.values() for name in scores))
    rows = []
    for label in first:
        found = [run.classes[label] for run in start.runs if label in run.classes]
        means = {name: fmean(scores[name] for scores in found) for name in first[label]}
        cells = (
            f"{means[name]:,.0f}" if name == "support" else _shown(name, means.get(name)) for name in columns
        )
        rows.append((label, *cells))
    title = f"{task.task}: classes ({start.initialization}, {_means_of(start)})"
    return [Table(title, ("class", *columns), tuple(rows))]


def confusion_table(task: Comparison) -> list[Table]:
    """Return how often each label was answered for each, summed over the seeds of one start."""
    start = shown_start(task)
    matrices = [run.confusion for run in start.runs if run.confusion is not None]
    if not matrices or len(matrices[0].labels) > _MOST_LABELS:
        return []
    labels = matrices[0].labels
    same = [matrix.counts for matrix in matrices if matrix.labels == labels]
    rows = tuple(
        (label, *(f"{sum(counts[row][column] for counts in same):,}" for column in range(len(labels))))
        for row, label in enumerate(labels)
    )
    title = f"{task.task}: right label (rows) and answer (columns), summed over {len(same)} runs"
    return [Table(title, ("", *labels), rows)]


def _means_of(start: Start) -> str:
    return "one run" if len(start.runs) == 1 else f"mean of {len(start.runs)} runs"


def reliability(task: Comparison) -> list[Chart]:
    """Return how often answers of a probability are right, a line a start; nothing without probabilities."""
    lines = [
        Series(start.initialization, points)
        for start in task.starts[:_MOST_LINES]
        if (points := _pooled([run.calibration for run in start.runs if run.calibration]))
    ]
    if not lines:
        return []
    ideal = Series("as it should be", ((0.0, 0.0), (1.0, 1.0)))
    title = f"{task.task}: reliability"
    return [Chart(title, "probability of the answer", "share that is right", (ideal, *lines))]


def _pooled(parts: Sequence[Reliability]) -> tuple[tuple[float, float], ...]:
    """Return the bins of all runs together, by probability in fifteenths."""
    places: dict[int, list[tuple[int, float, float]]] = {}
    for part in parts:
        for one in part.bins:
            place = min(int(one.confidence * 15), 14)
            places.setdefault(place, []).append((one.count, one.confidence, one.accuracy))
    points = []
    for place in sorted(places):
        total = sum(count for count, _, _ in places[place])
        confidence = sum(count * value for count, value, _ in places[place]) / total
        points.append((confidence, sum(count * value for count, _, value in places[place]) / total))
    return tuple(points)
