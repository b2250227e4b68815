"""From a fine-tuned model's folder to what answers its task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bertpipe.artifacts import MANIFEST, input_hash, read_manifest
from bertpipe.checkpoints import SavedModel, load_weights, open_model
from bertpipe.configs import RuntimeConfig
from bertpipe.errors import CheckpointError
from bertpipe.progress import Progress
from bertpipe.tasks.answering import Answerer
from bertpipe.tasks.catalog import describe, kind_of
from bertpipe.tasks.config import AnswerConfig
from bertpipe.tasks.device import prepare_only_device
from bertpipe.tasks.kinds import TaskDescription
from bertpipe.tasks.start import check_positions
from bertpipe.tasks.task import Example, Prediction, Task, notes_of


@dataclass(frozen=True)
class Answered:
    """One split of a task with a model's answers.

    Attributes:
        task: as the model has learned it.
        examples: of the split.
        predictions: one an example.
        truncated: how many examples were too long and have lost tokens.
        notes: what a user must know of how the examples were read.
        settings: what the answers depend on, for a manifest.
        inputs: the same of model and data: a hash of each.
    """

    task: Task[Any, Any, Any]
    examples: Sequence[Example]
    predictions: Sequence[Prediction]
    truncated: int
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]


def answer_split(
    config: AnswerConfig,
    *,
    model: Path,
    task_name: str,
    tasks: Mapping[str, TaskDescription],
    data: Path,
    is_scored: bool,
    runtime: RuntimeConfig,
    progress: Progress,
) -> Answered:
    """Let a fine-tuned model answer one split of a task.

    Args:
        config: which split, and how to answer it.
        model: its folder.
        task_name: a name of ``tasks`` or of the catalog.
        tasks: what the user says of tasks.
        data: the task's folder.
        is_scored: whether every example must say what is right; told before the model has worked.
        runtime: the device.
        progress: told the device, and how many are answered.

    Raises:
        CheckpointError: the model has no head, or one for another kind of task.
        ConfigError: there is no such task or device, other processes were started beside this one, or the
            model has not the positions that are asked for.
        TaskDataError: the data cannot be read, or does not say what is right.
    """
    description = describe(task_name, tasks)
    saved = open_model(model)
    examples = kind_of(description).read(data, config.split, description)
    task = restore_task(saved, task_name, description, split=config.split)
    if is_scored:
        task.check(examples)
    for note in (notes := notes_of(examples)):
        progress.note(note)
    answerer = open_answerer(saved, task, config, device=prepare_only_device(runtime, progress))
    with progress.phase("answer", total=len(examples), unit="examples") as phase:
        answers = answerer.answers(examples, phase)
    if answers.truncated:
        cut = (
            f"{config.split}: {answers.truncated} of {len(examples)} examples were too long and have been cut"
        )
        progress.note(cut)
        notes = (*notes, cut)
    return Answered(
        task,
        examples,
        answers.predictions,
        answers.truncated,
        notes,
        settings={config.SECTION: config.model_dump(), "task": description.recorded(task_name)},
        inputs={"model": saved.content_hash, "data": input_hash(data)},
    )


def restore_task(
    saved: SavedModel, name: str, description: TaskDescription, *, split: str
) -> Task[Any, Any, Any]:
    """Return the task as the model has learned it, for one split.

    Args:
        saved: a fine-tuned model.
        name: of the task.
        description: of the data at hand.
        split: the part of it that will be answered.

    Raises:
        CheckpointError: the model has no head, or one for another kind of task.
    """
    kind, description = kind_of(description), description.of_split(split)
    task = kind.restore(name, description, labels=saved.labels, config=saved.extra)
    _check_head(saved, task)
    return task


def open_answerer(
    saved: SavedModel, task: Task[Any, Any, Any], config: AnswerConfig, *, device: torch.device
) -> Answerer:
    """Load a model to answer a task that was restored from it.

    Raises:
        CheckpointError: the model's weights do not fit.
        ConfigError: examples may be longer than the model has positions.
    """
    max_seq_length = _max_seq_length(saved, config)
    head = task.head.as_saved(saved.extra)
    network = head.build_empty(saved.shape)
    load_weights(network, saved, architecture=head.architecture)
    return Answerer(
        task,
        network,
        saved.tokenizer(),
        max_seq_length=max_seq_length,
        batch_size=config.batch_size,
        precision=config.precision,
        device=device,
    )


def _max_seq_length(saved: SavedModel, config: AnswerConfig) -> int:
    """Return what is set, else the length in fine-tuning, else as many tokens as there are positions."""
    if config.max_seq_length is None:
        longest: int = finetuned_with(saved.folder).get("max_seq_length", saved.shape.max_position_embeddings)
        return longest
    check_positions(saved, config.max_seq_length, setting=f"{config.SECTION}.max_seq_length")
    return config.max_seq_length


def finetuned_with(model: Path) -> Mapping[str, Any]:
    """Return task and settings of the fine-tuning; empty for a model that is not of our making."""
    if not (model / MANIFEST).is_file():
        return {}
    manifest = read_manifest(model, stage="finetune")
    return {
        **manifest.settings["finetune"],
        "task": manifest.settings["task"]["name"],
        "train_examples": manifest.counts["train_examples"],
    }


def _check_head(saved: SavedModel, task: Task[Any, Any, Any]) -> None:
    needed = task.head.as_saved(saved.extra).architecture
    if saved.architecture != needed:
        raise CheckpointError(
            f"{saved.folder} holds a {saved.architecture}, {task.name} needs a {needed}",
            hint="name an output of 'bertpipe finetune' for this task",
        )
    kind = task.facts.get("problem_type")
    trained_for = saved.extra.get("problem_type") or kind
    if trained_for != kind:
        raise CheckpointError(
            f"{saved.folder} was fine-tuned for {trained_for}, {task.name} needs {kind}",
            hint="name a model that was fine-tuned for this task",
        )
