"""Cut text is the same text: parts against a reader that goes through a file line by line."""

import bz2
import gzip
import json
import lzma
import os
import pickle
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertpipe.corpus import CorpusConfig, CorpusFile, Part, find_files, read_documents, read_parts
from bertpipe.corpus.files.limits import MAX_LINE_BYTES
from bertpipe.corpus.reading import cuts
from bertpipe.corpus.reading.pieces import Slice
from bertpipe.errors import CorpusError

LINES = CorpusConfig(sentences="lines")

# Line ends of all kinds; lines that are blank only in Unicode, or nearly; signs that are no line
# ends, byte order marks, NUL, headings, and text.
LINE_ENDS = ["\n", "\n", "\n\n", "\r\n", "\r", "\r\r\n", ""]
SPACES = ["", " ", "\t", "\u3000", "\u2028", "\x85", "\x0b", "\x1c", "\ufeff", "\0", " \0"]
WORDS = ["# a", "## b", "# ", " x", "word", "\uac00.", "\ufeffcaf\u00e9 ", "<doc>", "\U0001f600" * 9]
LINE = st.sampled_from([*SPACES, *WORDS, *WORDS])
AWKWARD = st.lists(st.tuples(LINE, st.sampled_from(LINE_ENDS)).map("".join), max_size=30).map("".join)
CONFIGS = [
    CorpusConfig(documents="blank_line"),
    CorpusConfig(documents="file"),
    CorpusConfig(documents="file", sentences="lines"),
    CorpusConfig(documents="heading"),
    CorpusConfig(documents="heading", heading_pattern="", sentences="lines"),
]
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": partial(lzma.compress, preset=0),
    "zstd": lambda content: bytes(pa.compress(content, codec="zstd", asbytes=True)),
}


def reference(content: bytes, config: CorpusConfig) -> list[list[str]]:
    """Read text as the first version of the package did: line by line, whole files."""
    raw = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    lines = [line.rstrip(b"\r").decode() for line in raw]
    if config.documents == "blank_line":
        return blocks(lines)
    if config.documents == "file":
        return [document for document in [joined(lines, config)] if document]
    documents: list[list[str]] = [[]]
    body: list[str] = []
    for line in lines[:-1] if raw[-1] == b"" else lines:
        if re.match(config.heading_pattern, line) and not line.isspace():
            documents[-1] += joined(body, config)
            documents.append([line.strip()])
            body = []
        else:
            body.append(line)
    documents[-1] += joined(body, config)
    return [document for document in documents if document]


def blocks(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line)
        else:
            found.append([])
    return [block for block in found if block]


def joined(lines: list[str], config: CorpusConfig) -> list[str]:
    if config.sentences == "lines":
        return [line for line in lines if line.strip()]
    return [" ".join(line.strip() for line in block) for block in blocks(lines)]


def documents(parts: list[Part], config: CorpusConfig) -> list[list[str]]:
    """Parse parts as workers do, who get them as a pickle."""
    return [one for part in pickle.loads(pickle.dumps(parts)) for one in part.documents(config)]


def corpus(folder: Path, **contents: bytes) -> list[CorpusFile]:
    for name, content in contents.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return find_files([folder])


PACKINGS = st.sampled_from(sorted(PACKED))


@settings(max_examples=500)
@given(
    config=st.sampled_from(CONFIGS),
    packed=PACKINGS,
    one=AWKWARD,
    two=AWKWARD,
    characters=st.integers(1, 60),
)
def test_no_cut_changes_a_document(
    tmp_path_factory: pytest.TempPathFactory,
    config: CorpusConfig,
    packed: str,
    one: str,
    two: str,
    characters: int,
) -> None:
    """However small the parts, compressed or not: the documents of whole files, and all their bytes."""
    contents = [one.encode(), two.encode()]
    pack = PACKED[packed]
    files = corpus(tmp_path_factory.mktemp("corpus"), a_txt=pack(contents[0]), b_txt=pack(contents[1]))
    parts = list(read_parts(files, config, characters=characters))
    assert documents(parts, config) == [each for content in contents for each in reference(content, config)]
    assert sum(part.read_bytes for part in parts) == sum(file.size_bytes for file in files) or not parts


