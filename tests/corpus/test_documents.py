import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bertpipe.corpus import CorpusConfig, Document, find_files, read_documents


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


def test_a_heading_pattern_that_is_none_is_refused() -> None:
    """A broken regular expression is told when settings are read."""
    with pytest.raises(ValidationError, match="not a regular expression"):
        CorpusConfig(heading_pattern="(")
