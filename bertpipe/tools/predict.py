"""predict: a fine-tuned model and data, labelled or not, to answers."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from bertpipe.artifacts import check_replaceable, written_whole
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.progress import Progress, Silent
from bertpipe.tasks import (
    AnswerConfig,
    Tasks,
    answer_split,
    finetuned_with,
    write_answers,
)


class PredictConfig(AnswerConfig):
    """The section ``predict``."""

    SECTION = "predict"

    split: str = Field("test", min_length=1, description="The part of the data to answer.")


class PredictSettings(Settings):
    """The sections that the command reads."""

    predict: PredictConfig
    tasks: Tasks
    runtime: RuntimeConfig


@dataclass(frozen=True)
class PredictSummary:
    """What was answered.

    Attributes:
        examples: how many.
        truncated_examples: how many of them were too long and have been cut.
        finetuned_for: the task that the model has learned; none where it is not of our making.
        files: what was written, the files of the official scorer among it.
    """

    examples: int
    truncated_examples: int
    finetuned_for: str | None
    files: list[str]


def run(
    settings: PredictSettings,
    *,
    model: Path,
    task_name: str,
    data: Path,
    out: Path,
    progress: Progress | None = None,
) -> PredictSummary:
    """Let ``model`` answer one split of ``data``, which may have no labels; write the answers to ``out``.

    Args:
        settings: the sections.
        model: a fine-tuned model folder.
        task_name: a name of the catalog or of the section ``tasks``.
        data: the task's folder.
        out: the folder to write.
        progress: told the device, and how many are answered.
    """
    progress = progress or Silent()
    check_replaceable(out, stage="predict", inputs=[model, data])
    answered = answer_split(
        settings.predict,
        model=model,
        task_name=task_name,
        tasks=settings.tasks,
        data=data,
        is_scored=False,
        runtime=settings.runtime,
        progress=progress,
    )
    with written_whole(out, stage="predict", settings=answered.settings, inputs=answered.inputs) as output:
        output.counts["examples"] = len(answered.examples)
        output.notes.extend(answered.notes)
        files = write_answers(output.folder, answered.task, answered.examples, answered.predictions)
    return PredictSummary(
        examples=len(answered.examples),
        truncated_examples=answered.truncated,
        finetuned_for=finetuned_with(model).get("task"),
        files=files,
    )
