"""finetune: a model and labelled data to a model with a head (Devlin et al. 2019, sections 3.2 and 4)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from bertpipe import randomness
from bertpipe.artifacts import check_replaceable, input_hash, work_folder, write_json, written_whole
from bertpipe.checkpoints import SavedModel, load_weights, open_model, write_model
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.errors import ConfigError
from bertpipe.model import ModelShape, SequenceModel
from bertpipe.progress import Progress, Silent
from bertpipe.tasks import (
    Example,
    Finetuning,
    Task,
    TaskData,
    TaskDescription,
    answer,
    describe,
    encode,
    learn_task,
    read_examples,
)
from bertpipe.training import OptimizerConfig, Plan, Precision, prepare_device, run_training, write_curves

ARCHITECTURE = "BertForSequenceClassification"

CODE = (
    "artifacts",
    "checkpoints",
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


class FinetuneConfig(OptimizerConfig):
    """The section ``finetune``; the defaults lie in the paper's grid (appendix A.3)."""

    learning_rate: float = Field(5e-5, gt=0, description="Peak rate.")
    batch_size: int = Field(32, ge=1, description="Examples an update.")
    epochs: int = Field(3, ge=1, description="Passes over the training examples.")
    warmup_share: float = Field(0.1, ge=0, le=1, description="Share of the updates with a rising rate.")
    max_seq_length: int = Field(128, ge=8, description="Longest example in tokens; longer ones are cut.")
    train_examples: int | None = Field(
        None, ge=2, description="Train on so many examples, drawn by the seed; unset: on all."
    )
    initialization: Literal["pretrained", "random"] = Field(
        "pretrained", description="random: the model's shape and vocabulary, but not its weights."
    )
    dropout: float | None = Field(
        None, ge=0, lt=1, description="Dropout of all layers; unset: as in pre-training."
    )
    precision: Precision = Field("fp32", description="Of the forward and backward pass.")
    seed: int = Field(0, ge=0, description="Of the head, the order, dropout and the choice of examples.")


class FinetuneSettings(Settings):
    """The sections that the stage reads."""

    finetune: FinetuneConfig
    tasks: dict[str, TaskDescription]
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
    """

    resumed_from_step: int
    train_examples: int
    truncated_examples: int
    dev: dict[str, float]
    signature: str


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
    saved = open_model(model)
    examples = choose(read_examples(data, "train", description), config)
    dev = read_examples(data, "dev", description)
    task = learn_task(task_name, description, examples)
    recorded = {
        "finetune": config.model_dump(),
        "task": {"name": task_name, **description.model_dump(mode="json")},
    }
    inputs = {"model": saved.content_hash, "data": input_hash(data)}
    device = prepare_device(runtime, progress)
    problem = _problem(config, task, saved, examples, dev)
    total_steps = config.epochs * problem.steps_an_epoch
    with work_folder(
        "finetune", settings=recorded, inputs=inputs, code=CODE, old_progress=runtime.old_progress
    ) as work:
        outcome = run_training(
            problem,
            Plan(
                total_steps=total_steps,
                warmup_steps=round(config.warmup_share * total_steps),
                optimizer=config,
                precision=config.precision,
                seed=config.seed,
            ),
            evaluate_steps=problem.steps_an_epoch,
            work=work.path,
            device=device,
            runtime=runtime,
            progress=progress,
        )
        outputs = answer(
            problem.model,
            problem.validation.features,
            batch_size=config.batch_size,
            precision=config.precision,
            device=device,
        )
        judgement = task.judge(dev, task.predictions(outputs), split="dev")
        scores = dict(judgement.report.scores)
        with written_whole(out, stage="finetune", settings=recorded, inputs=inputs) as output:
            output.notes.extend(work.notes)
            output.counts.update(train_examples=len(examples), dev_examples=len(dev))
            write_model(
                output.folder,
                problem.model,
                shape=problem.model.encoder.shape,
                architecture=ARCHITECTURE,
                tokenizer=saved.tokenizer(),
                labels=task.labels,
                extra={"problem_type": task.problem_type} | ({} if task.labels else {"num_labels": 1}),
            )
            write_curves(output.folder / "curves.tsv", outcome.rows)
            write_json(output.folder / "metrics.json", {"dev": scores, "last": outcome.rows[-1]})
    return FinetuneSummary(
        resumed_from_step=outcome.resumed_from_step,
        train_examples=len(examples),
        truncated_examples=problem.training.features.truncated,
        dev=scores,
        signature=judgement.report.signature(),
    )


def choose(examples: list[Example], config: FinetuneConfig) -> list[Example]:
    """Return the examples to train on: all, or a draw that depends on the seed alone.

    Raises:
        ConfigError: there are fewer examples than asked for.
    """
    if config.train_examples is None:
        return examples
    if config.train_examples > len(examples):
        raise ConfigError(
            f"finetune.train_examples = {config.train_examples}, but there are {len(examples)}",
            hint="leave it unset to train on all",
        )
    key = randomness.key(config.seed, "training examples")
    drawn = randomness.permuted(np.arange(config.train_examples), size=len(examples), key=key)
    return [examples[number] for number in np.sort(drawn)]


def _problem(
    config: FinetuneConfig, task: Task, saved: SavedModel, examples: list[Example], dev: list[Example]
) -> Finetuning:
    if config.max_seq_length > saved.shape.max_position_embeddings:
        raise ConfigError(
            f"finetune.max_seq_length = {config.max_seq_length}, but {saved.folder} has positions "
            f"for {saved.shape.max_position_embeddings} tokens",
            hint="use a smaller one",
        )
    torch.manual_seed(randomness.torch_seed(config.seed, "weights"))
    network = SequenceModel(_with_dropout(saved.shape, config.dropout), outputs=task.outputs)
    if config.initialization == "pretrained":
        load_weights(network, saved, architecture=ARCHITECTURE, new=_new_parts(saved))
    tokenizer = saved.tokenizer()

    def encoded(items: list[Example]) -> TaskData:
        features = encode(items, tokenizer, max_seq_length=config.max_seq_length)
        targets: np.ndarray[Any, Any] = task.targets(items)
        return TaskData(features, targets)

    return Finetuning(
        task=task,
        model=network,
        training=encoded(examples),
        validation=encoded(dev),
        batch_size=config.batch_size,
        seed=config.seed,
    )


def _with_dropout(shape: ModelShape, dropout: float | None) -> ModelShape:
    if dropout is None:
        return shape
    return shape.model_copy(update={"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout})


def _new_parts(saved: SavedModel) -> tuple[str, ...]:
    """Return what a fine-tuned model has and the saved one need not have."""
    return ("head.", "pooler.") if saved.architecture == "BertForMaskedLM" else ("head.",)
