import bz2
import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bertpipe.corpus.cleaning.ngrams import ngrams_of, words_of
from bertpipe.corpus.cleaning.tasks import TaskNgrams, read_task_ngrams
from bertpipe.errors import CorpusError

ONE = "The cat sat on the mat, it said."
TWO = "A dog barked: loudly at nothing."


def read(path: Path, n: int = 5) -> TaskNgrams:
    return read_task_ngrams([str(path)], n=n)


def hashes(*texts: str, n: int = 5) -> list[int]:
    return sorted(set(ngrams_of(words_of(texts, "words"), n, short_as_one=False).values.tolist()))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", f'{{"id": 1, "text": "{ONE}"}}\n\n{{"pair": ["{TWO}", null], "label": "no"}}\n'),
        ("a.json", json.dumps({"data": [{"paragraphs": [{"context": ONE, "qas": [{"answer": TWO}]}]}]})),
        ("a.tsv", f"id\tone\ttwo\n1\t{ONE}\t{TWO}\n"),
        ("a.tsv", f'id\tone\n1\t"{ONE}\n2\t{TWO}\n'),
        ("a.csv", f'id,one\r\n1,"{ONE}"\r\n2,"{TWO[:5]}\r\n{TWO[5:]}"\r\n'),
        ("a.txt", f"\ufeff{ONE}\r\n\r\n{TWO}"),
        ("a", f"{TWO}\n{ONE}\n"),
    ],
)
def test_every_text_of_a_task_file_counts(tmp_path: Path, name: str, content: str) -> None:
    """Records of any depth, all columns, quoted fields over lines, a lone quote in TSV, plain lines."""
    assert read(write(tmp_path / name, content)).hashes.tolist() == hashes(ONE, TWO)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_compressed_task_files_are_read_by_the_suffix_inside(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    """A compressed JSON Lines file is JSON Lines: its keys are no texts."""
    record = json.dumps({"one two three four five six": ONE}).encode()
    path = write(tmp_path / f"a.jsonl{suffix}", pack(record))
    assert read(path).hashes.tolist() == hashes(ONE)


def test_texts_of_one_field_do_not_run_into_the_next(tmp_path: Path) -> None:
    """No n-gram is made of the end of one field and the beginning of another."""
    path = write(tmp_path / "a.tsv", "one two three\tfour five six\nseven eight nine ten\n")
    assert read(path, n=4).hashes.tolist() == hashes("seven eight nine ten", n=4)


def test_folders_are_searched_and_figures_told(tmp_path: Path) -> None:
    """Files and texts are counted, those too short to be found too; texts without a word are none."""
    write(tmp_path / "train.jsonl", json.dumps({"text": ONE, "label": "good", "mark": "!"}))
    write(tmp_path / "test.tsv", f"{TWO}\t{ONE}\n")
    found = read(tmp_path)
    assert (found.files, found.texts, found.short_texts) == (2, 4, 1)
    assert found.hashes.tolist() == hashes(ONE, TWO)


def test_a_field_of_any_length_is_read(tmp_path: Path) -> None:
    """CSV fields are longer in tasks than Python's reader allows unless told, which it forgets again."""
    before = csv.field_size_limit()
    path = write(tmp_path / "a.csv", "id,text\n1," + "word " * 40_000 + ONE.replace(",", "") + "\n")
    assert set(hashes(ONE)) <= set(read(path).hashes.tolist())
    assert csv.field_size_limit() == before


def test_half_a_surrogate_pair_does_not_stop_the_rest(tmp_path: Path) -> None:
    """Such an escape is no text, and what stands around it still counts."""
    path = write(tmp_path / "a.jsonl", '{"bad": "\\ud83d", "text": "' + ONE + '"}')
    assert read(path).hashes.tolist() == hashes(ONE)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "fine"}\n{"text": "cut', "a.jsonl:2: not valid JSON"),
        ("a.json", b"[1, 2", "a.json: not valid JSON"),
        ("a.csv", b'id,text\n1,"open\n', "a.csv:2: not valid CSV"),
        ("a.txt", b"fine\ncaf\xe9\n", "a.txt:2: not valid UTF-8 (byte 0xe9)"),
        ("a.txt", b"too few words here\n", "no text of 5 words in the task files"),
        ("a.txt.gz", gzip.compress(ONE.encode(), mtime=0)[:-9], "a.txt.gz: damaged gzip data"),
    ],
)
def test_bad_task_files_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """One line with the file, where it can be with the line, and a way out."""
    with pytest.raises(CorpusError) as caught:
        read(write(tmp_path / name, content))
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint is not None


def test_a_missing_task_file_is_named(tmp_path: Path) -> None:
    """A path that is wrong is no empty list of texts: nothing would be taken, and nobody would know."""
    with pytest.raises(CorpusError, match=r"no\.jsonl"):
        read(tmp_path / "no.jsonl")
