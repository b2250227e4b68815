"""Whether the cost of ``bertpipe prepare`` grows with its text, and its memory does not.

Protocol:

* Text is the beginning of the books in ``corpora/classic-books-en``, repeated for more than 100 MB, with one
  sentence a line; sequence length 128, next sentence prediction, ``dupe_factor`` 1, a vocabulary of 30,522
  trained on the first 10 MB.
* Each size runs once to be timed and, with ``--memory``, once more to be looked at: looking costs time. The
  marginal rate is that of the text by which a size is larger than the one before: start-up is not in it.
* Memory is the proportional set size, each page once: of all processes together, and of the largest one; and
  the resident size of the largest one, in which pages of mapped files count that the system may drop.

    python benchmarks/prepare_linear.py [--megabytes N ...] [--memory]
"""

import argparse
import sys
import tempfile
from pathlib import Path

from prepare_speed import FORMS, command, texts
from timing import Cost, adopt_orphans, cost, keep_bytecode


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description="Time bertpipe prepare at several sizes.")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--memory", action="store_true", help="Run each once more to look at its memory.")
    arguments = parser.parse_args()
    adopt_orphans()
    keep_bytecode()
    print("| MB | wall s | CPU s | MB/s | marginal MB/s | marginal MB per CPU s | memory MB |")
    print("|---:|---:|---:|---:|---:|---:|---|")
    before: tuple[int, Cost] | None = None
    for megabytes in sorted(arguments.megabytes):
        with tempfile.TemporaryDirectory() as name:
            timed, seen = measure(Path(name), megabytes, with_memory=arguments.memory)
        print(f"| {megabytes} | {rates(megabytes, timed, before)} | {memory(seen)} |", flush=True)
        before = megabytes, timed


def measure(folder: Path, megabytes: int, *, with_memory: bool) -> tuple[Cost, Cost | None]:
    """Return the cost of a run on so much text, and of one that was looked at."""
    _, lines = texts(folder, megabytes)
    beginning = folder / "beginning.txt"
    with lines.open("rb") as file:
        beginning.write_bytes(file.read(10_000_000))
    vocab = ["bertpipe", "vocab", "--corpus", str(beginning), "--out", "vocab", "--quiet"]
    vocab += ["--set", "corpus.sentences=lines", "--set", "corpus.errors=replace"]
    cost([sys.executable, "-m", *vocab], folder)  # which waits for its workers too
    ours = command(lines, FORMS["lines"][2], dupe_factor=1)
    timed = cost(ours, folder)
    return timed, cost(ours, folder, watch_memory=True) if with_memory else None


def rates(megabytes: int, timed: Cost, before: tuple[int, Cost] | None) -> str:
    """Return times, and rates with and without what every run costs."""
    shown = f"{timed.wall_seconds:.2f} | {timed.cpu_seconds:.2f} | {megabytes / timed.wall_seconds:.1f}"
    if before is None:
        return f"{shown} | |"
    more = megabytes - before[0]
    wall, cpu = (
        more / (timed.wall_seconds - before[1].wall_seconds),
        more / (timed.cpu_seconds - before[1].cpu_seconds),
    )
    return f"{shown} | {wall:.1f} | {cpu:.1f}"


def memory(seen: Cost | None) -> str:
    """Return the peaks."""
    if seen is None:
        return ""
    largest = f"largest {seen.largest_mb:.0f} ({seen.largest_resident_mb:.0f} resident)"
    return f"{seen.peak_mb:.0f} together, {largest}"


if __name__ == "__main__":
    main()
