"""A whole run against ``transformers``' Trainer: the same batches, what is learned by when.

Protocol:

* Vocabulary and rows are made from all books in ``corpora/classic-books-en`` with our own commands, one
  document a chapter.
* ``bertpipe``: the stage behind ``bertpipe pretrain``, with a listener in place of the terminal.
* ``trainer``: ``BertForPreTraining`` in ``Trainer``, which sees the same rows with the same masks in every
  update, padded to the longest row of the batch. It starts from the very same weights. AdamW with the same
  groups and numbers, the schedule, clipping and dropout are those of the stage; dropout masks are torch's.
* Each is a process of its own, on ``--threads`` threads. With ``--together`` they run side by side, else one
  after the other.
* At the same steps both are evaluated by the same code on the same held-out rows with the same masks, in
  fp32 and without dropout. The time of that does not count, nor that of the start and of our checkpoints.
* Every evaluation adds a line to ``OUT/NAME.tsv``: updates, real tokens, seconds on the wall and of the
  processor, the training loss since the line before, what evaluation gave. On a machine that others use
  too it is the seconds of the processor that compare.

    python benchmarks/pretrain_against_trainer.py --out DIR [--model tiny] [--steps N] [--together]
    python benchmarks/pretrain_against_trainer.py --out DIR --contestants bertpipe-another-dropout
    python benchmarks/pretrain_against_trainer.py --out DIR --table-only

``bertpipe-another-dropout`` differs from ``bertpipe`` in the seed of dropout alone: what lies between these
two is noise; with ``--dropout 0`` there is none to speak of. The peer needs ``transformers[torch]``.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pretrain_contestants import padded, rows_of, their_names
from timing import BOOKS
from torch.nn import functional

from bertpipe.checkpoints.names import from_stored, name_table, to_stored
from bertpipe.configs import Params
from bertpipe.instances.epochs import row_numbers
from bertpipe.pretraining import MaskedLanguageModelling, PretrainingBatch, TrainingData, ValidationData
from bertpipe.pretraining.opened import OpenedShards
from bertpipe.pretraining.start import build_network, decide_shape
from bertpipe.progress import Silent
from bertpipe.reports.curves import Chart, Series, svg
from bertpipe.stages import pretrain
from bertpipe.training import evaluate
from bertpipe.training import update as training_update
from bertpipe.training.problem import Tally

# What suits widths far below that of BERT base: a wider start, as its share of the width asks for.
INITIALIZER_RANGES = {"tiny": 0.05, "mini": 0.035, "small": 0.025}
LEARNING_RATES = {"tiny": 2e-3, "mini": 1e-3, "small": 5e-4}
VOCAB_SIZE, ROW_TOKENS = 4000, 32
ANOTHER_SEED = 1_000_003
CONTESTANTS = ("bertpipe", "trainer", "bertpipe-bf16", "bertpipe-another-dropout")
COLUMNS = (
    "step",
    "tokens",
    "seconds",
    "cpu_seconds",
    "train_loss",
    "validation_loss",
    "validation_mlm_loss",
    "validation_mlm_accuracy",
    "validation_nsp_loss",
    "validation_nsp_accuracy",
)

Curves = dict[int, dict[str, float]]  # the lines of a contestant by step


class Curve:
    """The lines of one contestant, and a clock that stands still while it is evaluated.

    Args:
        path: the file to add them to.
        data: the batches, to count their tokens.
    """

    def __init__(self, path: Path, data: TrainingData) -> None:
        self._path, self._data = path, data
        self._step = self._tokens = 0
        self._wall = self._cpu = 0.0
        self._since: tuple[float, float] | None = None
        path.write_text("\t".join(COLUMNS) + "\n", encoding="utf-8")

    def go(self) -> None:
        """Let the clock run."""
        self._since = time.perf_counter(), time.process_time()

    def halt(self) -> None:
        """Stop the clock."""
        if self._since is not None:
            self._wall += time.perf_counter() - self._since[0]
            self._cpu += time.process_time() - self._since[1]
        self._since = None

    def add(self, step: int, train_loss: float, validation: Mapping[str, float]) -> None:
        """Add the line of an evaluation."""
        self._count_to(step)
        figures = {
            "step": step,
            "tokens": self._tokens,
            "seconds": self._wall,
            "cpu_seconds": self._cpu,
            "train_loss": train_loss,
            **{f"validation_{name}": value for name, value in validation.items()},
        }
        line = "\t".join(f"{figures[name]:.8g}" for name in COLUMNS)
        with self._path.open("a", encoding="utf-8") as file:
            print(line, file=file)

    def _count_to(self, step: int) -> None:
        size = self._data.batch_size
        places = np.arange(self._step * size, step * size)
        numbers = row_numbers(places, rows=len(self._data.shards), seed=self._data.seed)
        self._tokens += int(self._data.shards.rows(numbers).lengths.sum())
        self._step = step


class Listener(Silent):
    """Hears of a run of our stage, and writes its curve."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._step, self._train_loss = 0, 0.0

    def phase(
        self, name: str, *, total: float | None, unit: str, done: float = 0
    ) -> AbstractContextManager[Silent]:
        """Start the clock with the first update."""
        if name == "train":
            self._curve.go()
            return nullcontext(self)
        return nullcontext(Silent())

    def advance(self, amount: float, **figures: Any) -> None:
        """Keep what an interval gave; write a line where the figures are those of an evaluation."""
        self._step += round(amount)
        if amount:
            self._train_loss = figures.get("loss", self._train_loss)
        else:
            validation = {name.removeprefix("validation_"): value for name, value in figures.items()}
            self._curve.add(self._step, self._train_loss, validation)

    def doing(self, what: str | None) -> None:
        """Stop the clock while the model is evaluated or saved."""
        if what is None:
            self._curve.go()
        else:
            self._curve.halt()


