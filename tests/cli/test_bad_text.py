"""Bad text and impossible settings: one line, a way out, an exit code, and nothing left."""

import gzip
import io
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

Call = Callable[..., Result]

TEXT = b"".join(b"one two three\nfour five\n\n" for _ in range(20))
DUMP = b"""<mediawiki><page><title>One</title><ns>0</ns><id>1</id><revision><id>1</id>
<text>Some words of an article.</text></revision></page><page><title>Tw"""


def column_of_numbers() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": [1, 2, 3]}), sink)
    return sink.getvalue()


@pytest.fixture
def vocab() -> str:
    """A tokenizer folder outside of the folder that the command writes into."""
    folder = Path("vocab")
    folder.mkdir()
    Tokenizer.build([*SPECIAL_TOKENS, "one", "two", "three", "four", "five"], lowercase=True).save(folder)
    return str(folder)


def check(result: Result, *, code: int, message: str) -> None:
    """Check that one clear line and a way out were told, and that nothing was left in ``made``."""
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    error, *hint = result.stderr.splitlines()[-2:]
    assert error.startswith("error: ") and message in error
    assert len(hint) == 1 and hint[0].startswith("hint: ")
    assert "Traceback" not in result.stderr
    assert list(Path("made").iterdir()) == []


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "a column that is not there": ("a.csv", b"id,body\n1,some words\n", "text"),
    "a column that is no text": ("a.parquet", column_of_numbers(), "column 'text' is no text"),
    "a JSON line that is none": ("a.jsonl", b'{"text": "fine"}\n{"text": \n', "a.jsonl:2: not valid JSON"),
    "JSON without the field": ("a.jsonl", b'{"body": "fine"}\n', "a.jsonl:1: no field 'text'"),
    "a truncated gzip": ("a.txt.gz", gzip.compress(TEXT)[:-20], "a.txt.gz"),
    "invalid UTF-8": ("a.txt", TEXT + b"\xff\n", "not valid UTF-8"),
    "a picture": ("a.png", b"\x89PNG\r\n\x1a\n\x00\x00", "a.png:1: not valid UTF-8"),
    "nothing but white space": ("a.txt", b" \n\n\t\n", "the corpus is empty"),
    "no file but hidden ones": (".a.txt", TEXT, "no text file in text"),
}


@pytest.mark.parametrize("stage", ["vocab", "prepare"])
@pytest.mark.parametrize("bad", BAD_FILES)
def test_text_that_cannot_be_read(call: Call, vocab: str, stage: str, bad: str) -> None:
    """Exit code 4 from both stages that read text, and the message names the place."""
    name, content, message = BAD_FILES[bad]
    Path("text").mkdir()
    Path("made").mkdir()
    Path("text", name).write_bytes(content)
    further = ["--vocab", vocab] if stage == "prepare" else []
    result = call(stage, "--corpus", "text", *further, "--out", "made/out", "--workers", "1")
    check(result, code=4, message=message)


@pytest.mark.parametrize("stage", ["vocab", "prepare"])
def test_a_truncated_dump(call: Call, vocab: str, stage: str) -> None:
    """Exit code 4; a dump that ends in the middle of a page is no shorter dump."""
    pytest.importorskip("mwparserfromhell", reason="the extra 'wiki' is not installed")
    Path("text").mkdir()
    Path("made").mkdir()
    Path("text", "dump.xml").write_bytes(DUMP)
    further = ["--vocab", vocab] if stage == "prepare" else []
    result = call(stage, "--corpus", "text", *further, "--out", "made/out", "--workers", "1")
    check(result, code=4, message="dump.xml")


@pytest.mark.slow
def test_an_archive_that_unpacks_without_end(call: Call, vocab: str) -> None:
    """Exit code 4 before the disk or the memory is full."""
    Path("text").mkdir()
    Path("made").mkdir()
    with gzip.open("text/a.txt.gz", "wb", compresslevel=9) as file:
        for _ in range(300):
            file.write(b"\n" * 1_000_000)
    result = call("prepare", "--corpus", "text", "--vocab", vocab, "--out", "made/out", "--workers", "1")
    check(result, code=4, message="unpacks to more than 1000 times its size")


