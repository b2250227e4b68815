"""Those who take part in ``pretrain_speed.py``: each is a process that trains when it is told to.

A contestant says ``ready`` when it is warm. Then each line on its standard input is a number of
seconds: it trains for as long, ends the update it is in, and answers with one JSON object. In between
it waits for the next line and uses no processor.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.instances import MaskingConfig, ShardSet
from bertpipe.model import ModelShape, PretrainingModel, compiled
from bertpipe.pretraining import (
    BatchMaker,
    MaskedLanguageModelling,
    PretrainingBatch,
    TrainingData,
    ValidationData,
)
from bertpipe.pretraining.flops import flops_per_token
from bertpipe.progress import Silent
from bertpipe.training import OptimizerConfig, Plan, Schedule, build_optimizer, open_world, prepare_device
from bertpipe.training.loop import updates
from bertpipe.training.micro_batches import MicroBatches
from bertpipe.training.parallel import lay_out
from bertpipe.training.precision import LossScaler
from bertpipe.training.update import Setup
from bertpipe.vocab import Tokenizer

FOREVER = 1_000_000
WARM_UP = 2
PEER_BATCHES = 64
MATRIX = 2048


@dataclass(frozen=True)
class Task:
    """What a contestant does.

    Attributes:
        name: a key of ``CONTESTANTS``.
        precision: of forward and backward pass.
        model: settings of ``ModelConfig``.
        shards: an output of ``bertpipe prepare``.
        batch_size: sequences an update.
        device: such as ``cpu``.
        threads: of torch.
        options: such as ``compile`` and ``checkpointing``.
        by_cpu_time: count processor time instead of time on the wall.
    """

    name: str
    precision: Any
    model: dict[str, Any]
    shards: str
    batch_size: int
    device: str
    threads: int
    options: list[str]
    by_cpu_time: bool

    @property
    def runtime(self) -> RuntimeConfig:
        """Return where to compute."""
        return RuntimeConfig(device=self.device, threads=self.threads)

    def shape(self) -> ModelShape:
        """Return the shape of the model."""
        return ModelShape(**self.model, vocab_size=Tokenizer.load(Path(self.shards) / "tokenizer").vocab_size)

    def data(self) -> TrainingData:
        """Return the batches of a run: the same for all."""
        tokenizer = Tokenizer.load(Path(self.shards) / "tokenizer")
        rows = ShardSet.open(Path(self.shards) / "train")
        maker = BatchMaker(MaskingConfig(), tokenizer, rows.max_seq_length)
        return TrainingData(rows, maker, self.batch_size, seed=0)


class Turns:
    """Counts updates, and stops at the end of each turn until the next one is asked for."""

    def __init__(self, task: Task) -> None:
        self._device = task.device
        self._clock = time.process_time if task.by_cpu_time else time.perf_counter
        self._warm = 0
        self._deadline = 0.0

    def done(self, *, tokens: float, flops: float, waited: float = 0.0) -> None:
        """Count an update and what it was worth; may block."""
        self._warm += 1
        if self._warm < WARM_UP:
            return
        if self._warm == WARM_UP:
            self._start("ready")
            return
        self._updates += 1
        self._tokens += tokens
        self._flops += flops
        self._waited += waited
        if self._clock() >= self._deadline:
            self._synchronize()
            seconds = self._clock() - self._began
            figures = {
                "updates": self._updates,
                "tokens_per_second": self._tokens / seconds,
                "flops": self._flops / seconds,
                "wait_share": self._waited / seconds,
            }
            self._start(json.dumps(figures))

    def _start(self, answer: str) -> None:
        self._synchronize()
        print(answer, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        self._updates, self._tokens, self._flops, self._waited = 0, 0.0, 0.0, 0.0
        self._began = self._clock()
        self._deadline = self._began + float(line)

    def _synchronize(self) -> None:
        if torch.device(self._device).type == "cuda":
            torch.cuda.synchronize()


def matrix_product(task: Task) -> None:
    """Multiply large square matrices: what the machine can do at most."""
    prepare_device(task.runtime, Silent())
    size = MATRIX if task.device == "cpu" else 4 * MATRIX
    kind = torch.float32 if task.precision == "fp32" else torch.bfloat16
    a, b = (torch.randn(size, size, device=task.device).to(kind) for _ in range(2))
    turns = Turns(task)
    while True:
        a @ b
        turns.done(tokens=0, flops=2 * size**3)


def ours(task: Task) -> None:
    """Train with bertpipe's own loop, in one process or in two that share the batch."""
    if "two-processes" not in task.options:
        return _train(task)
    os.environ |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}
    second = os.environ.get("RANK") == "1"
    if not second:
        os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "MASTER_PORT": _free_port()}
        other = subprocess.Popen(
            [sys.executable, *sys.argv],
            env=os.environ | {"RANK": "1", "LOCAL_RANK": "1"},
            stdout=subprocess.DEVNULL,
        )
    try:
        return _train(task)
    finally:
        if not second:
            other.kill()


