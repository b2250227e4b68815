"""Fine-tuning beside ``Trainer`` of transformers: scores over seeds, and samples a second.

Both start from the same model folder and train on the same token ids, with the same optimizer settings,
schedule, batch size, epochs and precision; Trainer pads each batch to its longest sequence. Each run is a
process of its own, and the two take turns. Both are scored by the task's own metrics on the same examples.
Needs accelerate, which Trainer asks for.

    python benchmarks/finetune_against_trainer.py --model FOLDER --tasks mrpc=glue/MRPC cola=glue/CoLA \
        [--examples N] [--eval-examples N] [--epochs N] [--seeds N] [--first-seed N] [--precision bf16]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from bertpipe.checkpoints import open_model
from bertpipe.configs import RuntimeConfig
from bertpipe.progress import Silent
from bertpipe.tasks import Answerer, FinetuneConfig, Task, choose, describe, kind_of, start
from bertpipe.tasks.inputs import Inputs
from bertpipe.training import build_optimizer, prepare_device, train

CONTESTANTS = ("bertpipe", "Trainer")
FLOAT_TARGETS = (np.float32, np.float64)


@dataclass(frozen=True)
class Course:
    """What both are given.

    Attributes:
        task: learned from the training examples.
        examples: to train on.
        held_out: the examples that are scored.
        model: the folder to start from.
        config: how to train.
        threads: of tensor work.
    """

    task: Task[Any, Any, Any]
    examples: Sequence[Any]
    held_out: list[Any]
    model: Path
    config: FinetuneConfig
    threads: int | None


def main() -> None:
    """Print a line for each run, then a row for each task."""
    arguments = _parser().parse_args()
    if arguments.contestant:
        (named,) = arguments.tasks
        result = run(arguments.contestant, course_of(named, arguments))
        print(json.dumps(result))
        return
    for named in arguments.tasks:
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            for name in CONTESTANTS:
                found[name].append(in_own_process(name, named, seed))
                print(f"{named.split('=')[0]}, seed {seed}, {name}: {found[name][-1]}", flush=True)
        print_row(named.split("=")[0], found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Fine-tune beside Trainer.")
    parser.add_argument("--model", type=Path, required=True, help="a BERT folder")
    parser.add_argument("--tasks", nargs="+", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--examples", type=int, help="to train on, drawn by the seed; unset: all")
    parser.add_argument("--eval-examples", type=int, help="to score, the first ones; unset: all")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-seq-length", type=int, default=128)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--split", default="dev", help="the part of the data to score")
    parser.add_argument("--threads", type=int, help="unset: one a core")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    return parser


def in_own_process(contestant: str, named: str, seed: int) -> dict[str, Any]:
    """Run one contestant on one task; the rest of the command line is handed on."""
    kept = list(sys.argv[1:])
    start = kept.index("--tasks")
    end = next((i for i in range(start + 1, len(kept)) if kept[i].startswith("--")), len(kept))
    kept[start:end] = ["--tasks", named]
    command = [sys.executable, __file__, *kept, "--contestant", contestant, "--seed", str(seed)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def course_of(named: str, arguments: argparse.Namespace) -> Course:
    """Read and encode what both are trained on."""
    name, folder = named.split("=", 1)
    config = FinetuneConfig(
        learning_rate=arguments.learning_rate,
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
        max_seq_length=arguments.max_seq_length,
        train_examples=arguments.examples,
        precision=arguments.precision,
        seed=arguments.seed,
    )
    description = describe(name, {})
    kind = kind_of(description)
    labelled = kind.read(Path(folder), "train", description)
    task = kind.learn(name, description, labelled)
    examples = choose(labelled, config)
    held_out = list(kind.read(Path(folder), arguments.split, description))[: arguments.eval_examples]
    return Course(task, examples, held_out, arguments.model, config, arguments.threads)


def run(contestant: str, course: Course) -> dict[str, Any]:
    """Train and score; return scores, and samples a second of training and of answering."""
    device = prepare_device(RuntimeConfig(device="cpu", threads=course.threads), Silent())
    train_it, answer_it = {"bertpipe": ours, "Trainer": theirs}[contestant](course, device)
    started = time.monotonic()
    train_it()
    trained = time.monotonic()
    predictions = answer_it()
    answered = time.monotonic()
    task, predictions = course.task.calibrated(course.held_out, predictions)
    judgement = task.judge(course.held_out, predictions, split="dev")
    samples = len(course.examples) * course.config.epochs
    return {
        "primary": judgement.report.primary,
        "scores": {name: round(100 * score, 2) for name, score in judgement.report.scores.items()},
        "train_samples_per_second": round(samples / (trained - started), 2),
        "eval_samples_per_second": round(len(course.held_out) / (answered - trained), 2),
    }


def ours(course: Course, device: torch.device) -> tuple[Any, Any]:
    """Return what trains and what answers, by the project itself."""
    saved, config = open_model(course.model), course.config
    problem, new = start(config, course.task, course.task.head, saved, course.examples, course.held_out)
    plan = config.plan(steps_an_epoch=problem.steps_an_epoch, layers=saved.shape.num_hidden_layers, new=new)
    optimizer = build_optimizer(problem.model, plan.optimizer, scale=plan.scale)
    answerer = Answerer(
        course.task,
        problem.model,
        saved.tokenizer(),
        max_seq_length=config.max_seq_length,
        batch_size=64,
        precision=config.precision,
        device=device,
    )

    def train_it() -> None:
        for _ in train(problem, optimizer, plan, device=device, first_step=0):
            pass

    return train_it, lambda: answerer.answers(course.held_out).predictions


class Rows(Dataset[dict[str, Any]]):
    """Encoded items as Trainer wants them, with what is right or without."""

    def __init__(self, inputs: Inputs, targets: Any = None) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        """Return the number of items."""
        return self.inputs.items

    def __getitem__(self, item: int) -> dict[str, Any]:
        """Return the ids and the target of one item."""
        sequences = self.inputs.sequences_of(np.array([item]))
        row = {
            "ids": [self.inputs.input_ids[n] for n in sequences],
            "first": [self.inputs.first_segment_lengths[n] for n in sequences],
        }
        return row if self.targets is None else row | {"target": self.targets[item]}


@dataclass(frozen=True)
class Padding:
    """Joins rows to a batch, padded to the longest; labels are named as each Hugging Face class does."""

    architecture: str
    pad_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return a batch."""
        sequences = [ids for row in rows for ids in row["ids"]]
        firsts = np.array([first for row in rows for first in row["first"]])
        longest = max(map(len, sequences))
        grid = np.full((len(sequences), longest), self.pad_id, dtype=np.int64)
        for place, ids in enumerate(sequences):
            grid[place, : len(ids)] = ids
        lengths = np.array([len(ids) for ids in sequences])
        is_token = np.arange(longest) < lengths[:, None]
        types = ((np.arange(longest) >= firsts[:, None]) & is_token).astype(np.int64)
        batch = {"input_ids": grid, "attention_mask": is_token.astype(np.int64), "token_type_ids": types}
        if self.architecture == "BertForMultipleChoice":
            batch = {name: part.reshape(len(rows), -1, longest) for name, part in batch.items()}
        tensors = {name: torch.from_numpy(part) for name, part in batch.items()}
        return tensors | (
            self._labels([row["target"] for row in rows], longest) if "target" in rows[0] else {}
        )

    def _labels(self, targets: list[Any], longest: int) -> dict[str, torch.Tensor]:
        if self.architecture == "BertForQuestionAnswering":
            places = torch.from_numpy(np.concatenate(targets))
            return {"start_positions": places[:, 0], "end_positions": places[:, 1]}
        if self.architecture == "BertForTokenClassification":
            grid = np.full((len(targets), longest), -100, dtype=np.int64)
            for place, labels in enumerate(targets):
                grid[place, : len(labels)] = labels
            return {"labels": torch.from_numpy(grid)}
        return {"labels": torch.from_numpy(np.concatenate(targets))}


