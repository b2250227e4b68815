"""pretrain: shards to a model (Devlin et al. 2019, section 3.1 and appendix A.2)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from pydantic import Field, model_validator

from bertpipe import randomness
from bertpipe.artifacts import check_replaceable, input_hash, work_folder, write_json, written_whole
from bertpipe.checkpoints import SavedModel, load_weights, open_model, write_model
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.errors import CheckpointError, ConfigError
from bertpipe.instances import Masker, MaskingConfig, ShardSet, settings_in_effect
from bertpipe.instances.mask_statistics import sample_masks
from bertpipe.model import ModelConfig, ModelShape, PretrainingModel, count_parameters
from bertpipe.pretraining import BatchMaker, MaskedLanguageModelling, TrainingData, ValidationData
from bertpipe.progress import Progress, Silent
from bertpipe.training import OptimizerConfig, Plan, Precision, prepare_device, run_training, write_curves
from bertpipe.vocab import Tokenizer


class PretrainConfig(OptimizerConfig):
    """The section ``pretrain``: the paper's settings unless set otherwise (appendix A.2)."""

    total_steps: int = Field(1_000_000, ge=1, description="Updates.")
    batch_size: int = Field(256, ge=1, description="Sequences an update.")
    micro_batch_size: int | None = Field(None, ge=1, description="Sequences a forward pass; unset: all.")
    warmup_steps: int | None = Field(None, ge=0, description="Updates; unset: 1 % of all.")
    precision: Precision = Field("fp32", description="Of the forward and backward pass.")
    evaluate_steps: int = Field(1000, ge=1, description="Updates between two rows of the curve.")
    evaluate_sequences: int = Field(1000, ge=1, description="Held-out sequences to evaluate on.")
    seed: int = Field(0, ge=0, description="Of weights, order, masks and dropout.")

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if self.warmup_steps is not None and self.warmup_steps > self.total_steps:
            raise ValueError(
                f"warmup_steps = {self.warmup_steps} is more than total_steps = {self.total_steps}"
            )
        return self

    def plan(self) -> Plan:
        """Return how long and how to train."""
        warmup = self.total_steps // 100 if self.warmup_steps is None else self.warmup_steps
        return Plan(
            total_steps=self.total_steps,
            warmup_steps=warmup,
            optimizer=self,
            precision=self.precision,
            seed=self.seed,
        )


class PretrainSettings(Settings):
    """The sections that the stage reads."""

    pretrain: PretrainConfig
    model: ModelConfig
    masking: MaskingConfig
    runtime: RuntimeConfig


CODE = (
    "artifacts",
    "checkpoints",
    "configs.py",
    "errors.py",
    "extras.py",
    "instances",
    "model",
    "pretraining",
    "progress.py",
    "randomness.py",
    "stages/pretrain.py",
    "training",
    "vocab",
)


@dataclass(frozen=True)
class PretrainSummary:
    """What the stage did.

    Attributes:
        resumed_from_step: 0 where it ran from the start.
        figures: the last row of the curve, and the counts of ``metrics.json``.
    """

    resumed_from_step: int
    figures: dict[str, float]


def run(
    settings: PretrainSettings,
    *,
    shards: Path,
    init: Path | None,
    out: Path,
    progress: Progress | None = None,
) -> PretrainSummary:
    """Train a model on ``shards`` and write it to ``out``.

    Args:
        settings: the sections; with ``init`` the section ``model`` must not say otherwise.
        shards: an output of ``prepare``.
        init: a model folder to start from; unset: random weights.
        out: the model folder to write.
        progress: told every update.
    """
    progress = progress or Silent()
    check_replaceable(out, stage="pretrain", inputs=[shards, *([init] if init else [])])
    start = open_model(init) if init else None
    inputs = {"shards": input_hash(shards)} | ({"init": start.content_hash} if start else {})
    config, runtime = settings.pretrain, settings.runtime
    tokenizer = Tokenizer.load(shards / "tokenizer")
    train_shards = _open_shards(shards / "train", tokenizer)
    masking = settings_in_effect(settings.masking, train_shards)
    recorded = settings.model_dump(exclude={"runtime"}) | {"masking": masking.model_dump()}
    shape = _shape(settings.model, start, tokenizer, train_shards)
    device = prepare_device(runtime, progress)
    problem = _problem(config, masking, shape, start, tokenizer, shards)
    with work_folder(
        "pretrain", settings=recorded, inputs=inputs, code=CODE, old_progress=runtime.old_progress
    ) as work:
        outcome = run_training(
            problem,
            config.plan(),
            evaluate_steps=config.evaluate_steps,
            work=work.path,
            device=device,
            runtime=runtime,
            progress=progress,
        )
        figures = outcome.rows[-1] | {
            "total_steps": config.total_steps,
            "sequences": config.total_steps * config.batch_size,
            "tokens": outcome.tokens,
            "parameters": count_parameters(problem.model),
            **_mask_shares(train_shards, masking, tokenizer, seed=config.seed),
        }
        with written_whole(out, stage="pretrain", settings=recorded, inputs=inputs) as output:
            output.notes.extend(work.notes)
            architecture = _architecture(problem.model)
            write_model(
                output.folder, problem.model, shape=shape, architecture=architecture, tokenizer=tokenizer
            )
            write_curves(output.folder / "curves.tsv", outcome.rows)
            write_json(output.folder / "metrics.json", figures)
    return PretrainSummary(resumed_from_step=outcome.resumed_from_step, figures=figures)


