"""A model's answers to examples, some at a time.

So many are encoded at once, and their outputs kept until they are predictions; a forward pass is of a batch.
What grows with what is asked are the examples and their predictions, which are returned whole.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bertpipe.errors import ResourceError, TrainingDivergedError
from bertpipe.model import TokenBatch
from bertpipe.progress import Phase, Silent
from bertpipe.tasks.heads import TaskModel
from bertpipe.tasks.inputs import Inputs, Numbers
from bertpipe.tasks.task import Example, Prediction, Task
from bertpipe.training import Precision, autocast
from bertpipe.training.shortage import if_it_fits
from bertpipe.vocab import Tokenizer

PREDICTIONS = "predictions.jsonl"

# Enough to find others of the same length.
_EXAMPLES_AT_ONCE = 4096


@dataclass(frozen=True)
class Answers:
    """What a model answers to some examples.

    Attributes:
        predictions: one an example, in their order.
        truncated: how many of them were too long and have lost tokens.
    """

    predictions: list[dict[str, Any]]
    truncated: int


@dataclass(frozen=True)
class Answerer:
    """A model that answers a task.

    Attributes:
        task: what is asked.
        model: with a head of the task.
        tokenizer: of the model.
        max_seq_length: tokens of the longest sequence.
        batch_size: sequences of a forward pass.
        precision: of the forward pass.
        device: where to compute.
    """

    task: Task[Any, Any, Any]
    model: TaskModel
    tokenizer: Tokenizer
    max_seq_length: int
    batch_size: int
    precision: Precision
    device: torch.device

    def answers(self, examples: Sequence[Example], phase: Phase | None = None) -> Answers:
        """Return the task's prediction for each example.

        Args:
            examples: of the task.
            phase: told how many are answered.

        Raises:
            ResourceError: a forward pass does not fit into memory.
            TrainingDivergedError: an output is not finite.
        """
        phase = phase or Silent()
        found: list[dict[str, Any]] = []
        truncated = 0
        for start in range(0, len(examples), _EXAMPLES_AT_ONCE):
            some = examples[start : start + _EXAMPLES_AT_ONCE]
            inputs = self.task.encode(some, self.tokenizer, max_seq_length=self.max_seq_length)
            found += self.task.predictions(some, inputs, self.outputs(inputs))
            truncated += inputs.truncated
            phase.advance(len(some))
        return Answers(found, truncated)

    @torch.inference_mode()
    def outputs(self, inputs: Inputs) -> list[NDArray[np.float32]]:
        """Return the model's outputs for each sequence, float32 ``[1, C]`` or ``[tokens, C]``.

        Raises:
            ResourceError: a forward pass does not fit into memory.
            TrainingDivergedError: an output is not finite.
        """
        self.model.to(self.device).eval()
        outputs: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(inputs.lengths)
        for numbers in by_length(inputs.lengths, batch_size=self.batch_size):
            given = if_it_fits(partial(self._forward, inputs.batch(numbers)))
            if given is None:
                raise ResourceError(
                    f"out of memory with {len(numbers)} sequences a forward pass, the longest of "
                    f"{inputs.lengths[numbers].max()} tokens",
                    hint="set a smaller eval.batch_size or predict.batch_size, or max_seq_length there",
                )
            if not np.isfinite(given).all():
                raise TrainingDivergedError(
                    "the model gives outputs that are not finite",
                    hint="its training has diverged: train it again",
                )
            rows = inputs.lengths[numbers] if self.model.per_token else np.ones(len(numbers), dtype=np.int64)
            for number, part in zip(numbers, np.split(given, np.cumsum(rows)[:-1]), strict=True):
                outputs[number] = part
        return outputs

    def _forward(self, batch: TokenBatch) -> NDArray[np.float32]:
        with autocast(self.precision, self.device):
            outputs: NDArray[np.float32] = self.model(batch.to(self.device)).float().cpu().numpy()
        return outputs


def by_length(lengths: Numbers, *, batch_size: int) -> Iterator[Numbers]:
    """Yield the numbers of all sequences, of like length together: little padding in attention."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def write_answers(
    folder: Path, task: Task[Any, Any, Any], examples: Sequence[Example], predictions: Sequence[Prediction]
) -> list[str]:
    """Write predictions as ours, and as the task's official scorer takes them; return the files' names."""
    official = task.submission(examples, predictions)
    _write_predictions(folder / PREDICTIONS, examples, predictions)
    for name, content in official.items():
        (folder / name).write_text(content, encoding="utf-8", newline="\n")
    return [PREDICTIONS, *sorted(official)]


def _write_predictions(path: Path, examples: Sequence[Example], predictions: Sequence[Prediction]) -> None:
    """Write a JSON object an example: its id, what is right where the data says so, and the prediction."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for example, prediction in zip(examples, predictions, strict=True):
            line = {"id": example.id, "target": example.target, **prediction}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