def theirs(course: Course, device: torch.device) -> tuple[Any, Any]:
    """Return what trains and what answers, by Trainer."""
    import transformers

    config, head, task = course.config, course.task.head, course.task
    transformers.set_seed(config.seed)
    tokenizer = open_model(course.model).tokenizer()
    outputs = {"problem_type": task.facts.get("problem_type"), "num_labels": head.outputs}
    fixed = head.architecture in ("BertForQuestionAnswering", "BertForMultipleChoice")
    model = getattr(transformers, head.architecture).from_pretrained(
        course.model, **({} if fixed else outputs)
    )
    padding = Padding(head.architecture, tokenizer.pad_id)

    def encoded(examples: Sequence[Any]) -> Inputs:
        return task.encode(examples, tokenizer, max_seq_length=config.max_seq_length)

    with tempfile.TemporaryDirectory() as folder:
        training = transformers.TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=config.batch_size,
            num_train_epochs=config.epochs,
            learning_rate=config.learning_rate,
            warmup_steps=config.warmup_share,
            weight_decay=config.weight_decay,
            adam_epsilon=config.adam_epsilon,
            max_grad_norm=config.max_grad_norm,
            bf16=config.precision == "bf16",
            seed=config.seed,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            logging_strategy="no",
            remove_unused_columns=False,
            per_device_eval_batch_size=64,
        )
        inputs = encoded(course.examples)
        rows = Rows(inputs, task.targets(course.examples, inputs))
        trainer = transformers.Trainer(model, training, data_collator=padding, train_dataset=rows)

    def answer_it() -> list[dict[str, Any]]:
        inputs = encoded(course.held_out)
        given = [np.asarray(part) for part in as_tuple(trainer.predict(Rows(inputs)).predictions)]
        if head.architecture in ("BertForQuestionAnswering", "BertForTokenClassification"):
            stacked = given[0] if len(given) == 1 else np.stack(given, axis=-1)  # [N, S, C]
            outputs = [row[:length] for row, length in zip(stacked, inputs.lengths, strict=True)]
        else:
            outputs = list(given[0].reshape(len(inputs.lengths), 1, -1))
        return task.predictions(course.held_out, inputs, outputs)

    return trainer.train, answer_it


def as_tuple(given: Any) -> tuple[Any, ...]:
    """Return the outputs, of which there are one or two."""
    return given if isinstance(given, tuple) else (given,)


def print_row(name: str, found: dict[str, list[dict[str, Any]]]) -> None:
    """Print mean and spread of the primary score of both, and how much faster one was."""
    primary = found["bertpipe"][0]["primary"]
    scores = {who: [run["scores"][primary] for run in runs] for who, runs in found.items()}
    parts = [
        f"{who} {mean(values):.1f} +- {stdev(values) if len(values) > 1 else 0:.1f}"
        for who, values in scores.items()
    ]
    ratios = {
        what: median(
            one[f"{what}_samples_per_second"] / two[f"{what}_samples_per_second"]
            for one, two in zip(found["bertpipe"], found["Trainer"], strict=True)
        )
        for what in ("train", "eval")
    }
    speed = f"training {ratios['train']:.2f}x, answering {ratios['eval']:.2f}x as fast"
    print(f"{name}: {primary} {', '.join(parts)}; {speed}", flush=True)


if __name__ == "__main__":
    main()
