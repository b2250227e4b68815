"""The report for people: tables, sentences and the picture of the curves."""

from collections.abc import Iterator, Sequence

from bertpipe.metrics import Score, Summary
from bertpipe.reports.comparison import Comparison, Run, Start
from bertpipe.reports.curves import Chart, Series
from bertpipe.reports.sources import Report
from bertpipe.reports.tables import Table, figures_table, markdown

PICTURE = "curves.svg"

_OBJECTIVES = {"mlm": "masked LM", "nsp": "next sentence", "sop": "sentence order"}
_UNITS = {"loss": "loss (nats)", "accuracy": "accuracy (share)"}


def charts(report: Report) -> list[Chart]:
    """Return train and validation curves, a chart for each figure of each objective."""
    measured = [name.partition("_") for name in report.curves]
    figures = dict.fromkeys(rest for part, _, rest in measured if part in ("train", "validation"))
    # The sum over objectives adds nothing to them, but stands alone where there is one only.
    return [_chart(report, figure) for figure in figures if figure != "loss" or len(figures) == 1]


def _chart(report: Report, figure: str) -> Chart:
    objective, _, unit = figure.rpartition("_")
    title = f"{_OBJECTIVES.get(objective, objective)} {unit}".strip()
    columns = {name: report.curves.get(f"{name}_{figure}") for name in ("train", "validation")}
    steps = report.curves["step"]
    series = (Series(name, tuple(zip(steps, ys, strict=True))) for name, ys in columns.items() if ys)
    return Chart(title[0].upper() + title[1:], "step", _UNITS.get(unit, unit), tuple(series))


def terminal_tables(report: Report) -> list[Table]:
    """Return the tables of the report, in order."""
    data = [*_sample_tables(report), *_data_tables(report)]
    return [*data, *_pretraining_tables(report), *(task_table(task) for task in report.tasks)]


def page(report: Report) -> str:
    """Return the report in Markdown; it shows the picture of the curves that stands beside it."""
    parts = ["# Report"]
    parts += _section("Text", _sample_tables(report))
    parts += _section("Vocabulary and instances", _data_tables(report))
    parts += ["## Pre-training", f"![Loss and accuracy by step]({PICTURE})"]
    parts += [part for table in _pretraining_tables(report) for part in _titled(table)]
    parts += ["## Fine-tuning"]
    parts += [part for task in report.tasks for part in _titled(task_table(task))]
    parts += ["<details>\n<summary>Signatures of all scores</summary>", *_signatures(report), "</details>"]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _section(title: str, tables: Sequence[Table]) -> list[str]:
    """Return a heading with its tables; nothing without tables."""
    return [f"## {title}", *(part for table in tables for part in _titled(table))] if tables else []


def _titled(table: Table) -> list[str]:
    return [f"### {table.title}", markdown(table)]


def _sample_tables(report: Report) -> list[Table]:
    if not report.sources:
        return []
    names = ("name", "version", "file", "licence", "use")
    rows = tuple(tuple(source[name] for name in names) for source in report.sources)
    return [
        Table("Sources of the sample text", ("package", *names[1:]), rows),
        figures_table("Sample text", report.samples),
    ]


def _data_tables(report: Report) -> list[Table]:
    return [
        figures_table("Vocabulary", report.vocabulary),
        figures_table("Pre-training instances", report.shards),
    ]


def _pretraining_tables(report: Report) -> list[Table]:
    curves = report.curves
    names = [name for name in curves if name.endswith(("_loss", "_accuracy"))]
    rows = tuple(
        (name.replace("_", " "), _measured(name, curves[name][0]), _measured(name, curves[name][-1]))
        for name in names
    )
    steps = [f"{int(step):,}" for step in curves["step"]]
    totals = {name: value for name, value in report.pretraining.items() if name not in curves}
    return [
        figures_table("Pre-training", totals),
        Table("Loss and accuracy", ("figure", f"first (step {steps[0]})", f"last (step {steps[-1]})"), rows),
    ]


def _measured(name: str, value: float) -> str:
    return f"{100 * value:.1f} %" if name.endswith("_accuracy") else f"{value:.3f}"


def task_table(task: Comparison) -> Table:
    """Return mean and spread of each start, every seed's value, and what pre-training gave."""
    first = task.starts[0].runs[0]
    runs = [run for start in task.starts for run in start.runs]
    seeds = sorted({run.seed for run in runs if run.seed is not None})
    sizes = [run.train_examples for run in runs if run.train_examples is not None]
    learned = f"; {sizes[0]:,} to learn from" if sizes else ""
    others = [name for name in first.scores if name != task.primary]
    columns = ("start", task.primary, *(f"seed {seed}" for seed in seeds), *others)
    rows = tuple(_start_row(start, task.primary, seeds, others) for start in task.starts)
    return Table(
        title=f"{task.task} ({first.split}, {first.n:,} examples{learned})",
        columns=tuple(column.replace("_", " ") for column in columns),
        rows=rows,
        note=" ".join(_sentences(task)),
    )


def _start_row(start: Start, primary: str, seeds: Sequence[int], others: Sequence[str]) -> tuple[str, ...]:
    runs = {run.seed: run for run in start.runs}
    values = (_value(runs[seed], primary) if seed in runs else "" for seed in seeds)
    means = (_mean(name, start.summaries[name]) for name in others)
    return (start.initialization, _mean(primary, start.summaries[primary]), *values, *means)


def _value(run: Run, name: str) -> str:
    return Score(name, run.scores[name]).shown() + (" (collapsed)" if run.constant_prediction else "")


def _mean(name: str, summary: Summary) -> str:
    mean = Score(name, summary.mean).shown()
    return mean if summary.sd is None else f"{mean} ± {Score(name, summary.sd).shown()}"


def _sentences(task: Comparison) -> Iterator[str]:
    name = task.primary.replace("_", " ")
    for baseline, value in task.starts[0].runs[0].baseline.items():
        yield f"Best constant answer: {baseline.replace('_', ' ')} {Score(baseline, value).shown()}."
    for start in task.starts:
        if start.collapsed:
            yield (
                f"Collapsed (the same answer for everything): {start.collapsed} of {len(start.runs)} "
                f"runs from the {start.initialization} start."
            )
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


def _signatures(report: Report) -> Iterator[str]:
    for task in report.tasks:
        for start in task.starts:
            seeds = ("" if run.seed is None else f"seed {run.seed}: " for run in start.runs)
            lines = [f"{seed}`{run.signature}`" for seed, run in zip(seeds, start.runs, strict=True)]
            yield "\n".join([f"{task.task}, {start.initialization}:", "", *(f"- {line}" for line in lines)])
