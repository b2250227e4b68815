"""Time of ``bertpipe prepare`` against peers, from text to finished shards, on the same text and vocabulary.

Protocol:

* Text is the beginning of the books in ``corpora/classic-books-en`` (repeated for more than 100 MB), as one
  file: once as running text, and once with the sentences that our rules find, one a line, with an empty line
  between documents. The vocabulary has 30,522 lower-cased tokens and is trained on that text beforehand.
* Whole processes, start-up, imports and writing included, run in turn; a pair is one of ours and one of the
  peer's. The figures are medians over pairs of the ratio within a pair: the machine may be busy.
* Ours: sequence length 128, next sentence prediction, 2 workers, no work folder from before.
* ``encode_batch``: ``tokenizers`` alone encodes the text with one sentence a line, in its own threads, and
  keeps nothing: no pairs, no output. What calls it on each sentence cannot be faster.
* ``tokenize and group``: what Hugging Face's example for masked LM does: ``datasets.map`` with the tokenizer,
  then with a function that joins all texts and cuts blocks of 128, in 2 processes; no pairs, no masks.
  Needs the packages ``datasets`` and ``transformers``.
* ``create_pretraining_data``: the script of google-research/bert as it stands in ``tf-models-official``: such
  instances with static masks, to TFRecords. Needs ``--google PYTHON``, an interpreter that has
  ``tensorflow-cpu absl-py sentencepiece six tf_keras`` and, with ``--no-deps``, ``tf-models-official``.

    python benchmarks/prepare_speed.py [--pairs N] [--megabytes N] [--dupe-factor N] [--peers NAME ...]
        [--forms NAME ...] [--google PYTHON]
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from timing import Cost, adopt_orphans, books, cost, keep_bytecode

from bertpipe.corpus import CorpusConfig, find_files, read_documents

ENCODE_BATCH = """
import sys, tokenizers
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[2] + "/tokenizer.json")
lines = open(sys.argv[1], encoding="utf-8").read().split("\\n")
for start in range(0, len(lines), 1000):
    tokenizer.encode_batch(lines[start : start + 1000], add_special_tokens=False)
"""

TOKENIZE_AND_GROUP = """
import sys
from itertools import chain
from datasets import load_dataset
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
text = load_dataset("text", data_files=sys.argv[1], cache_dir=sys.argv[3] + "/cache", split="train")
def encode(rows):
    return tokenizer(rows["text"], return_special_tokens_mask=True)
def group(rows):
    joined = {name: list(chain(*rows[name])) for name in rows}
    length = len(joined["input_ids"]) // 128 * 128
    return {name: [v[i : i + 128] for i in range(0, length, 128)] for name, v in joined.items()}
encoded = text.map(encode, batched=True, num_proc=2, remove_columns=["text"], load_from_cache_file=False)
encoded.map(group, batched=True, num_proc=2, load_from_cache_file=False).save_to_disk(sys.argv[3] + "/out")
"""

GOOGLE = """
import sys
from absl import app
from official.nlp.data import create_pretraining_data
text, vocab, out, dupe_factor = sys.argv[1:]
sys.argv[1:] = ["--input_file=" + text, "--vocab_file=" + vocab + "/vocab.txt", "--output_file=" + out]
sys.argv += ["--dupe_factor=" + dupe_factor, "--max_seq_length=128", "--max_predictions_per_seq=20"]
app.run(create_pretraining_data.main)
"""

PEERS = {
    "encode_batch": ENCODE_BATCH,
    "tokenize-and-group": TOKENIZE_AND_GROUP,
    "create_pretraining_data": GOOGLE,
}
FORMS = {
    "lines": ("one sentence a line", "lines.txt", ["sentences=lines"]),
    "running": ("running text", "text.md", ["sentences=split", "documents=heading"]),
}


def main() -> None:
    """Print a line for each run and each comparison."""
    parser = argparse.ArgumentParser(description="Time bertpipe prepare against peers.")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--dupe-factor", type=int, default=1)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=["encode_batch"])
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=list(FORMS))
    parser.add_argument("--google", default=sys.executable, help="Interpreter with tf-models-official.")
    arguments = parser.parse_args()
    adopt_orphans()
    keep_bytecode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, lines = texts(folder, arguments.megabytes)
        vocab = [
            "bertpipe",
            "vocab",
            "--corpus",
            str(lines),
            "--out",
            "vocab",
            "--set",
            "corpus.sentences=lines",
        ]
        cost([sys.executable, "-m", *vocab, "--quiet"], folder)  # which waits for its workers too
        for title, corpus, form in (FORMS[form] for form in arguments.forms):
            ours = command(folder / corpus, form, dupe_factor=arguments.dupe_factor)
            if not arguments.peers:
                report(f"{arguments.megabytes} MB, {title}", cost(ours, folder, watch_memory=True), folder)
            for peer in arguments.peers:
                python = arguments.google if PEERS[peer] is GOOGLE else sys.executable
                theirs = [python, "-c", PEERS[peer], str(lines), "vocab", str(folder / "peer")]
                theirs += [str(arguments.dupe_factor)] if PEERS[peer] is GOOGLE else []
                compare(f"{arguments.megabytes} MB, {title}", peer, ours, theirs, folder, arguments.pairs)


def command(corpus: Path, form: list[str], *, dupe_factor: int) -> list[str]:
    """Return our command line."""
    settings = [
        *(f"corpus.{setting}" for setting in form),
        f"prepare.dupe_factor={dupe_factor}",
        "prepare.max_seq_length=128",
    ]
    chosen = [word for setting in settings for word in ("--set", setting)]
    paths = ["--corpus", str(corpus), "--vocab", "vocab", "--out", "shards"]
    return [sys.executable, "-m", "bertpipe", "prepare", *paths, *chosen, "--workers", "2", "--quiet"]


def compare(title: str, peer: str, ours: list[str], theirs: list[str], folder: Path, pairs: int) -> None:
    """Run both in turn and print how they compare."""
    wall, cpu = [], []
    for pair in range(pairs):
        a, b = cost(ours, folder), cost(theirs, folder)
        wall.append(b.wall_seconds / a.wall_seconds)
        cpu.append(b.cpu_seconds / a.cpu_seconds)
        print(f"{title}, pair {pair + 1}: bertpipe {a}; {peer} {b}", flush=True)
    print(
        f"{title}: bertpipe is {median(wall):.1f}x as fast as {peer} in time, {median(cpu):.1f}x in CPU time"
    )


def report(title: str, ours: Cost, folder: Path) -> None:
    """Print one run of ours, and the size of what it wrote."""
    size = sum(path.stat().st_size for path in (folder / "shards").rglob("*.arrow"))
    print(f"{title}: bertpipe {ours}, {size / 1e6:.0f} MB of shards", flush=True)


def texts(folder: Path, megabytes: int) -> tuple[Path, Path]:
    """Write the text as it is, and with one sentence a line; return both paths."""
    text, lines = folder / "text.md", folder / "lines.txt"
    text.write_bytes(books(megabytes * 1_000_000))
    with lines.open("w", encoding="utf-8") as file:
        for sentences in read_documents(find_files([text]), CorpusConfig(documents="heading")):
            file.write("\n".join(sentences) + "\n\n")
    return text, lines


if __name__ == "__main__":
    main()
