"""Speed of pre-training against ``transformers``' Trainer: same tokens, same model, same optimizer step.

Protocol:

* Rows of 128 tokens are made from the books in ``corpora/classic-books-en`` with our own commands, one
  document a chapter, with a vocabulary of 30,522 trained on the same text: real text, real lengths.
* Every contestant is a process of its own. They take turns of a few seconds, over several rounds, so that all
  see the machine in the same state; the others wait meanwhile. A ratio is the median over rounds of the
  ratio within a round.
* Tokens are real ones, padding counts nothing. Useful operations are those of the real tokens, with the
  masked-LM head on the predicted positions only, three times the forward pass. The share is of what a
  product of two large matrices reaches in the same rounds at the same precision.
* ``transformers``: ``BertForPreTraining`` in ``Trainer`` with its defaults, padded to the longest row of the
  batch, batches encoded and masked beforehand. ``bertpipe``: its training loop, masking included.
* AdamW, dropout 0.1, batches of 32 (mini), 16 (small), 8 (base) sequences on a CPU.

    python benchmarks/pretrain_speed.py [--models mini small base] [--rounds N] [--seconds N] [--device cuda]
    python benchmarks/pretrain_speed.py --ours-only bf16 bf16,two-processes bf16,compile bf16,checkpointing

The peer needs the package ``transformers[torch]``.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from json import loads
from pathlib import Path
from statistics import median
from typing import Any

from pretrain_contestants import Task, encode
from timing import books

SHAPES: dict[str, dict[str, Any]] = {
    "mini": {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4},
    "small": {"hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8},
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
}
BATCH_SIZES = {"mini": 32, "small": 16, "base": 8, "large": 4}


@dataclass(frozen=True)
class Entry:
    """A contestant as the table calls it.

    Attributes:
        name: who trains.
        precision: ``fp32`` or ``bf16``.
        options: such as ``compile``.
        checkout: where another version of our code lies; none: the installed one.
    """

    name: str
    precision: str
    options: tuple[str, ...] = ()
    checkout: str | None = None

    @classmethod
    def variant(cls, text: str) -> "Entry":
        """Read ``PRECISION[,OPTION...][@CHECKOUT]``."""
        settings, _, checkout = text.partition("@")
        precision, *options = settings.split(",")
        return cls("bertpipe", precision, tuple(options), checkout or None)

    def __str__(self) -> str:
        """Return its line in the table."""
        return " ".join([self.name, self.precision, *self.options, self.checkout or ""]).strip()


class Contestant:
    """A process that trains in turns."""

    def __init__(self, entry: Entry, task: Task) -> None:
        script = Path(__file__).with_name("pretrain_contestants.py")
        environment = dict(os.environ)
        if entry.checkout:
            environment["PYTHONPATH"] = os.pathsep.join([entry.checkout, environment.get("PYTHONPATH", "")])
        self.entry = entry
        self.turns: list[dict[str, float]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(script), encode(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._expect("ready")

    def turn(self, seconds: float) -> None:
        """Let it train, and keep what it answers."""
        assert self._process.stdin is not None
        print(seconds, file=self._process.stdin, flush=True)
        self.turns.append(loads(self._expect("{")))

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def median(self, figure: str) -> float:
        """Return the middle one of the turns."""
        return median(turn[figure] for turn in self.turns)

    def ratio(self, other: "Contestant", figure: str) -> float:
        """Return the median over rounds of the ratio within a round."""
        pairs = zip(self.turns, other.turns, strict=True)
        return median(mine[figure] / theirs[figure] for mine, theirs in pairs)

    def _expect(self, beginning: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(beginning):
                return line
        raise SystemExit(f"{self.entry} ended early")


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description="Compare the speed of pre-training.")
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=["mini", "small", "base"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a turn")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--by-cpu-time", action="store_true", help="count processor time: with --threads 1, on a busy machine"
    )
    parser.add_argument("--batch-size", type=int, help="sequences an update; unset: by the model")
    parser.add_argument("--length", type=int, default=128, help="tokens of a row")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--cache", type=Path, help="folder that keeps the shards for the next time")
    parser.add_argument("--megabytes", type=int, default=30, help="of text")
    parser.add_argument(
        "--ours-only",
        nargs="+",
        metavar="PRECISION[,OPTION][@CHECKOUT]",
        help="variants of ours, the first is 1",
    )
    arguments = parser.parse_args()
    entries = (
        [Entry.variant(text) for text in arguments.ours_only]
        if arguments.ours_only
        else contest(arguments.device)
    )
    with tempfile.TemporaryDirectory() as folder:
        shards = make_shards(
            (arguments.cache or Path(folder)).resolve(), arguments.megabytes, arguments.length
        )
        for model in arguments.models:
            measure(model, entries, shards, arguments)


def contest(device: str) -> list[Entry]:
    """Return who is compared by default; the first is 1."""
    if device != "cpu":
        return [Entry("transformers", "bf16", ("compile",)), Entry("bertpipe", "bf16")]
    return [Entry(name, precision) for name in ("transformers", "bertpipe") for precision in ("fp32", "bf16")]


def make_shards(cache: Path, megabytes: int, length: int) -> Path:
    """Return rows made from the books, from the cache where they are already there."""
    shards = cache / f"books-{megabytes}-{length}"
    if not shards.exists():
        cache.mkdir(parents=True, exist_ok=True)
        text = cache / f"books-{megabytes}.md"
        text.write_bytes(books(megabytes * 1_000_000))
        vocab = cache / f"vocab-{megabytes}"
        _bertpipe("vocab", "--corpus", text, "--out", vocab)
        settings = ["prepare.dupe_factor=1", f"prepare.max_seq_length={length}"]
        chosen = [word for setting in settings for word in ("--set", setting)]
        _bertpipe("prepare", "--corpus", text, "--vocab", vocab, "--out", shards, *chosen)
    return shards


def _bertpipe(*words: str | Path) -> None:
    """Run a command, away from any ``params.yaml``."""
    command = [
        sys.executable,
        "-m",
        "bertpipe",
        *map(str, words),
        "--set",
        "corpus.documents=heading",
        "--quiet",
    ]
    with tempfile.TemporaryDirectory() as empty:
        subprocess.run(command, cwd=empty, check=True, stdout=subprocess.DEVNULL)


def measure(model: str, entries: list[Entry], shards: Path, arguments: argparse.Namespace) -> None:
    """Let all take turns, and print how they compare."""
    peaks = [Entry("matrix product", precision) for precision in sorted({e.precision for e in entries})]
    contestants = [start(entry, model, shards, arguments) for entry in [*entries, *peaks]]
    for _ in range(arguments.rounds):
        for contestant in contestants:
            contestant.turn(arguments.seconds)
    for contestant in contestants:
        contestant.stop()
    report(model, contestants[: len(entries)], {c.entry.precision: c for c in contestants[len(entries) :]})


def start(entry: Entry, model: str, shards: Path, arguments: argparse.Namespace) -> Contestant:
    """Start a contestant and wait until it is warm."""
    dropout = {
        "hidden_dropout_prob": arguments.dropout,
        "attention_probs_dropout_prob": arguments.dropout,
        "max_position_embeddings": max(512, arguments.length),
    }
    task = Task(
        name=entry.name,
        precision=entry.precision,
        model=SHAPES[model] | dropout,
        shards=str(shards.resolve()),
        batch_size=arguments.batch_size or BATCH_SIZES[model],
        device=arguments.device,
        threads=1 if "two-processes" in entry.options else arguments.threads,
        options=list(entry.options),
        by_cpu_time=arguments.by_cpu_time,
    )
    return Contestant(entry, task)


def report(model: str, contestants: list[Contestant], peaks: dict[str, Contestant]) -> None:
    """Print the table of one model."""
    first = contestants[0]
    print(f"\n| {model} | real tokens/s | ratio | useful GFLOP/s | share of peak | data wait |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for contestant in contestants:
        peak = peaks[contestant.entry.precision]
        wait = f"{contestant.median('wait_share'):.2%}" if contestant.entry.name == "bertpipe" else "-"
        print(
            f"| {contestant.entry} | {contestant.median('tokens_per_second'):,.0f} "
            f"| {contestant.ratio(first, 'tokens_per_second'):.2f} "
            f"| {contestant.median('flops') / 1e9:.0f} | {contestant.ratio(peak, 'flops'):.0%} "
            f"| {wait} |",
            flush=True,
        )
    for precision, peak in peaks.items():
        print(f"| matrix product {precision} | | | {peak.median('flops') / 1e9:.0f} | 100% | |", flush=True)


if __name__ == "__main__":
    main()
