"""Time of ``bertpipe vocab`` against the WordPiece trainer of ``tokenizers``, on the same text.

Protocol:

* Text is the first 10 and 50 MB of the books in ``corpora/classic-books-en``, in the order of their names,
  as one file each. Both train 30,522 lower-cased tokens, pairs from two occurrences up, at most 1,000
  characters.
* Whole processes, start-up and writing included, run in turn; a pair is one of each. The figures are medians
  over pairs of the ratio within a pair: the machine may be busy.
* CPU time is that of a process and of all that it has started, whoever they belong to in the end (on Linux
  orphans are handed to this program, which asks the system what they have used).

    python benchmarks/vocab_speed.py [--pairs N] [--megabytes N ...] [--workers N]
"""

import argparse
import ctypes
import gzip
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

DATA = Path(os.environ.get("BERTPIPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
BOOKS = DATA / "corpora" / "classic-books-en"
SIZE = 30522

_PR_SET_CHILD_SUBREAPER = 36

PEER = f"""
import sys
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
trainer = trainers.WordPieceTrainer(
    vocab_size={SIZE}, min_frequency=2, limit_alphabet=1000, special_tokens=special, show_progress=False
)
tokenizer.train([sys.argv[1]], trainer)
tokenizer.save(sys.argv[2])
"""


@dataclass(frozen=True)
class Cost:
    """What a process took, with all that it has started."""

    wall_seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        """Return both as a reader of the output sees them."""
        return f"{self.wall_seconds:.2f} s wall, {self.cpu_seconds:.2f} s CPU"


def main() -> None:
    """Print a line for each pair and each size."""
    parser = argparse.ArgumentParser(description="Time bertpipe vocab against tokenizers' trainer.")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if not BOOKS.is_dir():
        sys.exit(f"no data at {DATA}: set BERTPIPE_DATA")
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for megabytes in arguments.megabytes:
            compare(Path(folder), megabytes, pairs=arguments.pairs, workers=arguments.workers)


def compare(folder: Path, megabytes: int, *, pairs: int, workers: int) -> None:
    """Run both in turn and print how they compare."""
    text = folder / f"books-{megabytes}.txt"
    text.write_bytes(books(megabytes * 1_000_000))
    ours = [sys.executable, "-m", "bertpipe", "vocab", "--corpus", str(text), "--out", str(folder / "ours")]
    ours += ["--set", f"vocab.size={SIZE}", "--workers", str(workers), "--quiet"]
    peer = [sys.executable, "-c", PEER, str(text), str(folder / "peer.json")]
    wall, cpu = [], []
    for pair in range(pairs):
        a, b = cost(ours, folder), cost(peer, folder)
        wall.append(b.wall_seconds / a.wall_seconds)
        cpu.append(b.cpu_seconds / a.cpu_seconds)
        print(f"{megabytes} MB, pair {pair + 1}: bertpipe {a}; tokenizers {b}", flush=True)
    print(f"{megabytes} MB: bertpipe is {median(wall):.2f}x as fast in time, {median(cpu):.2f}x in CPU time")


def books(size_bytes: int) -> bytes:
    """Return the beginning of all books, cut at the end of a line."""
    content = b""
    for path in sorted(BOOKS.glob("*.gz")):
        content += gzip.decompress(path.read_bytes())
        if len(content) >= size_bytes:
            break
    return content[: content.rfind(b"\n", 0, size_bytes) + 1]


def cost(command: list[str], folder: Path) -> Cost:
    """Run a command to its end, and to that of all that it has started."""
    before = cpu_seconds()
    started = time.monotonic()
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    wall = time.monotonic() - started
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return Cost(wall, cpu_seconds() - before)


def cpu_seconds() -> float:
    """Return the CPU time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