def _mask_shares(
    shards: ShardSet, masking: MaskingConfig, tokenizer: Tokenizer, *, seed: int
) -> dict[str, float]:
    """Return what masking did to the first rows; of stored masks, the figures of the shards tell."""
    if shards.info.masking is not None:
        return {}
    masker = Masker.of(masking, tokenizer, max_seq_length=shards.max_seq_length)
    measured = sample_masks(shards, masker, seed=seed).as_json()
    return {name: measured[name] for name in ("predicted_share", "mask_share", "random_share", "keep_share")}


def _open_shards(folder: Path, tokenizer: Tokenizer) -> ShardSet:
    shards = ShardSet.open(folder)
    if shards.tokenizer_hash != tokenizer.content_hash():
        raise CheckpointError(
            f"{folder} was encoded with another vocabulary than {folder.parent / 'tokenizer'}",
            hint="run 'bertpipe prepare' again with the vocabulary that you want",
        )
    return shards


def _shape(
    model: ModelConfig, start: SavedModel | None, tokenizer: Tokenizer, shards: ShardSet
) -> ModelShape:
    """Return the shape to train: the saved one, or the settings with the vocabulary's size."""
    if start is None:
        shape = ModelShape(
            **model.model_dump(), vocab_size=tokenizer.vocab_size, pad_token_id=tokenizer.pad_id
        )
    else:
        _check_start(model, start, tokenizer)
        shape = start.shape
    if shards.max_seq_length > shape.max_position_embeddings:
        raise ConfigError(
            f"the shards hold sequences of {shards.max_seq_length} tokens, "
            f"model.max_position_embeddings is {shape.max_position_embeddings}",
            hint="raise it, or prepare shorter sequences",
        )
    return shape


def _check_start(model: ModelConfig, start: SavedModel, tokenizer: Tokenizer) -> None:
    """Refuse settings and shards that do not fit the model to start from."""
    for name in sorted(model.model_fields_set):
        asked, saved = getattr(model, name), getattr(start.shape, name)
        if asked is not None and asked != saved:
            raise ConfigError(
                f"model.{name} = {asked!r} conflicts with {start.folder}, which has {saved!r}",
                hint="leave model.* unset when a model is given with --init",
            )
    if start.tokenizer().tokens != tokenizer.tokens:
        raise CheckpointError(
            f"the shards were encoded with another vocabulary than that of {start.folder}",
            hint=f"run 'bertpipe prepare' with --vocab {start.folder}",
        )


def _problem(
    config: PretrainConfig,
    masking: MaskingConfig,
    shape: ModelShape,
    start: SavedModel | None,
    tokenizer: Tokenizer,
    shards: Path,
) -> MaskedLanguageModelling:
    train_shards = _open_shards(shards / "train", tokenizer)
    validation_shards = _open_shards(shards / "validation", tokenizer)
    maker = BatchMaker(masking, tokenizer, train_shards.max_seq_length)
    torch.manual_seed(randomness.torch_seed(config.seed, "weights"))
    network = PretrainingModel(shape, predicts_next_sentence=train_shards.objective != "none")
    if start is not None:
        load_weights(network, start, architecture=_architecture(network))
    micro_batch_size = config.micro_batch_size or config.batch_size
    return MaskedLanguageModelling(
        model=network,
        training=TrainingData(train_shards, maker, config.batch_size, micro_batch_size, config.seed),
        validation=ValidationData(validation_shards, maker, config.evaluate_sequences, micro_batch_size),
    )


def _architecture(model: PretrainingModel) -> str:
    return "BertForMaskedLM" if model.pooler is None else "BertForPreTraining"
