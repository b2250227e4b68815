"""eval: a fine-tuned model and labelled data to predictions and scores."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from bertpipe.artifacts import MANIFEST, check_replaceable, write_json, written_whole
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.metrics import Interval, classification, confusion, intervals
from bertpipe.progress import Progress, Silent
from bertpipe.tasks import (
    AnswerConfig,
    Judgement,
    Tasks,
    answer_split,
    finetuned_with,
    write_answers,
)

CODE = (
    "artifacts",
    "checkpoints",
    "compression.py",
    "configs.py",
    "errors.py",
    "extras.py",
    "metrics",
    "model",
    "progress.py",
    "randomness.py",
    "stages/eval.py",
    "tasks",
    "training",
    "vocab",
)


# What runs of one experiment differ in, and stands in the scores by itself.
_TOLD_APART = ("initialization", "seed", "task", "train_examples")


class EvalConfig(AnswerConfig):
    """The section ``eval``."""

    SECTION = "eval"

    bootstrap_samples: int = Field(
        1000, ge=0, description="Draws of examples for the 95 % interval of each score; 0: no intervals."
    )


class EvalSettings(Settings):
    """The sections that the stage reads."""

    eval: EvalConfig
    tasks: Tasks
    runtime: RuntimeConfig


@dataclass(frozen=True)
class EvalSummary:
    """What was scored.

    Attributes:
        scores: the figures by name; shares are not times 100.
        truncated_examples: how many examples were too long and have been cut.
        intervals: where 95 % of each score lie over draws of the examples; empty where none were asked for.
        signature: the scores with what one must know to compare them.
        constant_prediction: whether all answers are the same, though different ones are right.
        below_baseline: whether its training got below the loss of the best constant answer; unset where
            that is not known.
        expected_calibration_error: how far its probabilities are from what is right; unset without such.
    """

    scores: dict[str, float]
    truncated_examples: int
    intervals: dict[str, Interval]
    signature: str
    constant_prediction: bool
    below_baseline: bool | None
    expected_calibration_error: float | None


def run(
    settings: EvalSettings,
    *,
    model: Path,
    task_name: str,
    data: Path,
    out: Path,
    progress: Progress | None = None,
) -> EvalSummary:
    """Let ``model`` answer one split of ``data``; write predictions and scores to ``out``.

    Args:
        settings: the sections.
        model: a fine-tuned model folder.
        task_name: a name of the catalog or of the section ``tasks``.
        data: the task's folder.
        out: the folder to write.
        progress: told the device, and how many are answered.
    """
    progress = progress or Silent()
    check_replaceable(out, stage="eval", inputs=[model, data])
    config = settings.eval
    answered = answer_split(
        config,
        model=model,
        task_name=task_name,
        tasks=settings.tasks,
        data=data,
        is_scored=True,
        runtime=settings.runtime,
        progress=progress,
    )
    task, examples = answered.task, answered.examples
    judgement = task.judge(examples, answered.predictions, split=config.split)
    found = intervals(
        judgement.scorer, [example.id for example in examples], samples=config.bootstrap_samples
    )
    outcome = _outcome_of(model)
    with written_whole(out, stage="eval", settings=answered.settings, inputs=answered.inputs) as output:
        output.notes.extend(answered.notes)
        output.counts["examples"] = len(examples)
        write_answers(output.folder, task, examples, answered.predictions)
        if judgement.pairs:
            _write_confusion(output.folder / "confusion.tsv", judgement.pairs)
        named = {"task": task_name, "kind": task.description.kind, "split": config.split}
        known = {"labels": list(task.labels), "facts": task.facts, "intervals": found}
        values = (
            named
            | _scores(judgement, finetuned_with(model))
            | known
            | _by_class(judgement, task.labels)
            | outcome
        )
        write_json(output.folder / "scores.json", values)
    calibration = judgement.calibration
    return EvalSummary(
        scores=dict(judgement.report.scores),
        truncated_examples=answered.truncated,
        intervals=found,
        signature=judgement.report.signature(),
        constant_prediction=judgement.constant_prediction,
        below_baseline=outcome["below_baseline"],
        expected_calibration_error=None if calibration is None else calibration.expected_calibration_error,
    )


def _scores(judgement: Judgement, finetuned: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was scored, with what is known of the fine-tuning: nothing of a model from elsewhere."""
    report = judgement.report
    return {
        "n": report.n,
        "primary": report.primary,
        "scores": dict(report.scores),
        "signature": report.signature(),
        "seed": finetuned.get("seed"),
        "initialization": finetuned.get("initialization"),
        "train_examples": finetuned.get("train_examples"),
        "finetune": {name: value for name, value in finetuned.items() if name not in _TOLD_APART},
        "constant_prediction": judgement.constant_prediction,
        "baseline": dict(judgement.baseline),
        "calibration": judgement.calibration and asdict(judgement.calibration),
    }


def _by_class(judgement: Judgement, labels: Sequence[str]) -> dict[str, Any]:
    """Return the scores of each class, and how often each label was answered for each."""
    if not judgement.pairs:
        return {"classes": dict(judgement.classes), "confusion": None}
    gold, predicted = zip(*judgement.pairs, strict=True)
    labels = [*labels, *sorted({*gold, *predicted} - set(labels))]
    counts = classification.confusion_matrix(gold, predicted, labels=labels)
    return {
        "classes": dict(judgement.classes or confusion.by_class(counts, labels)),
        "confusion": {"labels": labels, "counts": counts.tolist()},
    }


def _outcome_of(model: Path) -> dict[str, Any]:
    """Return how fine-tuning ended; what a model from elsewhere does not tell is unset."""
    figures: Mapping[str, Any] = {}
    if (model / MANIFEST).is_file():
        figures = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
    return {"dev": figures.get("dev"), "below_baseline": figures.get("below_baseline")}


def _write_confusion(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """Write one line for each labelled thing, the layout of DVC's confusion plot."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("actual\tpredicted\n")
        file.writelines(f"{actual}\t{predicted}\n" for actual, predicted in pairs)
