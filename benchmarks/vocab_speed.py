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
import sys
import tempfile
from pathlib import Path
from statistics import median

from timing import adopt_orphans, books, cost, keep_bytecode

SIZE = 30522

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


def main() -> None:
    """Print a line for each pair and each size."""
    parser = argparse.ArgumentParser(description="Time bertpipe vocab against tokenizers' trainer.")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    adopt_orphans()
    keep_bytecode()
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


if __name__ == "__main__":
    main()
