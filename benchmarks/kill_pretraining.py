"""Kill ``bertpipe pretrain`` at random instants, go on, and compare with the run that was never killed.

Protocol:

* A small BERT (two layers of 128) is trained on the beginning of the books in ``corpora/classic-books-en``
  for several epochs, with dropout, a checkpoint every few updates, on the CPU.
* One run is left alone. Each other run gets a SIGKILL, to all its processes, at an instant drawn evenly from
  the time that the unbroken run took from its first checkpoint to its end: in an update, an evaluation, or
  the writing or deleting of a checkpoint. The same command is then given again, and runs to its end.
* ``model.safetensors``, ``curves.tsv`` and ``metrics.json`` have to be those of the unbroken run, byte for
  byte.

    python benchmarks/kill_pretraining.py [--instants N] [--steps N] [--processes N] [--seed N] [--folder DIR]
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from timing import books

COMPARED = ("model.safetensors", "curves.tsv", "metrics.json")
SETTINGS = {
    "model.hidden_size": 128,
    "model.num_hidden_layers": 2,
    "model.num_attention_heads": 2,
    "model.max_position_embeddings": 64,
    "pretrain.batch_size": 32,
    "pretrain.micro_batch_size": 16,
    "pretrain.evaluate_steps": 25,
    "pretrain.evaluate_sequences": 200,
    "runtime.checkpoint_steps": 5,
    "runtime.threads": 1,
    "runtime.device": "cpu",
}


def main() -> None:
    """Print a line for each instant; exit with 8 where a run differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instants", type=int, default=20, help="How many runs are killed.")
    parser.add_argument("--steps", type=int, default=200, help="Updates of a run.")
    parser.add_argument("--processes", type=int, default=1, help="Processes that train together.")
    parser.add_argument("--seed", type=int, default=0, help="Of the instants.")
    parser.add_argument("--folder", type=Path, help="Where to work; default: a temporary folder.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        prepare(folder)
        command = _command(folder, steps=arguments.steps, processes=arguments.processes)
        unbroken = Run(command, folder, "unbroken")
        seconds = unbroken.to_the_end()
        print(
            f"unbroken: {arguments.steps} updates, {seconds:.1f} s from the first checkpoint to the end",
            flush=True,
        )
        instants = random.Random(arguments.seed)
        print(f"{'killed after':>14}  {'resumed from step':>17}  result", flush=True)
        differing = 0
        for number in range(arguments.instants):
            run = Run(command, folder, f"killed-{number}")
            instant = seconds * instants.random()
            while not run.kill_after(instant):  # it was faster, and is done
                instant = seconds * instants.random()
            run.to_the_end()
            names = [name for name in COMPARED if not run.has_same(name, unbroken)]
            differing += bool(names)
            result = f"differs: {', '.join(names)}" if names else "the same bytes"
            print(f"{instant:12.2f} s  {run.resumed_from_step:17d}  {result}", flush=True)
    print(f"{arguments.instants - differing} of {arguments.instants} runs end as the unbroken one")
    sys.exit(8 if differing else 0)


class Run:
    """One run of the command, with an output and a work folder of its own."""

    def __init__(self, command: list[str], folder: Path, name: str) -> None:
        self.out = folder / name
        self._work = folder / f"{name}-work"
        self._command = [*command, "--out", str(self.out)]
        self.resumed_from_step = 0

    def to_the_end(self) -> float:
        """Wait for the end of the run; return how long it took from its first checkpoint."""
        process = self._start()
        began = self._wait_for_checkpoint(process)
        answer, said = process.communicate()
        if process.returncode:
            sys.exit(f"{' '.join(self._command)} ended with {process.returncode}:\n{said}")
        self.resumed_from_step = json.loads(answer)["resumed_from_step"]
        return time.monotonic() - began

    def kill_after(self, seconds: float) -> bool:
        """Kill the run so long after its first checkpoint; return whether it was still at work."""
        process = self._start()
        began = self._wait_for_checkpoint(process)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        _kill_all(process)
        return any(self._work.glob("work/pretrain/*/step-*"))

    def has_same(self, name: str, other: "Run") -> bool:
        """Tell whether a file of the output is that of another run."""
        return (self.out / name).read_bytes() == (other.out / name).read_bytes()

    def _start(self) -> subprocess.Popen[str]:
        environment = os.environ | {"BERTPIPE_WORK": str(self._work)}
        return subprocess.Popen(
            self._command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _wait_for_checkpoint(self, process: subprocess.Popen[str]) -> float:
        """Return when there was a checkpoint."""
        while process.poll() is None and not list(self._work.glob("work/pretrain/*/step-*")):
            time.sleep(0.01)
        return time.monotonic()


def _kill_all(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that it has started; torchrun puts its own into sessions of theirs."""
    started = [] if process.poll() is not None else psutil.Process(process.pid).children(recursive=True)
    for one in [process, *started]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.communicate()
    psutil.wait_procs(started)


def prepare(folder: Path) -> None:
    """Make shards of some text."""
    (folder / "text").mkdir()
    (folder / "text" / "books.txt").write_bytes(books(400_000))
    text, vocab, shards = (str(folder / name) for name in ("text", "vocab", "shards"))
    _bertpipe("vocab", "--corpus", text, "--set", "vocab.size=2000", "--out", vocab)
    settings = ("--set", "prepare.max_seq_length=64", "--set", "prepare.dupe_factor=1")
    _bertpipe("prepare", "--corpus", text, "--vocab", vocab, *settings, "--out", shards)


def _command(folder: Path, *, steps: int, processes: int) -> list[str]:
    settings = SETTINGS | {"pretrain.total_steps": steps}
    options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    launcher = [sys.executable, "-m"]
    if processes > 1:
        torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
        launcher = [*launcher, *torchrun]
    shards = str(folder / "shards")
    return [*launcher, "bertpipe", "pretrain", "--shards", shards, "--json", "--quiet", *options]


def _bertpipe(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "bertpipe", *arguments, "--quiet"], stdout=subprocess.DEVNULL, check=True
    )


if __name__ == "__main__":
    main()