@pytest.mark.parametrize("change", ["disappears", "grows", "is replaced"])
def test_a_file_that_changes_while_it_is_read(
    call: Call, vocab: str, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Exit code 4: what was read is not what the manifest would name."""
    Path("made").mkdir()
    corpus = Path("corpus.txt")
    corpus.write_bytes(TEXT)
    load = Tokenizer.load

    def load_meanwhile(folder: Path) -> Tokenizer:
        if change == "disappears":
            corpus.unlink(missing_ok=True)
        else:
            corpus.write_bytes(TEXT + b"more\n" if change == "grows" else TEXT.replace(b"one", b"two"))
        return load(folder)

    monkeypatch.setattr(Tokenizer, "load", load_meanwhile)
    result = call("prepare", "--corpus", str(corpus), "--vocab", vocab, "--out", "made/out")
    check(result, code=4, message="corpus.txt")


IMPOSSIBLE: dict[str, tuple[str, str, int, str]] = {
    "shares that do not sum to 1": ("prepare", "masking.mask_share=0.7", 3, "is 0.9, must be 1"),
    "a rate of nothing": ("prepare", "masking.masked_lm_prob=0", 3, "masking.masked_lm_prob = 0"),
    "a rate of everything": ("prepare", "masking.masked_lm_prob=1.0", 3, "masking.masked_lm_prob = 1.0"),
    "a length that holds no pair": ("prepare", "prepare.max_seq_length=4", 3, "prepare.max_seq_length = 4"),
    "cleaning that leaves nothing": ("prepare", "corpus.cleaning.min_characters=999", 4, "leaves nothing"),
    "a size below the alphabet's": ("vocab", "vocab.size=9", 3, "the alphabet alone needs"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_settings_that_cannot_be_met(call: Call, vocab: str, case: str) -> None:
    """Exit code 3 or 4, with the setting and its value, or what became of the text."""
    stage, setting, code, message = IMPOSSIBLE[case]
    Path("made").mkdir()
    Path("corpus.txt").write_bytes(TEXT)
    further = ["--vocab", vocab] if stage == "prepare" else []
    result = call(stage, "--corpus", "corpus.txt", *further, "--out", "made/out", "--set", setting)
    check(result, code=code, message=message)


def test_a_size_above_what_the_text_gives(call: Call) -> None:
    """No error: the vocabulary is as large as it can be, and the command says how large that is."""
    Path("corpus.txt").write_bytes(TEXT)
    result = call("vocab", "--corpus", "corpus.txt", "--out", "out", "--set", "vocab.size=5000")
    assert result.exit_code == 0
    size = len(Path("out", "vocab.txt").read_text(encoding="utf-8").splitlines())
    assert f"the vocabulary has {size} tokens, not 5000" in result.stderr


@pytest.mark.slow
def test_a_scheduler_that_cannot_be_reached(call: Call, vocab: str) -> None:
    """Exit code 9, with its address."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    Path("made").mkdir()
    Path("corpus.txt").write_bytes(TEXT)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        arguments: Any = ("--corpus", "corpus.txt", "--vocab", vocab, "--out", "made/out")
        result = call("prepare", *arguments, "--scheduler", address)
    check(result, code=9, message=address)


def test_text_at_fault_leaves_no_progress(call: Call, vocab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the text is mended its fingerprint is another: what was made of it would lie there for ever."""
    monkeypatch.setenv("BERTPIPE_WORK", "side")
    Path("corpus.txt").write_bytes(TEXT + b"\xff\n")
    result = call("prepare", "--corpus", "corpus.txt", "--vocab", vocab, "--out", "out")
    assert result.exit_code == 4
    assert [path.name for path in Path("side", "work", "prepare").iterdir() if path.is_dir()] == []
