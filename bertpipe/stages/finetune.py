"""finetune: a model and labelled data to a model with a head (Devlin et al. 2019, sections 3.2 and 4)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from bertpipe.artifacts import check_replaceable, input_hash, work_folder, write_json, written_whole
from bertpipe.checkpoints import SavedModel, open_model, write_model
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.progress import Progress, Silent
from bertpipe.tasks import (
    Answerer,
    Ending,
    Example,
    FinetuneConfig,
    Finetuning,
    Head,
    Judgement,
    Task,
    Tasks,
    choose,
    describe,
    kind_of,
    notes_of,
    prepare_only_device,
    start,
)
from bertpipe.training import Outcome, run_training, write_curves

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
    "stages/finetune.py",
    "tasks",
    "training",
    "vocab",
)


class FinetuneSettings(Settings):
    """The sections that the stage reads."""

    finetune: FinetuneConfig
    tasks: Tasks
    runtime: RuntimeConfig


@dataclass(frozen=True)
class FinetuneSummary:
    """What the stage did.

    Attributes:
        resumed_from_step: 0 where it ran from the start.
        train_examples: examples trained on.
        truncated_examples: how many of them were cut.
        dev: scores on the dev split.
        signature: the scores with what one must know to compare them.
        constant_prediction: whether all answers to dev are the same, though different ones are right.
        below_baseline: whether the training loss got below that of the best constant answer; unset where
            there is no such answer.
    """

    resumed_from_step: int
    train_examples: int
    truncated_examples: int
    dev: dict[str, float]
    signature: str
    constant_prediction: bool
    below_baseline: bool | None


def run(
    settings: FinetuneSettings,
    *,
    model: Path,
    task_name: str,
    data: Path,
    out: Path,
    progress: Progress | None = None,
) -> FinetuneSummary:
    """Train ``model`` with a new head on the train split of ``data`` and write it to ``out``.

    Args:
        settings: the sections.
        model: a pre-trained model folder.
        task_name: a name of the catalog or of the section ``tasks``.
        data: the task's folder.
        out: the model folder to write.
        progress: told every update.
    """
    progress = progress or Silent()
    check_replaceable(out, stage="finetune", inputs=[model, data])
    config, runtime = settings.finetune, settings.runtime
    description = describe(task_name, settings.tasks)
    kind = kind_of(description)
    saved = open_model(model)
    labelled, dev = (kind.read(data, split, description) for split in ("train", "dev"))
    # From all of them: a draw of few may lack a label that dev has.
    task = kind.learn(task_name, description, labelled)
    examples = choose(labelled, config)
    if config.class_weights is not None:
        task = task.weighted(config.class_weights, examples)
    task.check(dev)
    head = task.head.on(config.feature_shape)
    for note in (notes := [*notes_of(examples), *notes_of(dev)]):
        progress.note(note)
    recorded = {"finetune": config.model_dump(), "task": description.recorded(task_name)}
    inputs = {"model": saved.content_hash, "data": input_hash(data)}
    device = prepare_only_device(runtime, progress)
    problem, new = start(config, task, head, saved, examples, dev)
    problem.model.encoder.checkpointing = runtime.gradient_checkpointing
    if config.initialization == "pretrained":
        progress.note(f"not in {model}, so learned anew: {', '.join(part.rstrip('.') for part in new)}")
    with work_folder(
        "finetune", settings=recorded, inputs=inputs, code=CODE, old_progress=runtime.old_progress
    ) as work:
        outcome = run_training(
            problem,
            config.plan(steps_an_epoch=problem.steps_an_epoch, layers=saved.shape.num_hidden_layers, new=new),
            evaluate_steps=problem.steps_an_epoch,
            work=work.path,
            device=device,
            runtime=runtime,
            progress=progress,
            flops_per_token=problem.flops_per_token,
        )
        task, judgement = _judge(config, problem, saved, dev, device)
        ending = _ending(problem, outcome, judgement)
        if ending.warning:
            progress.note(ending.warning)
        with written_whole(out, stage="finetune", settings=recorded, inputs=inputs) as output:
            output.notes.extend([*work.notes, *notes])
            output.counts.update(train_examples=len(examples), dev_examples=len(dev))
            _write(output.folder, task, head, problem, saved, outcome)
            figures = asdict(ending) | {"below_baseline": ending.below_baseline}
            write_json(output.folder / "metrics.json", figures)
    return FinetuneSummary(
        resumed_from_step=outcome.resumed_from_step,
        train_examples=len(examples),
        truncated_examples=problem.training.inputs.truncated,
        dev=dict(judgement.report.scores),
        signature=judgement.report.signature(),
        constant_prediction=judgement.constant_prediction,
        below_baseline=ending.below_baseline,
    )


def _ending(problem: Finetuning, outcome: Outcome, judgement: Judgement) -> Ending:
    return Ending(
        dev=dict(judgement.report.scores),
        last=outcome.rows[-1],
        baseline_loss=problem.baseline_loss,
        constant_prediction=judgement.constant_prediction,
    )


def _judge(
    config: FinetuneConfig,
    problem: Finetuning,
    saved: SavedModel,
    dev: Sequence[Example],
    device: torch.device,
) -> tuple[Task[Any, Any, Any], Judgement]:
    """Score the trained model on the dev split, which may teach the task something too."""
    answerer = Answerer(
        problem.task,
        problem.model,
        saved.tokenizer(),
        max_seq_length=config.max_seq_length,
        batch_size=config.batch_size,
        precision=config.precision,
        device=device,
    )
    task, predictions = problem.task.calibrated(dev, answerer.answers(dev).predictions)
    return task, task.judge(dev, predictions, split="dev")


def _write(
    folder: Path,
    task: Task[Any, Any, Any],
    head: Head,
    problem: Finetuning,
    saved: SavedModel,
    outcome: Outcome,
) -> None:
    write_model(
        folder,
        problem.model,
        shape=problem.model.encoder.shape,
        architecture=head.architecture,
        tokenizer=saved.tokenizer(),
        labels=task.labels,
        extra=task.facts | head.facts,
    )
    write_curves(folder / "curves.tsv", outcome.rows)
