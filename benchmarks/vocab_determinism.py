"""How many different vocabularies come out of one text: it should be one.

Protocol:

* Text: English books, Korean reviews and documentation, and both together, the beginning of each at several
  sizes, as several files.
* The command runs 20 times and more on each text, whole processes, each with another seed of Python's hashes,
  in turn with 1, 2 and 3 workers, with the files named in another order, and as a folder.
* What is compared is the sha256 of all files that it writes, manifest and statistics included.

    python benchmarks/vocab_determinism.py [--runs N] [--kilobytes N ...] [--algorithms NAME ...] [--peer]

With ``--peer`` the WordPiece trainer of ``tokenizers`` runs as often on the same text, with one thread.
"""

import argparse
import gzip
import hashlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from timing import DATA

ENGLISH = sorted((DATA / "corpora" / "classic-books-en").glob("*.gz"))
KOREAN = sorted((DATA / "corpora" / "docs-ko").glob("*-ko.txt*")) + sorted(
    (DATA / "corpora" / "movie-reviews-ko").glob("*.gz")
)
FILES = 5
SIZE = 8000

PEER = f"""
import sys
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
trainer = trainers.WordPieceTrainer(vocab_size={SIZE}, special_tokens=["[UNK]"], show_progress=False)
tokenizer.train(sys.argv[2:], trainer)
tokenizer.save(sys.argv[1])
"""


def main() -> None:
    """Print a table, and fail where a text has given more than one vocabulary."""
    parser = argparse.ArgumentParser(description="Count the different vocabularies that one text gives.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kilobytes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--algorithms", nargs="+", default=["wordpiece", "bpe", "unigram"])
    parser.add_argument("--peer", action="store_true", help="Run the trainer of tokenizers too.")
    arguments = parser.parse_args()
    if not (ENGLISH and KOREAN):
        sys.exit(f"no data at {DATA}: set BERTPIPE_DATA")
    print("| algorithm | text | kB | runs | different results |")
    print("| --- | --- | --- | --- | --- |")
    most = 0
    with tempfile.TemporaryDirectory() as folder:
        for language, kilobytes, text in texts(Path(folder), arguments.kilobytes):
            for algorithm in arguments.algorithms:
                hashes = {run(algorithm, text, turn) for turn in range(arguments.runs)}
                most = max(most, len(hashes))
                print(
                    f"| {algorithm} | {language} | {kilobytes} | {arguments.runs} | {len(hashes)} |",
                    flush=True,
                )
            if arguments.peer:
                hashes = {run_peer(text) for _ in range(arguments.runs)}
                print(
                    f"| tokenizers | {language} | {kilobytes} | {arguments.runs} | {len(hashes)} |",
                    flush=True,
                )
    if most > 1:
        sys.exit("one text has given different vocabularies")


def texts(folder: Path, sizes: Sequence[int]) -> Iterator[tuple[str, int, Path]]:
    """Yield the language, the size in kB, and a folder of files."""
    sources = {"English": ENGLISH, "Korean": KOREAN, "mixed": [*ENGLISH[:3], *KOREAN]}
    for language, paths in sources.items():
        for kilobytes in sizes:
            text = folder / f"{language}-{kilobytes}"
            text.mkdir()
            for number, path in enumerate(paths[:: max(1, len(paths) // FILES)][:FILES]):
                (text / f"{number}.txt").write_bytes(beginning(path, kilobytes * 1000 // FILES))
            yield language, kilobytes, text


def beginning(path: Path, size_bytes: int) -> bytes:
    """Return the first whole lines of a file that may be compressed."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return content[: content.rfind(b"\n", 0, size_bytes) + 1]


def run(algorithm: str, text: Path, turn: int) -> str:
    """Run the command in one of many ways; return a hash of what it writes."""
    out = text.with_name("out")
    files = sorted(text.iterdir())
    random.Random(turn).shuffle(files)
    corpus = [text] if turn % 4 == 0 else files
    command = [sys.executable, "-m", "bertpipe", "vocab", "--quiet", "--out", str(out)]
    command += [part for path in corpus for part in ("--corpus", str(path))]
    command += ["--set", f"vocab.size={SIZE}", "--set", f"vocab.algorithm={algorithm}"]
    command += ["--set", "vocab.held_out_share=0.05", "--workers", str(turn % 3 + 1)]
    environment = os.environ | {"PYTHONHASHSEED": str(turn)}
    subprocess.run(command, check=True, cwd=text.parent, env=environment, capture_output=True)
    digest = hashlib.sha256()
    for path in sorted(out.iterdir()):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def run_peer(text: Path) -> str:
    """Train with ``tokenizers``; return a hash of what it writes."""
    out = text.with_name("peer.json")
    command = [sys.executable, "-c", PEER, str(out), *map(str, sorted(text.iterdir()))]
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false"}
    subprocess.run(command, check=True, env=environment)
    return hashlib.sha256(out.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
