"""Size of shards against TFRecords of the same instances.

Protocol:

* Text is the beginning of the books in ``corpora/classic-books-en``. ``bertpipe prepare`` makes rows of 128
  tokens from it, next sentence prediction, with a vocabulary of 30,522 trained on the same text: once without
  masks (dynamic, the default) and once with masks stored (static, at most 20 a row), as TFRecords have them.
* TFRecords are those of google-research/bert's ``create_pretraining_data.py``, uncompressed: for each row a
  ``tf.train.Example`` with seven features, padded to 128 and 20. They are made here, without TensorFlow, by
  the rules of the format (https://protobuf.dev/programming-guides/encoding, 16 bytes around each record), and
  counted. ``--write FILE`` keeps them, with checksums of zero, so that TensorFlow can parse them as a check.

    python benchmarks/shard_size.py [--megabytes N] [--write FILE]
"""

import argparse
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from timing import books

LENGTH, PREDICTIONS = 128, 20
AROUND_A_RECORD = 16  # its length in 8 bytes, and two checksums of 4


def main() -> None:
    """Print the sizes."""
    parser = argparse.ArgumentParser(description="Compare the size of shards with that of TFRecords.")
    parser.add_argument("--megabytes", type=int, default=10)
    parser.add_argument("--write", type=Path, help="Write the TFRecords here, with checksums of zero.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "text.md").write_bytes(books(arguments.megabytes * 1_000_000))
        run(folder, "vocab", "vocab")
        sizes = {}
        for mode in ("dynamic", "static"):
            settings = [f"masking.mode={mode}", f"masking.max_predictions_per_seq={PREDICTIONS}"]
            run(folder, "prepare", mode, "--vocab", "vocab", settings=["prepare.dupe_factor=1", *settings])
            sizes[mode] = sum(path.stat().st_size for path in (folder / mode).rglob("*.arrow"))
        with open(arguments.write or "/dev/null", "wb") as file:  # noqa: PTH123 (either is a path)
            rows, records = written(folder / "static", file)
    print(f"{arguments.megabytes} MB of text, {rows:,} rows; TFRecords {records / 1e6:.1f} MB")
    for mode, size in sizes.items():
        print(f"{mode} masks: shards {size / 1e6:.1f} MB, {size / records:.3f} of the TFRecords")


def run(folder: Path, stage: str, out: str, *further: str, settings: Sequence[str] = ()) -> None:
    """Run a stage on the text."""
    chosen = [word for setting in ("corpus.documents=heading", *settings) for word in ("--set", setting)]
    command = [sys.executable, "-m", "bertpipe", stage, "--corpus", "text.md", "--out", out, *further]
    subprocess.run([*command, *chosen, "--quiet"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def written(shards: Path, file: BinaryIO) -> tuple[int, int]:
    """Write all rows as records; return how many there are, and their bytes."""
    rows = size = 0
    for path in sorted(shards.rglob("*.arrow")):
        for row in pa.ipc.open_file(str(path)).read_all().to_pylist():
            example = example_of(row)
            file.write(struct.pack("<QI", len(example), 0) + example + struct.pack("<I", 0))
            rows, size = rows + 1, size + len(example) + AROUND_A_RECORD
    return rows, size


def example_of(row: dict[str, Any]) -> bytes:
    """Return a row as a serialized ``tf.train.Example``."""
    ids, predictions = row["input_ids"], row["masked_ids"]
    segments = [0] * row["first_segment_length"] + [1] * (len(ids) - row["first_segment_length"])
    features = {
        "input_ids": integers(padded(ids, LENGTH)),
        "input_mask": integers(padded([1] * len(ids), LENGTH)),
        "segment_ids": integers(padded(segments, LENGTH)),
        "masked_lm_positions": integers(padded(row["masked_positions"], PREDICTIONS)),
        "masked_lm_ids": integers(padded(predictions, PREDICTIONS)),
        "masked_lm_weights": floats(padded([1] * len(predictions), PREDICTIONS)),
        "next_sentence_labels": integers([row["next_sentence_label"]]),
    }
    entries = [field(1, field(1, name.encode()) + field(2, value)) for name, value in features.items()]
    return field(1, b"".join(entries))


def padded(values: Sequence[int], length: int) -> list[int]:
    """Return the values, and zeros up to a length."""
    return [*values, *[0] * (length - len(values))]


def integers(values: Sequence[int]) -> bytes:
    """Return a ``Feature`` with an ``Int64List``."""
    return field(3, field(1, b"".join(bytes(varint(value)) for value in values)))


def floats(values: Sequence[int]) -> bytes:
    """Return a ``Feature`` with a ``FloatList``."""
    return field(2, field(1, struct.pack(f"<{len(values)}f", *values)))


def field(number: int, content: bytes) -> bytes:
    """Return a field of the kind that says its length."""
    return bytes([number << 3 | 2, *varint(len(content))]) + content


def varint(value: int) -> Iterator[int]:
    """Yield the bytes of a whole number, seven bits in each."""
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


if __name__ == "__main__":
    main()
