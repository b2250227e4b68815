"""pretrain: shards to a model (Devlin et al. 2019, section 3.1 and appendix A.2)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bertpipe.artifacts import (
    WorkFolder,
    check_replaceable,
    input_hash,
    work_folder,
    write_json,
    written_whole,
)
from bertpipe.checkpoints import SavedModel, open_model, write_model, write_optimizer
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.instances import MaskingConfig
from bertpipe.model import ModelConfig, ModelShape, compiled, compiler_failures_told, count_parameters
from bertpipe.pretraining import MaskedLanguageModelling, TrainingData, ValidationData
from bertpipe.pretraining.config import UNRECORDED, PretrainConfig
from bertpipe.pretraining.entropy import unigram_entropy
from bertpipe.pretraining.flops import flops_per_token
from bertpipe.pretraining.memory import bytes_needed, check_memory, parameters_of
from bertpipe.pretraining.opened import OpenedShards
from bertpipe.pretraining.start import (
    Start,
    architecture_of,
    build_network,
    carried_moments,
    decide_shape,
)
from bertpipe.progress import Progress, Silent
from bertpipe.training import Outcome, World, open_world, prepare_device, run_training, write_curves


class PretrainSettings(Settings):
    """The sections that the stage reads."""

    pretrain: PretrainConfig
    model: ModelConfig
    masking: MaskingConfig
    runtime: RuntimeConfig

    def recorded(self, shape: ModelShape, masking: MaskingConfig) -> dict[str, Any]:
        """Return what changes the result, with the shape and the masks as they are in effect."""
        sizes = shape.model_dump(include=set(ModelConfig.model_fields) - {"preset"})
        return {
            "pretrain": self.pretrain.model_dump(),
            "model": sizes | {"intermediate_size": shape.feed_forward_size},
            "masking": masking.model_dump(),
        }


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
        progress: told every update; where several processes train together, by the first one, which
            also writes.
    """
    check_replaceable(out, stage="pretrain", inputs=[shards, *([init] if init else [])])
    config, runtime = settings.pretrain, settings.runtime
    with open_world(runtime) as world:
        progress = progress if progress and world.is_first else Silent()
        saved = open_model(init) if init else None
        opened = OpenedShards.open(shards, settings.masking)
        device = prepare_device(runtime, progress, processes=world.local_size)
        start = _start(settings, saved, opened, device, world)
        moments = carried_moments(saved, start.network) if config.carry_optimizer else None
        for note in start.notes:
            progress.note(note)
        problem = _problem(settings, start, opened)
        inputs = {"shards": world.broadcast(_checked(shards, progress) if world.is_first else "")}
        inputs |= {"init": saved.content_hash} if saved else {}
        entropy = unigram_entropy(opened.train, special_ids=opened.tokenizer.special_ids)
        recorded = settings.recorded(start.shape, opened.masking)
        with _work(recorded, inputs, runtime, world) as work, compiler_failures_told():
            outcome = run_training(
                problem,
                config.plan(unigram_entropy=entropy),
                evaluate_steps=config.evaluate_steps,
                work=work.path,
                device=device,
                runtime=runtime,
                progress=progress,
                world=world,
                budget=config.budget(unigram_entropy=entropy),
                flops_per_token=flops_per_token(start.shape, opened.train, opened.maker()),
                carried=moments,
                keep_moments=config.save_optimizer,
            )
            figures = outcome.rows[-1] | {
                "total_steps": outcome.total_steps,
                "sequences": outcome.total_steps * config.batch_size,
                "tokens": outcome.tokens,
                "parameters": count_parameters(start.network),
                "unigram_entropy": round(entropy, 6),
                **start.figures,
                **opened.mask_shares(seed=config.seed),
            }
            if world.is_first:
                with written_whole(out, stage="pretrain", settings=recorded, inputs=inputs) as output:
                    output.notes.extend([*work.notes, *start.notes, *_decided(config, outcome)])
                    _write(output.folder, start, opened, outcome, figures)
    return PretrainSummary(resumed_from_step=outcome.resumed_from_step, figures=figures)


def _checked(shards: Path, progress: Progress) -> str:
    """Hash the shards again, so that a damaged one is named before it is trained on."""
    with progress.phase("check shards", total=None, unit="files"):
        return input_hash(shards)


def _start(
    settings: PretrainSettings,
    saved: SavedModel | None,
    opened: OpenedShards,
    device: torch.device,
    world: World,
) -> Start:
    """Decide on a shape, see that it fits into memory, and build it."""
    config, has_pairs = settings.pretrain, opened.train.has_pairs
    shape = decide_shape(
        settings.model,
        saved=saved,
        tokenizer=opened.tokenizer,
        longest=opened.train.max_seq_length,
        init_vocabulary=config.init_vocabulary,
    )
    parameters = parameters_of(shape, predicts_next_sentence=has_pairs)
    shared_by = world.size if settings.runtime.parallel == "fsdp" else 1
    needed = bytes_needed(parameters, device=device, shared_by=shared_by, processes=world.local_size)
    check_memory(needed, parameters=parameters)
    world.barrier()  # all ask before the first one builds
    return build_network(
        shape, saved=saved, tokenizer=opened.tokenizer, has_pairs=has_pairs, seed=config.seed
    )


@contextmanager
def _work(
    recorded: dict[str, Any], inputs: dict[str, str], runtime: RuntimeConfig, world: World
) -> Iterator[WorkFolder]:
    """Open the work folder in the first process; the others have none."""
    if not world.is_first:
        yield WorkFolder(Path(), [])
        return
    changing = {name: value for name, value in recorded["pretrain"].items() if name not in UNRECORDED}
    with work_folder(
        "pretrain",
        settings=recorded | {"pretrain": changing},
        inputs=inputs,
        code=CODE,
        old_progress=runtime.old_progress,
    ) as work:
        yield work


def _problem(settings: PretrainSettings, start: Start, opened: OpenedShards) -> MaskedLanguageModelling:
    config, maker = settings.pretrain, opened.maker()
    start.network.encoder.checkpointing = settings.runtime.gradient_checkpointing
    if config.compile:
        compiled(start.network)
    return MaskedLanguageModelling(
        model=start.network,
        training=TrainingData(opened.train, maker, config.batch_size, config.seed),
        validation=ValidationData(opened.validation, maker, config.evaluate_sequences, config.batch_size),
    )


def _decided(config: PretrainConfig, outcome: Outcome) -> list[str]:
    """Return what was decided on the way and changes the result."""
    if outcome.micro_batch_size == config.micro_batch_size:
        return []
    return [f"memory ran out: forward passes of {outcome.micro_batch_size} sequences"]


def _write(
    folder: Path, start: Start, opened: OpenedShards, outcome: Outcome, figures: dict[str, float]
) -> None:
    write_model(
        folder,
        start.network,
        shape=start.shape,
        architecture=architecture_of(start.network),
        tokenizer=opened.tokenizer,
    )
    if outcome.moments:
        write_optimizer(folder, outcome.moments)
    write_curves(folder / "curves.tsv", outcome.rows)
    write_json(folder / "metrics.json", figures)