def _train(task: Task) -> None:
    device = prepare_device(task.runtime, Silent())
    torch.manual_seed(0)
    shape, data = task.shape(), task.data()
    worth = flops_per_token(shape, data.shards, data.maker)
    model = PretrainingModel(shape, predicts_next_sentence=True).to(device)
    model.encoder.checkpointing = "checkpointing" in task.options
    if "compile" in task.options:
        compiled(model)
    plan = Plan(
        Schedule("constant", total_steps=FOREVER, warmup_steps=0),
        OptimizerConfig(),
        precision=task.precision,
        seed=0,
        micro_batch_size=task.batch_size,
    )
    problem = MaskedLanguageModelling(model, data, ValidationData(data.shards, data.maker, 1, 1))
    with open_world(task.runtime) as world:
        layout = lay_out(problem, world, parallel="ddp", device=device)
        optimizer = build_optimizer(model, plan.optimizer)
        sizes = MicroBatches(task.batch_size, world=world)
        setup = Setup(problem, layout, optimizer, LossScaler(plan.precision, device), sizes, device)
        turns = Turns(task) if world.is_first else None
        for report in updates(setup, plan, first_step=0):
            if turns is not None:
                wait = report.data_wait_seconds
                turns.done(tokens=report.tokens, flops=report.tokens * worth, waited=wait)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return str(probe.getsockname()[1])


def transformers_trainer(task: Task) -> None:
    """Train ``BertForPreTraining`` with ``transformers``' Trainer and its defaults, on padded batches."""
    from transformers import BertConfig, BertForPreTraining, Trainer, TrainerCallback, TrainingArguments

    torch.set_num_threads(task.threads)
    shape, data = task.shape(), task.data()
    rows = [row for step in range(PEER_BATCHES) for row in rows_of(data.micro_batches(step)[0])]
    model = BertForPreTraining(BertConfig(**their_names(shape)))
    worth = flops_per_token(shape, data.shards, data.maker)
    turns, seen = Turns(task), deque[int]()

    class Counting(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            tokens = seen.popleft()
            turns.done(tokens=tokens, flops=tokens * worth)

    def collate(chosen: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
        seen.append(sum(len(row["input_ids"]) for row in chosen))
        return padded(chosen)

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=task.batch_size,
            max_steps=FOREVER,
            learning_rate=1e-4,
            weight_decay=0.01,
            bf16=task.precision == "bf16",
            use_cpu=task.device == "cpu",
            torch_compile="compile" in task.options,
            train_sampling_strategy="sequential",
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=model, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[Counting()]
        )
        trainer.train()


def their_names(shape: ModelShape) -> dict[str, Any]:
    """Return a shape as settings of ``BertConfig``."""
    return shape.model_dump() | {"intermediate_size": shape.feed_forward_size}


def rows_of(batch: PretrainingBatch) -> Iterator[dict[str, np.ndarray]]:
    """Yield the sequences of a batch one by one, as ``BertForPreTraining`` names their parts."""
    labels = np.full(batch.size_tokens, -100)
    labels[batch.predicted] = batch.labels
    bounds = batch.tokens.starts.tolist()[1:]
    columns = (batch.tokens.input_ids.numpy(), batch.tokens.token_type_ids.numpy(), labels)
    parts = zip(*(np.split(column, bounds) for column in columns), strict=True)
    for (ids, types, targets), is_random in zip(parts, batch.next_sentence_labels.tolist(), strict=True):
        yield {
            "input_ids": ids,
            "token_type_ids": types,
            "labels": targets,
            "attention_mask": np.ones_like(ids),
            "next_sentence_label": np.array(is_random),
        }


def padded(rows: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    """Pad to the longest, as ``DataCollatorForLanguageModeling`` does."""
    longest = max(len(row["input_ids"]) for row in rows)
    batch = {}
    for name in rows[0]:
        fill = -100 if name == "labels" else 0
        if name == "next_sentence_label":
            values = [row[name] for row in rows]
        else:
            values = [np.pad(row[name], (0, longest - len(row[name])), constant_values=fill) for row in rows]
        batch[name] = torch.from_numpy(np.stack(values))
    return batch


CONTESTANTS: dict[str, Callable[[Task], None]] = {
    "bertpipe": ours,
    "transformers": transformers_trainer,
    "matrix product": matrix_product,
}


def encode(task: Task) -> str:
    """Return a task as an argument of this script."""
    return json.dumps(asdict(task))


if __name__ == "__main__":
    chosen = Task(**json.loads(sys.argv[1]))
    CONTESTANTS[chosen.name](chosen)
