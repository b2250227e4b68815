import gzip
import json
from pathlib import Path

import pytest

from bertpipe.corpus import CorpusFile, corpus_hash, find_files
from bertpipe.corpus.readers import read_lines, read_texts
from bertpipe.errors import CorpusError


def write(path: Path, content: bytes) -> CorpusFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return CorpusFile(path, path.name)


def lines(file: CorpusFile) -> list[str]:
    return [line for _, line in read_lines(file)]


def names(*corpus: Path) -> list[str]:
    return [file.name for file in find_files(corpus)]


def test_reading_order_is_by_name_whatever_the_order_of_arguments(tmp_path: Path) -> None:
    """Files come by their path below the folder that was named, not by argument."""
    write(tmp_path / "z" / "b.txt", b"1")
    write(tmp_path / "z" / "sub" / "a.txt", b"2")
    write(tmp_path / "y" / "c.txt", b"3")
    expected = ["b.txt", "c.txt", "sub/a.txt"]
    assert names(tmp_path / "z", tmp_path / "y") == names(tmp_path / "y", tmp_path / "z") == expected


def test_reading_order_of_equal_names_is_by_content(tmp_path: Path) -> None:
    """Two files of one name change places with their contents, not with their folders."""
    write(tmp_path / "a" / "t.txt", b"one")
    write(tmp_path / "b" / "t.txt", b"two")
    before = [file.path.read_bytes() for file in find_files([tmp_path / "a", tmp_path / "b"])]
    write(tmp_path / "a" / "t.txt", b"two")
    write(tmp_path / "b" / "t.txt", b"one")
    assert [file.path.read_bytes() for file in find_files([tmp_path / "a", tmp_path / "b"])] == before


def test_hidden_files_and_manifests_are_no_text(tmp_path: Path) -> None:
    """Neither hidden files and folders nor the manifest of an output of ours are read."""
    for name in (".hidden.txt", ".cache/a.txt", "manifest.json", "shown.txt"):
        write(tmp_path / name, b"x")
    assert names(tmp_path) == ["shown.txt"]


def test_a_file_reached_twice_is_read_once(tmp_path: Path) -> None:
    """A folder and a file in it do not count the file's words twice."""
    file = write(tmp_path / "sub" / "a.txt", b"x").path
    assert names(tmp_path, file) == names(file, tmp_path) == ["a.txt"]


def test_corpus_hash_tells_names_and_contents_only(tmp_path: Path) -> None:
    """The same files elsewhere have the same hash; another name or another byte changes it."""

    def hashed(folder: str, name: str, content: bytes) -> str:
        write(tmp_path / folder / name, content)
        return corpus_hash(find_files([tmp_path / folder]))

    one = hashed("one", "a.txt", b"text")
    assert hashed("two", "a.txt", b"text") == one
    assert hashed("three", "b.txt", b"text") != one
    assert hashed("four", "a.txt", b"Text") != one


@pytest.mark.parametrize("name", ["missing.txt", "empty"])
def test_missing_path_and_empty_folder_are_named(tmp_path: Path, name: str) -> None:
    """The message holds the path that is wrong."""
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty" / ".hidden", b"x")
    with pytest.raises(CorpusError, match=name):
        find_files([tmp_path / name])


def test_no_path_at_all_is_an_error() -> None:
    """An empty list of paths is not an empty corpus that goes through."""
    with pytest.raises(CorpusError, match="no corpus"):
        find_files([])


def test_line_ends_and_byte_order_mark_are_no_text(tmp_path: Path) -> None:
    """LF and CRLF may be mixed, a BOM is dropped, the last line needs no end; other separators stay."""
    content = "\ufeffone\r\ntwo\n\nthr\u2028ee\x0b\r\nfour".encode()
    assert lines(write(tmp_path / "a.txt", content)) == ["one", "two", "", "thr\u2028ee\x0b", "four"]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_gzip_is_recognised_by_content(tmp_path: Path, name: str, packed: bool) -> None:
    """The suffix neither makes nor hides a gzip file."""
    content = b"eins\nzwei\n"
    assert lines(write(tmp_path / name, gzip.compress(content) if packed else content)) == ["eins", "zwei"]


@pytest.mark.parametrize("packed", [False, True])
def test_invalid_utf8_is_named_with_its_line(tmp_path: Path, packed: bool) -> None:
    """The message holds file, line and byte."""
    content = b"fine\nfine\n" + "caf\u00e9".encode("latin-1") + b"\n"
    file = write(tmp_path / "a.txt", gzip.compress(content) if packed else content)
    with pytest.raises(CorpusError, match=r"a\.txt:3: not valid UTF-8 \(byte 0xe9\)") as caught:
        lines(file)
    assert caught.value.hint is not None


def test_damaged_gzip_is_named(tmp_path: Path) -> None:
    """A cut-off file is an error, not a shorter corpus."""
    whole = gzip.compress("\n".join(map(str, range(50_000))).encode())
    with pytest.raises(CorpusError, match=r"a\.gz: damaged gzip data after line \d+"):
        lines(write(tmp_path / "a.gz", whole[:-2000]))
    wrong_sum = whole[:-8] + bytes(8)
    with pytest.raises(CorpusError, match=r"b\.gz: damaged gzip data"):
        lines(write(tmp_path / "b.gz", wrong_sum))


@pytest.mark.parametrize("packed", [False, True])
def test_read_bytes_add_up_to_the_stored_size(tmp_path: Path, packed: bool) -> None:
    """What is told for the progress bar is the size of the file, compressed or not."""
    content = "\n".join(map(str, range(50_000))).encode()
    file = write(tmp_path / "a", gzip.compress(content) if packed else content)
    told: list[int] = []
    assert sum(1 for _ in read_lines(file, on_read=told.append)) == 50_000
    assert sum(told) == file.path.stat().st_size
    assert len(told) > 1


def test_records_give_their_field(tmp_path: Path) -> None:
    """The named field is read as JSON says, escapes and all; empty lines are no records."""
    records = [{"body": "a\nb \U0001f600", "text": "no"}, {"body": ""}]
    content = "\n\n".join(map(json.dumps, records)).encode()
    assert list(read_texts(write(tmp_path / "a.jsonl", content), "body")) == ["a\nb \U0001f600", ""]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"text": "cut', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('["text"]', "not a JSON object"),
        ('{"body": 1}', "no field 'text', only 'body'"),
        ("{}", "no field 'text', only nothing"),
        ('{"text": null}', "field 'text' is no text: None"),
        (r'{"text": "\ud83d"}', "half of a surrogate pair"),
    ],
)
def test_bad_records_are_named_with_their_line(tmp_path: Path, record: str, message: str) -> None:
    """Each kind of bad record is an error with file, line and a way out."""
    file = write(tmp_path / "a.jsonl", b'{"text": "fine"}\n' + record.encode())
    with pytest.raises(CorpusError) as caught:
        list(read_texts(file, "text"))
    assert caught.value.message.startswith(f"{file.path}:2: ")
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("name", "is_jsonl"),
    [("a.jsonl", True), ("a.JSONL.gz", True), ("a.json", False), ("a.jsonl.txt", False), ("jsonl", False)],
)
def test_format_is_told_by_suffix(name: str, is_jsonl: bool) -> None:
    """JSON Lines is told by its suffix, which ``.gz`` may cover."""
    assert CorpusFile(Path(name), name).is_jsonl is is_jsonl
