"""Fine-tuning as a problem of the training loop, and reading a model's answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bertpipe import randomness
from bertpipe.errors import TrainingDivergedError
from bertpipe.model import SequenceModel, TokenBatch
from bertpipe.model.flops import training_flops
from bertpipe.tasks.features import Features
from bertpipe.tasks.task import Task
from bertpipe.training import UNCUT, Cut, Precision, Term, autocast

# What Hugging Face calls a model with one output vector a sequence.
ARCHITECTURE = "BertForSequenceClassification"


@dataclass(frozen=True)
class TaskBatch:
    """Some examples and what to predict for them.

    Attributes:
        tokens: B sequences.
        targets: label numbers, int64 ``[B]``, or values, float32 ``[B]``.
    """

    tokens: TokenBatch
    targets: Tensor

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of examples."""
        return {"task": len(self.targets)}

    @property
    def size_tokens(self) -> int:
        """Return the number of tokens."""
        return len(self.tokens.input_ids)

    @property
    def size_sequences(self) -> int:
        """Return the number of examples."""
        return len(self.targets)

    def to(self, device: torch.device) -> "TaskBatch":
        """Return the same batch on another device."""
        return TaskBatch(self.tokens.to(device), self.targets.to(device))


@dataclass(frozen=True)
class TaskData:
    """Encoded examples with their targets."""

    features: Features
    targets: NDArray[Any]

    def batch(self, numbers: NDArray[np.int64]) -> TaskBatch:
        """Return some examples."""
        return TaskBatch(self.features.batch(numbers), torch.from_numpy(self.targets[numbers]))


@dataclass(frozen=True)
class Finetuning:
    """Train a model with a new head on a task; each epoch sees every example once."""

    task: Task
    model: SequenceModel
    training: TaskData
    validation: TaskData
    batch_size: int
    seed: int

    @property
    def steps_an_epoch(self) -> int:
        """Return the number of updates an epoch; the last one may see fewer examples."""
        return -(-len(self.training.targets) // self.batch_size)

    @property
    def flops_per_token(self) -> float:
        """Return the useful floating-point operations to train on a token, on the average."""
        lengths, shape = self.training.features.lengths, self.model.encoder.shape
        return training_flops(shape, lengths, sequence_outputs=self.task.outputs) / int(lengths.sum())

    def micro_batches(self, step: int, cut: Cut = UNCUT) -> list[TaskBatch]:
        """Return this process's part of the examples of one update."""
        epoch, within = divmod(step, self.steps_an_epoch)
        size = len(self.training.targets)
        places = np.arange(within * self.batch_size, min((within + 1) * self.batch_size, size))
        key = randomness.key(self.seed, "order", epoch)
        numbers = randomness.permuted(places, size=size, key=key)
        pieces = cut.pieces(len(numbers))
        return [self.training.batch(numbers[piece.start : piece.stop]) for piece in pieces]

    def validation_batches(self, cut: Cut = UNCUT) -> Iterator[TaskBatch]:
        """Yield this process's part of the dev examples, by length."""
        order = np.argsort(self.validation.features.lengths, kind="stable")
        for piece in cut.pieces_of_at_most(-(-self.batch_size // cut.world.size), len(order)):
            yield self.validation.batch(order[piece.start : piece.stop])

    def terms(self, batch: TaskBatch) -> Mapping[str, Term]:
        """Return the loss of the task."""
        return {"task": self.task.term(self.model(batch.tokens).float(), batch.targets)}


def batches_by_length(features: Features, *, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of all examples, of like length together: little padding in attention."""
    order = np.argsort(features.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


@torch.inference_mode()
def answer(
    model: SequenceModel, features: Features, *, batch_size: int, precision: Precision, device: torch.device
) -> NDArray[np.float32]:
    """Return the model's outputs, float32 ``[N, C]``, in the order of the examples.

    Raises:
        TrainingDivergedError: an output is not finite.
    """
    model.to(device).eval()
    outputs = np.zeros((len(features.lengths), model.head.dense.out_features), dtype=np.float32)
    for numbers in batches_by_length(features, batch_size=batch_size):
        with autocast(precision, device):
            given = model(features.batch(numbers).to(device))
        outputs[numbers] = given.float().cpu().numpy()
    if not np.isfinite(outputs).all():
        raise TrainingDivergedError(
            "the model gives outputs that are not finite", hint="its training has diverged: train it again"
        )
    return outputs
