"""Fine-tuning as a problem of the training loop."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bertpipe import randomness
from bertpipe.model import FeatureModel, TokenBatch
from bertpipe.model.flops import feature_training_flops, training_flops
from bertpipe.tasks.heads import TaskModel
from bertpipe.tasks.inputs import Inputs, Numbers
from bertpipe.tasks.task import Task
from bertpipe.training import UNCUT, Cut, Term


@dataclass(frozen=True)
class TaskBatch:
    """Some items and what to predict for them.

    Attributes:
        tokens: what the model reads: B sequences, T tokens.
        targets: what is right, as the task gives it.
        counted: what its loss is divided by.
    """

    tokens: TokenBatch
    targets: Tensor
    counted: float

    @property
    def counts(self) -> dict[str, float]:
        """Return what the loss is divided by."""
        return {"task": self.counted}

    @property
    def size_tokens(self) -> int:
        """Return T."""
        return len(self.tokens.input_ids)

    @property
    def size_sequences(self) -> int:
        """Return B."""
        return self.tokens.sequences

    def to(self, device: torch.device) -> "TaskBatch":
        """Return the same batch on another device."""
        return TaskBatch(self.tokens.to(device), self.targets.to(device, non_blocking=True), self.counted)


@dataclass(frozen=True)
class TaskData:
    """Encoded examples with what is right for each item."""

    inputs: Inputs
    targets: Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Finetuning:
    """Train a model with a head of the task; each epoch sees every item once."""

    task: Task[Any, Any, Any]
    model: TaskModel
    training: TaskData
    validation: TaskData
    batch_size: int
    seed: int
    frozen_layers: int = 0

    @property
    def steps_an_epoch(self) -> int:
        """Return the number of updates an epoch; the last one may see fewer items."""
        return -(-self.training.inputs.items // self.batch_size)

    @property
    def flops_per_token(self) -> float:
        """Return the useful floating-point operations to train on a token, on the average."""
        lengths, outputs = self.training.inputs.lengths, self.task.head.outputs
        if isinstance(self.model, FeatureModel):
            frozen, features = self.model.encoder.shape, self.model.features
            operations = feature_training_flops(frozen, lengths, features=features, token_outputs=outputs)
            return operations / int(lengths.sum())
        per_token = self.model.per_token
        operations = training_flops(
            self.model.encoder.shape,
            lengths,
            sequence_outputs=0 if per_token else outputs,
            token_outputs=outputs if per_token else 0,
            frozen_layers=self.frozen_layers,
        )
        return operations / int(lengths.sum())

    @property
    def baseline_loss(self) -> float | None:
        """Return the training loss of the best constant answer; none where there is no such answer."""
        return self.task.baseline_loss(
            np.concatenate(self.training.targets), width=self.training.inputs.width
        )

    def micro_batches(self, step: int, cut: Cut = UNCUT) -> list[TaskBatch]:
        """Return this process's part of the items of one update."""
        epoch, within = divmod(step, self.steps_an_epoch)
        size = self.training.inputs.items
        places = np.arange(within * self.batch_size, min((within + 1) * self.batch_size, size))
        key = randomness.key(self.seed, "order", epoch)
        items = randomness.permuted(places, size=size, key=key)
        pieces = cut.pieces(len(items))
        return [self._batch(self.training, items[piece.start : piece.stop]) for piece in pieces]

    def validation_batches(self, cut: Cut = UNCUT) -> Iterator[TaskBatch]:
        """Yield this process's part of the dev items, by length."""
        order = np.argsort(self.validation.inputs.item_lengths, kind="stable")
        for piece in cut.pieces_of_at_most(-(-self.batch_size // cut.world.size), len(order)):
            yield self._batch(self.validation, order[piece.start : piece.stop])

    def terms(self, batch: TaskBatch) -> Mapping[str, Term]:
        """Return the loss of the task."""
        outputs = self.model(batch.tokens).float()
        return {"task": self.task.term(outputs, batch.targets, batch.tokens)}

    def _batch(self, data: TaskData, items: Numbers) -> TaskBatch:
        targets = np.concatenate([data.targets[item] for item in items])
        return TaskBatch(
            data.inputs.batch(data.inputs.sequences_of(items)),
            torch.from_numpy(targets),
            self.task.counted(targets),
        )
