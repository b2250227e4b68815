import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bertpipe.corpus import CorpusConfig, Document, find_files, read_chunks, read_documents, split_document
from bertpipe.errors import CorpusError


def documents(path: Path, **settings: Any) -> list[Document]:
    return list(read_documents(find_files([path]), CorpusConfig(**settings)))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text("One. Two\nstill.\n\n \t\n\nThree.\r\n", newline="")
    return path


def test_blank_lines_part_documents_and_lines_are_paragraphs(text: Path) -> None:
    """A sentence does not go on over a line end, and several empty lines part once."""
    assert documents(text) == [["One.", "Two", "still."], ["Three."]]


def test_a_file_is_a_document_of_hard_wrapped_paragraphs(text: Path) -> None:
    """Lines are joined to paragraphs by a space; a sentence does not go on over an empty line."""
    assert documents(text, documents="file") == [["One.", "Two still.", "Three."]]


def test_lines_are_sentences_as_they_are(text: Path) -> None:
    """With one sentence a line nothing is split or joined."""
    assert documents(text, sentences="lines") == [["One. Two", "still."], ["Three."]]
    assert documents(text, documents="file", sentences="lines") == [["One. Two", "still.", "Three."]]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["# Book", "By me.", "## I", "It", "was.", "", "Late.", "### Not a new one", "## II"],
            [["# Book", "By me."], ["## I", "It was.", "Late. ### Not a new one"], ["## II"]],
        ),
        (
            [" = Title = ", " ", " Text . ", " = = Section = = ", " More . ", " = Next = ", " End . "],
            [["= Title =", "Text . = = Section = = More ."], ["= Next =", "End ."]],
        ),
    ],
    ids=["markdown", "wikitext"],
)
def test_a_heading_begins_a_document(tmp_path: Path, lines: list[str], expected: list[Document]) -> None:
    """Markdown and WikiText headings begin documents, and are their first sentence."""
    path = tmp_path / "a.md"
    path.write_text("\n".join(lines))
    assert [[" ".join(d[:1]), " ".join(d[1:])] for d in documents(path, documents="heading")] == [
        [" ".join(d[:1]), " ".join(d[1:])] for d in expected
    ]


def test_text_before_the_first_heading_is_a_document(tmp_path: Path) -> None:
    """Nothing is lost where a file does not begin with a heading; another pattern can be set."""
    path = tmp_path / "a.txt"
    path.write_text("Before.\nCHAPTER 1\nAfter.")
    settings = {"documents": "heading", "heading_pattern": "CHAPTER"}
    assert documents(path, **settings) == [["Before."], ["CHAPTER 1", "After."]]


def test_a_record_is_a_document(tmp_path: Path) -> None:
    """Each JSON record is one document, empty lines in it or not; records without text are none."""
    path = tmp_path / "a.jsonl"
    texts = ["One. Two.\n\nThree", " \n ", "", "Four"]
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    assert documents(path) == [["One.", "Two.", "Three"], ["Four"]]
    assert documents(path, documents="file", sentences="lines") == [["One. Two.", "Three"], ["Four"]]


def test_a_document_ends_with_its_file(tmp_path: Path) -> None:
    """The last document of a file does not run on into the next file."""
    (tmp_path / "a.txt").write_text("One.")
    (tmp_path / "b.txt").write_text("Two.")
    assert documents(tmp_path) == [["One."], ["Two."]]


@pytest.mark.parametrize("mode", ["blank_line", "file", "heading"])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_corpus_without_text_is_an_error(tmp_path: Path, mode: str, name: str) -> None:
    """White space alone is no corpus; the message names the file."""
    (tmp_path / name).write_text("\n \n\t\r\n")
    with pytest.raises(CorpusError, match=rf"the corpus is empty: no text in .*{name}"):
        documents(tmp_path, documents=mode)


def test_a_heading_pattern_that_is_none_is_refused() -> None:
    """A broken regular expression is told when settings are read."""
    with pytest.raises(ValidationError, match="not a regular expression"):
        CorpusConfig(heading_pattern="(")


@given(st.lists(st.lists(st.text("ab. \u3002", min_size=1).filter(str.strip), min_size=1), min_size=1))
def test_chunks_hold_the_documents_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, content: Sequence[Sequence[str]]
) -> None:
    """However text is cut into chunks, the documents and the bytes read are those of the files."""
    path = tmp_path_factory.mktemp("corpus") / "a.txt"
    path.write_text("\n\n".join("\n".join(lines) for lines in content))
    files, config = find_files([path]), CorpusConfig()
    whole = list(read_documents(files, config))
    for characters in (1, 7, 1000):
        chunks = list(read_chunks(files, config, characters=characters))
        assert [split_document(d, config) for chunk in chunks for d in chunk.documents] == whole
        assert sum(chunk.read_bytes for chunk in chunks) == path.stat().st_size
        assert all(chunk.documents for chunk in chunks[:-1])