@dataclass(frozen=True)
class Setting:
    """What all have in common.

    Attributes:
        shards: an output of ``bertpipe prepare``.
        settings: of the stage.
    """

    shards: Path
    settings: pretrain.PretrainSettings

    def problem(self) -> MaskedLanguageModelling:
        """Return the model before its first update, and its data: as the stage builds them."""
        config = self.settings.pretrain
        opened = OpenedShards.open(self.shards, self.settings.masking)
        shape = decide_shape(
            self.settings.model,
            saved=None,
            tokenizer=opened.tokenizer,
            longest=opened.train.max_seq_length,
            init_vocabulary="same",
        )
        start = build_network(shape, saved=None, tokenizer=opened.tokenizer, has_pairs=True, seed=config.seed)
        maker = opened.maker()
        return MaskedLanguageModelling(
            start.network,
            TrainingData(opened.train, maker, config.batch_size, config.seed),
            ValidationData(opened.validation, maker, config.evaluate_sequences, config.batch_size),
        )


def train_ours(setting: Setting, name: str, out: Path) -> None:
    """Run the stage."""
    settings = setting.settings
    curve = Curve(out / f"{name}.tsv", setting.problem().training)
    if name == "bertpipe-another-dropout":
        _reseed_dropout()
    os.environ["BERTPIPE_WORK"] = str(out / f"{name}.work")
    listener = Listener(curve)
    pretrain.run(settings, shards=setting.shards, init=None, out=out / f"{name}.model", progress=listener)


def _reseed_dropout() -> None:
    """Give dropout another seed than weights, order and masks."""
    run_training = pretrain.run_training

    def reseeded(problem: Any, plan: training_update.Plan, **others: Any) -> Any:
        return run_training(problem, replace(plan, seed=plan.seed + ANOTHER_SEED), **others)

    pretrain.run_training = reseeded