@given(
    packed=PACKINGS,
    texts=st.lists(AWKWARD),
    end=st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]),
    characters=st.integers(1, 99),
)
def test_no_cut_changes_a_record(
    tmp_path_factory: pytest.TempPathFactory, packed: str, texts: list[str], end: str, characters: int
) -> None:
    """Each record of JSON Lines is one document, wherever the file is cut."""
    content = end.join(json.dumps({"text": text}, ensure_ascii=False) for text in texts).encode()
    files = corpus(tmp_path_factory.mktemp("corpus"), a_jsonl=PACKED[packed](content))
    parts = list(read_parts(files, CorpusConfig(), characters=characters))
    expected = [[line for line in text.split("\n") if line.strip()] for text in texts]
    assert documents(parts, CorpusConfig()) == [document for document in expected if document]


def test_plain_files_are_cut_into_ranges_that_workers_read(tmp_path: Path) -> None:
    """A part of a plain file holds no text, and is not much larger than asked for."""
    content = b"".join(b"line %d\n\n" % number for number in range(20_000))
    [file] = corpus(tmp_path, a_txt=content)
    parts = list(read_parts([file], CorpusConfig(), characters=10_000))
    assert all(isinstance(piece, Slice) and piece.size < 10_050 for part in parts for piece in part.pieces)
    assert len(parts) == -(-len(content) // 10_050)
    assert len(pickle.dumps(parts[0])) < 1000


def test_small_files_share_a_part(tmp_path: Path) -> None:
    """A folder of tiny files does not become as many tasks, plain and compressed ones mixed."""
    contents = {f"{number:03}_txt": b"text %d" % number for number in range(100)}
    packed = {f"{number:03}_gz": gzip.compress(b"text %d" % number) for number in range(100, 200)}
    parts = list(read_parts(corpus(tmp_path, **contents, **packed), CorpusConfig(), characters=1000))
    assert 2 <= len(parts) <= 4
    assert documents(parts, CorpusConfig()) == [[f"text {number}"] for number in range(200)]


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("characters", [1, 10, 1000])
def test_errors_name_the_line_in_the_file(tmp_path: Path, packed: str, characters: int) -> None:
    """The number of the line is that in the whole file, in whichever part it stands."""
    text = b"one\n\n" * 10 + b"caf\xe9\n\n" + b"two\n\n" * 10
    records = b'{"text": "one"}\n\n' * 10 + b'{"text": 1}\n'
    for name, content, message in [
        ("a.txt", text, r"a\.txt:21: not valid UTF-8 \(byte 0xe9\)"),
        ("b.jsonl", records, r"b\.jsonl:21: field 'text' is no text: 1"),
    ]:
        (tmp_path / name).write_bytes(PACKED[packed](content))
        files = find_files([tmp_path / name])
        with pytest.raises(CorpusError, match=message) as caught:
            documents(list(read_parts(files, CorpusConfig(), characters=characters)), CorpusConfig())
        assert caught.value.hint is not None


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("characters", [1, 1000])
def test_invalid_utf8_is_replaced_and_counted_on_request(
    tmp_path: Path, packed: str, characters: int
) -> None:
    """A U+FFFD for each invalid sequence; those that stood in the text are not counted."""
    content = b"a\xff\xfeb \xef\xbf\xbd\n\n\xe2\x82\n\nok\n\n\xc3"
    files = corpus(tmp_path, a_txt=PACKED[packed](content))
    config = CorpusConfig(errors="replace")
    parsed = [part.parse(config) for part in read_parts(files, config, characters=characters)]
    assert [document for one in parsed for document in one.documents] == [
        ["a\ufffd\ufffdb \ufffd"],
        ["\ufffd"],
        ["ok"],
        ["\ufffd"],
    ]
    assert sum(one.replaced for one in parsed) == 4


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more\n")


def cut(path: Path) -> None:
    os.truncate(path, 100)


def rewrite(path: Path) -> None:
    content = path.read_bytes().replace(b"one", b"two")
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("change", "message"),
    [(grow, "changed"), (cut, "changed"), (rewrite, "changed"), (Path.unlink, "no longer there")],
)
def test_files_that_change_while_they_are_read_are_told(
    tmp_path: Path, packed: Callable[[bytes], bytes], change: Callable[[Path], None], message: str
) -> None:
    """A file that grows, shrinks, is replaced or vanishes after it was found is an error, not other text."""
    path = tmp_path / "a.txt"
    path.write_bytes(packed(b"".join(b"one %d\n\n" % number for number in range(5000))))
    files = find_files([path])
    parts = read_parts(files, CorpusConfig(), characters=1000)
    first = next(parts)
    change(path)
    with pytest.raises(CorpusError, match=rf"a\.txt: {message}"):
        documents([first, *parts], CorpusConfig())


