"""What fine-tuning starts from: the examples, and a model with a new head."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from bertpipe import randomness
from bertpipe.checkpoints import SavedModel, load_weights
from bertpipe.errors import ConfigError
from bertpipe.model import ModelShape
from bertpipe.tasks.config import FinetuneConfig
from bertpipe.tasks.finetuning import Finetuning, TaskData
from bertpipe.tasks.heads import Head
from bertpipe.tasks.rates import freeze
from bertpipe.tasks.task import Example, Examples, Task, notes_of

E = TypeVar("E", bound=Example)


def choose(examples: Sequence[E], config: FinetuneConfig) -> Sequence[E]:
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
    return Examples([examples[number] for number in np.sort(drawn)], notes_of(examples))


def start(
    config: FinetuneConfig,
    task: Task[Any, Any, Any],
    head: Head,
    saved: SavedModel,
    examples: Sequence[Example],
    dev: Sequence[Example],
) -> tuple[Finetuning, tuple[str, ...]]:
    """Return what to train, and the prefixes of the parameters that did not come with the model.

    Args:
        config: the settings.
        task: learned from the training examples.
        head: of the task, on the features that the settings name.
        saved: the model to start from; with random initialization its shape and tokenizer alone.
        examples: to train on.
        dev: to evaluate on after each epoch.

    Raises:
        CheckpointError: the model's weights do not fit.
        ConfigError: a setting asks for more than the model has.
    """
    check_positions(saved, config.max_seq_length, setting="finetune.max_seq_length")
    torch.manual_seed(randomness.torch_seed(config.seed, "weights"))
    network = head.build(_with_dropout(saved.shape, config.dropout))
    new = [part for part in Head.NEW if any(name.startswith(part) for name in network.state_dict())]
    if config.initialization == "pretrained":
        new += load_weights(network, saved, architecture=head.architecture, new=new, optional=("pooler.",))
    freeze(network, layers=config.frozen_layers, of=saved.shape.num_hidden_layers)
    tokenizer = saved.tokenizer()

    def encoded(items: Sequence[Example]) -> TaskData:
        inputs = task.encode(items, tokenizer, max_seq_length=config.max_seq_length)
        return TaskData(inputs, task.targets(items, inputs))

    problem = Finetuning(
        task=task,
        model=network,
        training=encoded(examples),
        validation=encoded(dev),
        batch_size=config.batch_size,
        seed=config.seed,
        frozen_layers=config.frozen_layers,
    )
    return problem, tuple(new)


def check_positions(saved: SavedModel, max_seq_length: int, *, setting: str) -> None:
    """See that a model has a position for each token of the longest sequence.

    Raises:
        ConfigError: it has not; ``setting`` is named.
    """
    if max_seq_length > saved.shape.max_position_embeddings:
        raise ConfigError(
            f"{setting} = {max_seq_length}, but {saved.folder} has positions "
            f"for {saved.shape.max_position_embeddings} tokens",
            hint="use a smaller one",
        )


def _with_dropout(shape: ModelShape, dropout: float | None) -> ModelShape:
    if dropout is None:
        return shape
    return shape.model_copy(update={"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout})