class Batches(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Our batches as Trainer wants them: an item is a whole batch."""

    def __init__(self, data: TrainingData, steps: int) -> None:
        self._data, self._steps = data, steps

    def __len__(self) -> int:
        """Return the number of updates."""
        return self._steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        """Return the batch of an update, padded."""
        if step >= self._steps:
            raise IndexError(step)
        return padded(list(rows_of(_only(self._data.micro_batches(step)))))


def _only(batches: list[PretrainingBatch]) -> PretrainingBatch:
    (batch,) = batches
    return batch


def train_theirs(setting: Setting, name: str, out: Path) -> None:
    """Train with ``Trainer``; evaluate with our code."""
    from transformers import BertConfig, BertForPreTraining, Trainer, TrainerCallback, TrainingArguments

    config = setting.settings.pretrain
    threads = setting.settings.runtime.threads
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    problem, schedule = setting.problem(), config.plan().schedule
    shape = problem.model.encoder.shape
    table = name_table("BertForPreTraining", num_hidden_layers=shape.num_hidden_layers)
    model = BertForPreTraining(BertConfig(**their_names(shape)))
    found = model.load_state_dict(to_stored(problem.model.state_dict(), table), strict=False)
    assert not found.unexpected_keys and all("decoder" in key for key in found.missing_keys), found
    model.tie_weights()
    curve = Curve(out / f"{name}.tsv", problem.training)
    tally = Losses()

    class Evaluating(TrainerCallback):
        def on_step_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
            step = state.global_step
            if step % config.evaluate_steps and step < schedule.total_steps:
                return
            curve.halt()
            problem.model.load_state_dict(from_stored(model.state_dict(), table))
            figures = evaluate(problem, precision="fp32", device=torch.device("cpu"))
            curve.add(step, tally.mean(), figures)
            curve.go()

    class Scheduled(Trainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, schedule.share)
            return self.lr_scheduler

        def compute_loss(self, model: Any, inputs: Any, *args: Any, **others: Any) -> Any:
            others["return_outputs"] = True
            loss, outputs = super().compute_loss(model, inputs, *args, **others)
            tally.add(loss, outputs, inputs)
            return loss

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=1,  # an item is a batch
            max_steps=schedule.total_steps,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            adam_beta1=config.adam_beta1,
            adam_beta2=config.adam_beta2,
            adam_epsilon=config.adam_epsilon,
            max_grad_norm=config.max_grad_norm,
            seed=config.seed,
            use_cpu=True,
            train_sampling_strategy="sequential",
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        trainer = Scheduled(
            model=model,
            args=arguments,
            train_dataset=Batches(problem.training, schedule.total_steps),
            data_collator=lambda items: items[0],
            callbacks=[Evaluating()],
        )
        curve.go()
        trainer.train()


class Losses:
    """The sums of ``Trainer``'s losses since they were last asked for, kept as ours are.

    Only the sum of both parts comes back from the model; the small one is computed again.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[torch.Tensor, torch.Tensor, int, int]] = []

    def add(self, loss: torch.Tensor, outputs: Any, inputs: Mapping[str, torch.Tensor]) -> None:
        """Keep the loss of a batch."""
        labels = inputs["next_sentence_label"].view(-1)
        pairs = functional.cross_entropy(outputs.seq_relationship_logits.detach(), labels)
        self._seen.append((loss.detach(), pairs, int((inputs["labels"] >= 0).sum()), len(labels)))

    def mean(self) -> float:
        """Return the mean loss over predicted tokens, plus that over pairs."""
        tally = Tally()
        for both, pairs, tokens, sequences in self._seen:
            sums = {"mlm.loss": float(both - pairs) * tokens, "mlm.count": float(tokens)}
            tally.add(sums | {"nsp.loss": float(pairs) * sequences, "nsp.count": float(sequences)})
        self._seen.clear()
        return tally.figures()["loss"]


def make_shards(out: Path) -> Path:
    """Return rows made from all books, where they are not there yet."""
    shards = out / "shards"
    if not shards.exists():
        _bertpipe("vocab", "--corpus", BOOKS, "--out", out / "vocab", "--set", f"vocab.size={VOCAB_SIZE}")
        chosen = ["--set", f"prepare.max_seq_length={ROW_TOKENS}", "--set", "prepare.dupe_factor=2"]
        _bertpipe("prepare", "--corpus", BOOKS, "--vocab", out / "vocab", "--out", shards, *chosen)
    return shards


def _bertpipe(*words: str | Path) -> None:
    """Run a command, away from any ``params.yaml``."""
    common = ["--set", "corpus.documents=heading", "--quiet"]
    command = [sys.executable, "-m", "bertpipe", *map(str, words), *common]
    with tempfile.TemporaryDirectory() as empty:
        subprocess.run(command, cwd=empty, check=True, stdout=subprocess.DEVNULL)


def setting_of(
    shards: Path,
    *,
    model: str = "tiny",
    steps: int,
    batch_size: int = 32,
    learning_rate: float | None = None,
    dropout: float = 0.1,
    evaluate_steps: int = 500,
    evaluate_sequences: int = 1000,
    threads: int = 1,
    seed: int = 1,
    precision: str = "fp32",
) -> Setting:
    """Return the settings that ``bertpipe pretrain`` would be given."""
    values = {
        "model": {
            "preset": model,
            "max_position_embeddings": ROW_TOKENS,
            "initializer_range": INITIALIZER_RANGES[model],
            "hidden_dropout_prob": dropout,
            "attention_probs_dropout_prob": dropout,
        },
        "pretrain": {
            "total_steps": steps,
            "warmup_steps": steps // 20,
            "batch_size": batch_size,
            "learning_rate": learning_rate or LEARNING_RATES[model],
            "adam_beta2": 0.98,
            "precision": precision,
            "evaluate_steps": evaluate_steps,
            "evaluate_sequences": evaluate_sequences,
            "seed": seed,
        },
        "runtime": {
            "threads": threads,
            "device": "cpu",
            "log_interval": evaluate_steps,
            "checkpoint_steps": 5000,
        },
    }
    return Setting(shards, Params(values).read(pretrain.PretrainSettings))