@pytest.mark.slow
@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_line_may_be_long_but_not_endless(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    """100 MB in one line are read; a line over the limit is named."""
    files = corpus(tmp_path, a_txt=packed(b"before\n\n" + b"word " * 20_000_000 + b"\n\nafter\n"))
    lengths = [[len(line) for line in document] for document in read_documents(files, LINES)]
    assert lengths == [[6], [99_999_999], [5]]
    files = corpus(tmp_path, a_txt=packed(b"before\n\n" + b"x" * (MAX_LINE_BYTES + 1)))
    with pytest.raises(
        CorpusError, match=r"a\.txt.*: (a line of more than 256 MiB|unpacks to more than 1000)"
    ):
        list(read_documents(files, LINES))


@pytest.mark.slow
@pytest.mark.parametrize("text", [b"\n", b"a b c\n\n"], ids=["blank lines", "documents"])
def test_an_archive_that_unpacks_without_end_is_refused(tmp_path: Path, text: bytes) -> None:
    """Short lines do not hide it either; until it is noticed, no part is large."""
    files = corpus(tmp_path, a_zst=PACKED["zstd"](text * (300_000_000 // len(text))))
    sizes = []
    with pytest.raises(CorpusError, match=r"a\.zst: unpacks to more than 1000 times its size"):
        for part in read_parts(files, CorpusConfig(), characters=1_000_000):
            sizes.append(sum(piece.size for piece in part.pieces))
    assert max(sizes) < 1_100_000


@pytest.mark.parametrize("mode", ["blank_line", "file", "heading"])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_corpus_without_text_is_an_error(tmp_path: Path, mode: str, name: str) -> None:
    """White space alone is no corpus; the message names the file."""
    (tmp_path / name).write_text("\n \n\t\r\n")
    config = CorpusConfig.model_validate({"documents": mode})
    with pytest.raises(CorpusError, match=rf"the corpus is empty: no text in .*{name}"):
        list(read_documents(find_files([tmp_path]), config))


def test_an_empty_file_beside_text_is_no_error(tmp_path: Path) -> None:
    """A file of no bytes has no document; the others are read."""
    files = corpus(tmp_path, a_txt=b"", b_txt=b"text", c_txt=gzip.compress(b""), d_jsonl=b"")
    assert list(read_documents(files, LINES)) == [["text"]]


@pytest.mark.parametrize("packed", sorted(PACKED))
@pytest.mark.parametrize("mode", ["blank_line", "file", "heading"])
def test_a_document_may_be_long_but_not_endless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: str, mode: str
) -> None:
    """Text in which no document ends is refused before it fills the memory; the limit is lowered here."""
    monkeypatch.setattr(cuts, "MAX_DOCUMENT_BYTES", 1000)
    files = corpus(tmp_path, a_txt=PACKED[packed](b"line\n" * 300))
    config = CorpusConfig.model_validate({"documents": mode})
    with pytest.raises(CorpusError, match=r"a\.txt: a document of more than") as caught:
        list(read_parts(files, config, characters=100))
    assert caught.value.hint is not None and "corpus.documents" in caught.value.hint
