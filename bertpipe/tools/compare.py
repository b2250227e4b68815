"""compare: two outputs of eval on the same examples to how sure their difference is (Koehn 2004)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from bertpipe.artifacts import (
    Manifest,
    check_replaceable,
    input_hash,
    open_artifact,
    write_json,
    written_whole,
)
from bertpipe.configs import Settings
from bertpipe.errors import ArtifactError
from bertpipe.metrics import Difference, difference
from bertpipe.tasks import Example, Judgement, Prediction, TaskDescription, kind_of


class CompareConfig(Settings):
    """The section ``compare``."""

    bootstrap_samples: int = Field(1000, ge=1, description="Draws of the examples.")


class CompareSettings(Settings):
    """The sections that the command reads."""

    compare: CompareConfig


@dataclass(frozen=True)
class CompareSummary:
    """How two models differ.

    Attributes:
        task: name of the task.
        split: the part of its data.
        n: number of examples.
        samples: number of draws of examples.
        primary: the score to compare by.
        scores: the difference of each score that both have, the second model's minus the first's.
    """

    task: str
    split: str
    n: int
    samples: int
    primary: str
    scores: dict[str, Difference]


@dataclass(frozen=True)
class _Answers:
    """What one output of ``eval`` holds."""

    folder: Path
    manifest: Manifest
    scores: dict[str, Any]
    predictions: list[Prediction]


def run(settings: CompareSettings, *, first: Path, second: Path, data: Path, out: Path) -> CompareSummary:
    """Draw the examples again and again, and score both models on each draw; write the result to ``out``.

    Args:
        settings: the sections.
        first: an output of ``eval``.
        second: another one, on the same split of the same data.
        data: the task's folder that both were scored on.
        out: the folder to write.

    Raises:
        ArtifactError: a folder is no whole output of ``eval``, or the two are of other tasks or data, or
            are to be compared by other scores.
        TaskDataError: the data cannot be read.
    """
    check_replaceable(out, stage="compare", inputs=[first, second, data])
    one, other = _read(first), _read(second)
    _check_same(one, other, data)
    examples = _examples(one, data)
    before, after = _judged(one, examples), _judged(other, examples)
    if before.report.primary != after.report.primary:
        raise ArtifactError(
            f"models are compared by {before.report.primary} in {first}, but by {after.report.primary} in "
            f"{second}",
            hint="run 'eval' again for one of them, with the same tasks.<name>.metrics",
        )
    samples = settings.compare.bootstrap_samples
    ids = [example.id for example in examples]
    found = difference(before.scorer, after.scorer, ids, samples=samples)
    report = before.report
    summary = CompareSummary(report.task, report.split, report.n, samples, report.primary, found)
    inputs = {"first": one.manifest.content_hash(), "second": other.manifest.content_hash()}
    with written_whole(out, stage="compare", settings=settings.model_dump(), inputs=inputs) as output:
        write_json(output.folder / "comparison.json", asdict(summary))
    return summary


def _read(folder: Path) -> _Answers:
    manifest = open_artifact(folder, stage="eval")
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    if not {"labels", "facts"} <= scores.keys():
        raise ArtifactError(f"{folder}: written by bertpipe {manifest.version}", hint="run 'eval' again")
    # Not splitlines: an answer may hold what Unicode takes for the end of a line.
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return _Answers(folder, manifest, scores, [json.loads(line) for line in lines])


def _check_same(first: _Answers, second: _Answers, data: Path) -> None:
    """See that both have answered the same examples, and that these are at hand."""
    for what in ("task", "kind", "split", "n"):
        one, other = first.scores[what], second.scores[what]
        if one != other:
            raise ArtifactError(
                f"{what} is {one} in {first.folder}, but {other} in {second.folder}",
                hint="compare two models on the same split of the same task",
            )
    at_hand = input_hash(data)
    for answers in (first, second):
        if answers.manifest.inputs["data"] != at_hand:
            raise ArtifactError(
                f"{answers.folder} was scored on other data than {data}",
                hint="name the data that both were scored on, or run 'eval' for both again",
            )


def _examples(answers: _Answers, data: Path) -> Sequence[Example]:
    description = _description(answers)
    return kind_of(description).read(data, answers.scores["split"], description)


def _description(answers: _Answers) -> TaskDescription:
    """Return the description of the task that the answers were scored by."""
    recorded = {name: value for name, value in answers.manifest.settings["task"].items() if name != "name"}
    try:
        description: TaskDescription = TypeAdapter(TaskDescription).validate_json(json.dumps(recorded))
    except ValidationError:
        version = answers.manifest.version
        raise ArtifactError(
            f"{answers.folder}: written by bertpipe {version}", hint="run 'eval' again"
        ) from None
    return description


def _judged(answers: _Answers, examples: Sequence[Example]) -> Judgement:
    """Score the answers again, as their model did, without it."""
    scores, description = answers.scores, _description(answers)
    kind = kind_of(description)
    task = kind.restore(scores["task"], description, labels=tuple(scores["labels"]), config=scores["facts"])
    if [example.id for example in examples] != [prediction["id"] for prediction in answers.predictions]:
        raise ArtifactError(
            f"{answers.folder}: its predictions are for other examples", hint="run 'eval' again"
        )
    return task.judge(examples, answers.predictions, split=scores["split"])