def run_all(arguments: argparse.Namespace) -> None:
    """Start a process for each contestant."""
    make_shards(arguments.out)
    running = []
    for name in arguments.contestants:
        command = [sys.executable, "-W", "ignore", *sys.argv, "--only", name]
        running.append(subprocess.Popen(command))
        if not arguments.together:
            running[-1].wait()
    if any(codes := [process.wait() for process in running]):
        raise SystemExit(f"a contestant has failed: {codes}")


def read_curve(path: Path) -> Curves:
    """Return the lines of a contestant by step."""
    names, *lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    rows = (dict(zip(names, map(float, line), strict=True)) for line in lines)
    return {int(row["step"]): row for row in rows}


def curves_in(out: Path) -> dict[str, Curves]:
    """Return what is there of each contestant."""
    paths = {name: out / f"{name}.tsv" for name in CONTESTANTS}
    return {name: read_curve(path) for name, path in paths.items() if path.exists()}


def tables(curves: Mapping[str, Curves], *, every: int) -> Iterator[str]:
    """Yield a table for each of the others, as far as both have come: the loss by step, and the time."""
    ours = curves["bertpipe"]
    for name, theirs in curves.items():
        if name != "bertpipe":
            yield ""
            yield (
                f"| step | million tokens | train | {name} | held out | {name} | difference "
                f"| minutes | {name} | of processor | {name} | ratio |"
            )
            yield "|" + " ---: |" * 12
            last = max(ours.keys() & theirs.keys(), default=0)
            for step in sorted(ours.keys() & theirs.keys()):
                if step % every == 0 or step == last:
                    yield f"| {step:,} | {' | '.join(_cells(ours[step], theirs[step]))} |"


def _cells(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Iterator[str]:
    yield f"{ours['tokens'] / 1e6:.2f}"
    for name in ("train_loss", "validation_loss"):
        yield from (f"{row[name]:.3f}" for row in (ours, theirs))
    yield f"{theirs['validation_loss'] - ours['validation_loss']:+.3f}"
    for clock in ("seconds", "cpu_seconds"):
        yield from (f"{row[clock] / 60:.1f}" for row in (ours, theirs))
    yield f"{theirs['cpu_seconds'] / ours['cpu_seconds']:.2f}"


def picture(curves: Mapping[str, Curves]) -> str:
    """Draw the held-out loss by tokens and by time, as SVG."""
    charts = [
        Chart(
            f"Held-out loss by {what}",
            label,
            "loss (nats)",
            tuple(
                Series(name, tuple((row[column] / unit, row["validation_loss"]) for row in rows.values()))
                for name, rows in curves.items()
            ),
        )
        for what, label, column, unit in (
            ("tokens", "million real tokens", "tokens", 1e6),
            ("processor time", "minutes of the processor", "cpu_seconds", 60.0),
        )
    ]
    return svg(charts)


def main() -> None:
    """Run the contestants, then print what they have learned by when."""
    parser = argparse.ArgumentParser(description="Compare whole runs of pre-training.")
    parser.add_argument("--out", type=Path, required=True, help="folder for shards and curves")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=CONTESTANTS[:2])
    parser.add_argument("--together", action="store_true", help="run them side by side")
    parser.add_argument("--model", choices=INITIALIZER_RANGES, default="tiny")
    parser.add_argument("--steps", type=int, default=28_000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--learning-rate", type=float, help="peak; unset: by the model")
    parser.add_argument("--evaluate-steps", type=int, default=500)
    parser.add_argument("--evaluate-sequences", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table-every", type=int, default=1000, help="updates between two lines")
    parser.add_argument("--table-only", action="store_true", help="print what is there")
    parser.add_argument("--picture", type=Path, help="SVG file for the curves")
    parser.add_argument("--only", choices=CONTESTANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.only:
        train = train_theirs if arguments.only == "trainer" else train_ours
        setting = setting_of(
            arguments.out / "shards",
            model=arguments.model,
            steps=arguments.steps,
            batch_size=arguments.batch_size,
            learning_rate=arguments.learning_rate,
            dropout=arguments.dropout,
            evaluate_steps=arguments.evaluate_steps,
            evaluate_sequences=arguments.evaluate_sequences,
            threads=arguments.threads,
            precision="bf16" if arguments.only == "bertpipe-bf16" else "fp32",
        )
        train(setting, arguments.only, arguments.out)
        return
    if not arguments.table_only:
        run_all(arguments)
    curves = curves_in(arguments.out)
    for line in tables(curves, every=arguments.table_every):
        print(line)
    if arguments.picture:
        arguments.picture.write_text(picture(curves), encoding="utf-8")


if __name__ == "__main__":
    main()
