"""One page about a whole pipeline: the text, the vocabulary, the curves, the scores."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bertpipe.artifacts import read_manifest, write_json, written_whole
from bertpipe.errors import ArtifactError
from bertpipe.progress import Progress, Silent
from bertpipe.reports.curves import svg
from bertpipe.reports.page import PICTURE, RELIABILITY, charts, page, reliability_charts
from bertpipe.reports.sources import (
    Figures,
    Report,
    by_task,
    flatten,
    manifest_hashes,
    read_checked,
    read_curves,
    read_figures,
    read_runs,
)

CODE = (
    "artifacts",
    "errors.py",
    "metrics",
    "progress.py",
    "randomness.py",
    "reports",
    "stages/report.py",
)


_STAGES = {"vocab": "vocab", "shards": "prepare", "model": "pretrain", "samples": "samples"}


@dataclass(frozen=True)
class ReportSummary:
    """What was written.

    Attributes:
        page: the report, for people.
        runs: number of fine-tuned models in it.
        gains: pre-trained minus random in the primary score, by task, where both were run.
        beyond_spread: whether that is larger than the spread over seeds, by task.
        collapsed: number of runs that have learned nothing, by task.
    """

    page: str
    runs: int
    gains: dict[str, float]
    beyond_spread: dict[str, bool]
    collapsed: dict[str, int]


def run(
    *,
    samples: Path | None,
    vocab: Path | None,
    shards: Path | None,
    model: Path | None,
    scores: Path,
    out: Path,
    progress: Progress | None = None,
) -> ReportSummary:
    """Read what the stages measured and write ``report.md``, its pictures and ``report.json``.

    Args:
        samples: the sample text, where that was used.
        vocab: the vocabulary; this and the next two where they are to be told of.
        shards: the pre-training instances.
        model: the pre-trained model.
        scores: a folder with an output of ``eval`` in each ``<task>/<run>``.
        out: the output folder.
        progress: where to report to.

    Raises:
        ArtifactError: an input is missing, changed or does not fit, or ``out`` is not ours.
    """
    given = {"vocab": vocab, "shards": shards, "model": model, "samples": samples}
    folders = {name: (folder, _STAGES[name]) for name, folder in given.items() if folder is not None}
    with (progress or Silent()).phase("read outputs", total=None, unit="files"):
        inputs = manifest_hashes(folders)
        runs = read_runs(scores)
        inputs |= manifest_hashes({f"scores/{name}": (scores / name, "eval") for name in runs})
        report = Report(
            sources=_read_sources(samples),
            samples=_figures(samples, "samples"),
            vocabulary=_figures(vocab, "vocab"),
            shards=_figures(shards, "prepare"),
            pretraining={} if model is None else _read_metrics(model),
            curves={} if model is None else read_curves(model),
            tasks=by_task(list(runs.values())),
        )
    with written_whole(out, stage="report", settings={}, inputs=inputs) as output:
        write_json(output.folder / "report.json", report.model_dump())
        for name, drawn in ((PICTURE, charts(report)), (RELIABILITY, reliability_charts(report))):
            if drawn:
                (output.folder / name).write_text(svg(drawn), encoding="utf-8", newline="\n")
        (output.folder / "report.md").write_text(page(report), encoding="utf-8", newline="\n")
    gains = {task.task: task.gain for task in report.tasks if task.gain is not None}
    return ReportSummary(
        page=(out / "report.md").as_posix(),
        runs=len(runs),
        gains={name: gain.difference for name, gain in gains.items()},
        beyond_spread={name: gain.is_beyond_spread for name, gain in gains.items()},
        collapsed={task.task: sum(start.collapsed for start in task.starts) for task in report.tasks},
    )


def read_report(folder: Path) -> Report:
    """Return what an earlier run has written, to show it again.

    Raises:
        ArtifactError: the folder is not an output of this stage.
    """
    content = read_checked(folder, "report.json", stage="report")
    try:
        return Report.model_validate_json(content)
    except ValidationError:
        version = read_manifest(folder).version
        raise ArtifactError(f"{folder}: written by bertpipe {version}", hint="run 'report' again") from None


def _figures(folder: Path | None, stage: str) -> Figures:
    return {} if folder is None else read_figures(folder, stage=stage)


def _read_sources(samples: Path | None) -> list[dict[str, str]]:
    if samples is None:
        return []
    sources: list[dict[str, str]] = json.loads(read_checked(samples, "sources.json", stage="samples"))
    return sources


def _read_metrics(model: Path) -> dict[str, float | str]:
    return dict(flatten(json.loads(read_checked(model, "metrics.json", stage="pretrain"))))
