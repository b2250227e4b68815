"""The texts of task files, as the n-grams that a clean corpus must not hold."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bertpipe import compression
from bertpipe.corpus.cleaning.ngrams import Hashes, ngrams_of, words_of
from bertpipe.corpus.files.found import CorpusFile, find_files, opened
from bertpipe.errors import CorpusError

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_TEXTS_AT_ONCE = 10_000
# Fields may be longer than the csv module allows unless told; this is a limit of C's long everywhere.
_LONGEST_FIELD = 2**31 - 1


@dataclass(frozen=True)
class TaskNgrams:
    """What task files hold.

    Attributes:
        hashes: their n-grams, each once, in order, uint64 ``[N]``.
        files: number of files.
        texts: number of texts with a word in them.
        short_texts: number of those with fewer words than an n-gram has; they cannot be found.
    """

    hashes: Hashes
    files: int
    texts: int
    short_texts: int


def read_task_ngrams(paths: Sequence[str], *, n: int) -> TaskNgrams:
    """Return the n-grams of every text in task files.

    Args:
        paths: files and folders; JSON, JSON Lines, CSV and TSV by their suffix, else lines.
        n: words in an n-gram.

    Raises:
        CorpusError: a file is missing, cannot be read, is not of its format, or all are without
            a text of ``n`` words.
    """
    files = find_files(list(paths))
    hashes = np.zeros(0, dtype=np.uint64)
    texts = short = 0
    for batch in _batches(text for file in files for text in _texts_of(file)):
        words = words_of(batch, "words")
        hashes = np.union1d(hashes, ngrams_of(words, n, short_as_one=False).values)
        texts += int((words.counts > 0).sum())
        short += int(((words.counts > 0) & (words.counts < n)).sum())
    if not len(hashes):
        raise CorpusError(
            f"no text of {n} words in the task files {', '.join(paths)}",
            hint="set a lower corpus.cleaning.decontamination_words, or name other files",
        )
    return TaskNgrams(hashes, len(files), texts, short)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == _TEXTS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _texts_of(file: CorpusFile) -> Iterator[str]:
    name = file.name.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    content = _read(file)
    if name.endswith(".json"):
        return _strings(_parsed(content, where=str(file)))
    lines = content.removesuffix("\n").split("\n")
    if name.endswith(".jsonl"):
        return _strings(
            _parsed(line, where=f"{file}:{number}") for number, line in enumerate(lines, 1) if line.strip()
        )
    if name.endswith(".csv"):
        return _csv_fields(lines, file)
    if name.endswith(".tsv"):  # quotes are ordinary characters in these, and no part of words either way
        return (field for line in lines for field in line.split("\t"))
    return iter(lines)


def _read(file: CorpusFile) -> str:
    with opened(file) as stored:
        raw = (compression.unpacked(stored, where=str(file)) or stored).read()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{file}:{line}: not valid UTF-8 (byte 0x{raw[error.start]:02x})",
            hint="convert the file, for example with iconv -f <its encoding> -t utf-8",
        ) from None


def _parsed(text: str, *, where: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not valid JSON: {error}", hint="name task files only") from None


def _strings(value: object) -> Iterator[str]:
    """Yield every text in a JSON value, at any depth; keys are no texts."""
    if isinstance(value, str):
        # Half of a surrogate pair is no text in any corpus; it must not stop the rest.
        yield value.encode("utf-8", "replace").decode()
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, Iterable):
        for inner in value:
            yield from _strings(inner)


def _csv_fields(lines: Sequence[str], file: CorpusFile) -> Iterator[str]:
    before = csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader((f"{line}\n" for line in lines), strict=True)
    try:
        for row in rows:
            yield from row
    except csv.Error as error:
        raise CorpusError(
            f"{file}:{rows.line_num}: not valid CSV: {error}", hint="quote its fields as CSV does"
        ) from None
    finally:
        csv.field_size_limit(before)
