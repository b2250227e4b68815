"""What the stages left behind for the report: read, checked against manifests, put in one model."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bertpipe.artifacts import Manifest, check_files, read_manifest
from bertpipe.errors import ArtifactError
from bertpipe.reports.comparison import Comparison, Facts, Run, Scored, compare

Figures = dict[str, float | str]


class Report(Facts):
    """Everything that the report shows.

    Attributes:
        sources: the packages of the sample text, and their licences; empty for other text.
        samples: documents and examples of the sample text; empty for other text.
        vocabulary: figures of the vocabulary; empty, as the two below, where it was not asked for.
        shards: figures of the pre-training instances.
        pretraining: figures of the whole pre-training.
        curves: its curves, column by column, one value an evaluation; empty where there was none.
        tasks: each task from every start.
    """

    sources: list[dict[str, str]]
    samples: Figures
    vocabulary: Figures
    shards: Figures
    pretraining: Figures
    curves: dict[str, list[float]]
    tasks: list[Comparison]


def read_checked(folder: Path, name: str, *, stage: str) -> bytes:
    """Return one file of a stage's output, checked against the manifest; the others are not read.

    Raises:
        ArtifactError: the folder is not such an output, or the file is missing or changed.
    """
    manifest = read_manifest(folder, stage=stage)
    if name not in manifest.files:
        raise ArtifactError(f"{folder} holds no {name}", hint=f"run {stage!r} again")
    check_files(folder, manifest.model_copy(update={"files": {name: manifest.files[name]}}))
    return (folder / name).read_bytes()


def read_figures(folder: Path, *, stage: str) -> Figures:
    """Return what a data stage counted: its ``statistics.json``, else the counts of its manifest.

    Raises:
        ArtifactError: as ``read_checked``.
    """
    manifest = read_manifest(folder, stage=stage)
    if "statistics.json" not in manifest.files:
        return dict(flatten(manifest.counts))
    return dict(flatten(json.loads(read_checked(folder, "statistics.json", stage=stage))))


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float | str]]:
    """Return the single values below nested names, such as ``("train: sentences", 9)``.

    Lists of numbers and histograms (keys that are numbers) are for pictures, not for a table.
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            if not all(key.lstrip("-").isdigit() for key in value):
                yield from flatten(value, f"{prefix}{name}: ")
        elif isinstance(value, int | float | str):
            yield f"{prefix}{name}", value
        elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            yield f"{prefix}{name}", ", ".join(value)


def read_curves(folder: Path) -> dict[str, list[float]]:
    """Return the columns of ``curves.tsv`` of a pre-trained model, without rows that lack a figure.

    Raises:
        ArtifactError: as ``read_checked``, or the file is not such a table.
    """
    lines = read_checked(folder, "curves.tsv", stage="pretrain").decode("utf-8").splitlines()
    names, *written = [line.split("\t") for line in lines] or [[]]
    rows = [row for row in written if "" not in row]
    where = folder / "curves.tsv"
    if "step" not in names or "train_loss" not in names or not rows:
        raise ArtifactError(f"{where}: no curves in it", hint="run 'pretrain' again")
    try:
        numbers = [[float(cell) for cell in row] for row in rows]
        columns = list(zip(*numbers, strict=True))
        curves = {name: list(column) for name, column in zip(names, columns, strict=True)}
    except ValueError as error:
        raise ArtifactError(f"{where}: not a table of numbers: {error}") from None
    for name, column in curves.items():
        bad = [value for value in column if not math.isfinite(value)]
        if bad:
            raise ArtifactError(f"{where}: {name} is {bad[0]}", hint="pre-training has diverged")
    return curves


def read_runs(scores: Path) -> dict[str, Run]:
    """Return the scores of every ``<task>/<start>-<seed>`` below a folder, by that name, sorted.

    Raises:
        ArtifactError: there are none, one is not as ``eval`` writes it, or two do not fit together.
    """
    folders = sorted(path for path in scores.glob("*/*") if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise ArtifactError(f"{scores} holds no scores", hint="run 'bertpipe eval' for a task first")
    runs = _told_apart({path.relative_to(scores).as_posix(): _read_run(path) for path in folders})
    _check_fit(scores, runs)
    return runs


def _told_apart(runs: Mapping[str, Run]) -> dict[str, Run]:
    """Give each run the settings in which runs of its task and start differ, such as those of a grid."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs.values():
        groups.setdefault((run.task, run.initialization), []).append(run)
    differing = {place: _differing([run.finetune for run in group]) for place, group in groups.items()}
    told = {}
    for name, run in runs.items():
        names = differing[run.task, run.initialization]
        setting = ", ".join(f"{key.replace('_', ' ')} {run.finetune.get(key)}" for key in names)
        told[name] = run.model_copy(update={"setting": setting})
    return told


def _differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for values in settings for name in values)
    return [name for name in names if any(values.get(name) != settings[0].get(name) for values in settings)]


def _read_run(folder: Path) -> Run:
    """Return what ``eval`` wrote; a model that was fine-tuned elsewhere is called by its folder."""
    content = read_checked(folder, "scores.json", stage="eval")
    try:
        scored = Scored.model_validate_json(content)
        start = scored.initialization or f"model {folder.name}"
        run = Run.model_validate(scored.model_dump() | {"initialization": start})
    except ValidationError as error:
        details = error.errors()[0]
        place = ".".join(str(part) for part in details["loc"])
        raise ArtifactError(f"{folder / 'scores.json'}: {place}: {details['msg']}") from None
    if run.primary not in run.scores:
        raise ArtifactError(f"{folder / 'scores.json'}: no value for the primary score {run.primary}")
    return run


def _check_fit(scores: Path, runs: Mapping[str, Run]) -> None:
    """Refuse runs that cannot be averaged: another split or score, or a seed that counts twice."""
    first_of: dict[str, str] = {}
    seen: dict[tuple[str, str, int | None], str] = {}
    for name, run in runs.items():
        first = runs[first_of.setdefault(run.task, name)]
        what = {"split": run.split, "n": run.n, "primary": run.primary, "scores": sorted(run.scores)}
        for field, value in what.items():
            other = sorted(first.scores) if field == "scores" else getattr(first, field)
            if value != other:
                raise ArtifactError(
                    f"{scores / name}: {field} is {value}, but {other} in {first_of[run.task]}",
                    hint="evaluate all runs of a task on the same data",
                )
        twin = seen.setdefault((run.task, run.start, run.seed), name)
        if twin != name:
            raise ArtifactError(
                f"{scores / name}: seed {run.seed} of {run.task}, {run.start}, is already in {twin}"
            )


def by_task(runs: Sequence[Run]) -> list[Comparison]:
    """Return the comparison of each task, sorted by its name."""
    tasks = sorted({run.task for run in runs})
    return [compare([run for run in runs if run.task == task]) for task in tasks]


def manifest_hashes(folders: Mapping[str, tuple[Path, str]]) -> dict[str, str]:
    """Return the content hash of each output, by name; the values are a folder and its stage."""
    manifests: dict[str, Manifest] = {
        name: read_manifest(folder, stage=stage) for name, (folder, stage) in folders.items()
    }
    return {name: manifest.content_hash() for name, manifest in manifests.items()}
