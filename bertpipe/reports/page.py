"""The report for people: tables, sentences and the picture of the curves."""

from collections.abc import Iterator, Sequence

from bertpipe.reports.curves import Chart, Series
from bertpipe.reports.glue_table import glue_table
from bertpipe.reports.sources import Report
from bertpipe.reports.tables import Table, figures_table, markdown
from bertpipe.reports.task_tables import class_table, confusion_table, reliability, runs_table, task_table

PICTURE, RELIABILITY = "curves.svg", "reliability.svg"

_OBJECTIVES = {"mlm": "masked LM", "nsp": "next sentence", "sop": "sentence order"}
_UNITS = {"loss": "loss (nats)", "accuracy": "accuracy (share)"}


def charts(report: Report) -> list[Chart]:
    """Return train and validation curves, a chart for each figure of each objective."""
    measured = [name.partition("_") for name in report.curves]
    figures = dict.fromkeys(rest for part, _, rest in measured if part in ("train", "validation"))
    # The sum over objectives adds nothing to them, but stands alone where there is one only.
    return [_chart(report, figure) for figure in figures if figure != "loss" or len(figures) == 1]


def reliability_charts(report: Report) -> list[Chart]:
    """Return a chart for each task whose answers have probabilities."""
    return [chart for task in report.tasks for chart in reliability(task)]


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
    return [*data, *_pretraining_tables(report), *_task_tables(report)]


def page(report: Report) -> str:
    """Return the report in Markdown; it shows the picture of the curves that stands beside it."""
    parts = ["# Report"]
    parts += _section("Text", _sample_tables(report))
    parts += _section("Vocabulary and instances", _data_tables(report))
    if report.curves:
        parts += ["## Pre-training", f"![Loss and accuracy by step]({PICTURE})"]
    parts += [part for table in _pretraining_tables(report) for part in _titled(table)]
    parts += ["## Fine-tuning"]
    parts += [part for table in _task_tables(report) for part in _titled(table)]
    if reliability_charts(report):
        parts += [f"![How often answers of a probability are right]({RELIABILITY})"]
    for task in report.tasks:
        parts += _folded(f"{task.task}: every class", [*class_table(task), *confusion_table(task)])
        parts += _folded(f"{task.task}: every run", [runs_table(task)])
    parts += ["<details>\n<summary>Signatures of all scores</summary>", *_signatures(report), "</details>"]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _task_tables(report: Report) -> list[Table]:
    return [*(task_table(task) for task in report.tasks), *glue_table(report.tasks)]


def _section(title: str, tables: Sequence[Table]) -> list[str]:
    """Return a heading with its tables; nothing without tables."""
    return [f"## {title}", *(part for table in tables for part in _titled(table))] if tables else []


def _folded(title: str, tables: Sequence[Table]) -> list[str]:
    """Return tables that a reader opens; nothing without tables."""
    if not tables:
        return []
    shown = [part for table in tables for part in _titled(table)]
    return [f"<details>\n<summary>{title}</summary>", *shown, "</details>"]


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
    named = {"Vocabulary": report.vocabulary, "Pre-training instances": report.shards}
    return [figures_table(title, figures) for title, figures in named.items() if figures]


def _pretraining_tables(report: Report) -> list[Table]:
    curves = report.curves
    if not curves:
        return []
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


def _signatures(report: Report) -> Iterator[str]:
    for task in report.tasks:
        for start in task.starts:
            seeds = ("" if run.seed is None else f"seed {run.seed}: " for run in start.runs)
            lines = [f"{seed}`{run.signature}`" for seed, run in zip(seeds, start.runs, strict=True)]
            yield "\n".join([f"{task.task}, {start.initialization}:", "", *(f"- {line}" for line in lines)])
