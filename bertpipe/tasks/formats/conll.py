"""Tagged words in columns: CoNLL's files, CoNLL-U, and KLUE's characters."""

import re
from collections.abc import Iterator
from pathlib import Path

from bertpipe.errors import TaskDataError
from bertpipe.tasks.formats.files import Line, blocks_of, lines_of, read_text
from bertpipe.tasks.formats.sentences import Sentence

_DOCUMENT = "-DOCSTART-"
_KLUE_COMMENT = "##"

# Columns of CoNLL-U, by the names that its description gives them.
_CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_UNSPECIFIED = "_"
CONLLU_TAGS = ("upos", "xpos")


def read_columns(path: Path, *, token_column: int, tag_column: int) -> Iterator[Sentence]:
    """Yield the sentences of a file with a word a line, as in CoNLL-2003.

    Columns are separated by tabs where the first line has one, else by spaces. ``#`` is a word.

    Args:
        path: the file.
        token_column: of the word, from 0; negative: from the last.
        tag_column: of its tag; a file in which it is the word's own, or the only one, has no tags.

    Raises:
        TaskDataError: a line has another number of columns than the first, or no tag.
    """
    columns = _Columns(path, token_column, tag_column)
    number = 0
    for block in blocks_of(read_text(path)):
        rows = [columns.of(line) for line in block if not line[1].startswith(_DOCUMENT)]
        if rows:
            words, tags = zip(*rows, strict=True)
            first = next(line for line, text in block if not text.startswith(_DOCUMENT))
            yield Sentence(str(number), words, tags if columns.has_tags else None, f"{path}:{first}")
            number += 1


class _Columns:
    """Words and tags of lines, all with as many columns as the first."""

    def __init__(self, path: Path, token_column: int, tag_column: int) -> None:
        self._path = path
        self._wanted = (token_column, tag_column)
        self._tabs = False
        self._count = 0

    @property
    def has_tags(self) -> bool:
        token, tag = self._places
        return token != tag

    @property
    def _places(self) -> tuple[int, int]:
        """Return both columns from 0; one column is that of words and tags, whatever is set."""
        token, tag = self._wanted
        return token % self._count, tag % self._count

    def of(self, line: Line) -> tuple[str, str]:
        number, text = line
        if not self._count:
            self._tabs = "\t" in text
        fields = text.split("\t") if self._tabs else re.split(r" +", text.strip(" "))
        self._check(len(fields), f"{self._path}:{number}")
        word, tag = (fields[column] for column in self._places)
        if not tag and self.has_tags:
            raise _no_tag(f"{self._path}:{number}", word)
        return word, tag

    def _check(self, count: int, place: str) -> None:
        if not self._count:
            for column in self._wanted if count > 1 else self._wanted[:1]:
                if not -count <= column < count:
                    raise TaskDataError(
                        f"{place}: no column {column}, the line has {count}",
                        hint="set token_column and tag_column under tasks.<name> in params.yaml",
                    )
            self._count = count
        if count != self._count:
            raise TaskDataError(
                f"{place}: {_columns(count)}, the first line has {self._count}",
                hint=f"columns are separated by {'tabs' if self._tabs else 'spaces'}, as in the first line",
            )


def read_conllu(path: Path, *, tag_column: str) -> Iterator[Sentence]:
    """Yield the sentences of a CoNLL-U file; ranges of words and empty nodes are left out.

    Args:
        path: the file.
        tag_column: ``upos`` or ``xpos``.

    Raises:
        TaskDataError: a line has not ten columns.
    """
    number = 0
    for block in blocks_of(read_text(path)):
        name = str(number)
        rows = []
        for line, text in block:
            if text.startswith("#"):
                name = _sentence_id(text) or name
                continue
            fields = text.split("\t")
            if len(fields) != len(_CONLLU):
                raise TaskDataError(
                    f"{path}:{line}: {_columns(len(fields))}, a line of CoNLL-U has {len(_CONLLU)}",
                    hint="columns are separated by tabs; files with other columns have format: conll",
                )
            if fields[0].isdecimal():
                rows.append((line, fields[_CONLLU.index("form")], fields[_CONLLU.index(tag_column)]))
        if rows:
            lines, words, tags = zip(*rows, strict=True)
            known = None if _UNSPECIFIED in tags else tags
            yield Sentence(name, words, known, f"{path}:{lines[0]}")
            number += 1


def _sentence_id(comment: str) -> str | None:
    name, equals, value = comment[1:].partition("=")
    return value.strip() if equals and name.strip() == "sent_id" else None


def read_klue_ner(path: Path) -> Iterator[Sentence]:
    """Yield the sentences of a KLUE-NER file: a character a line, a space has a line of its own.

    Spaces say where words end, and are no characters to tag: the official scorer leaves them out.
    Lines with ``##`` are comments; one with a tab names the sentence that follows. Without tags a line
    is the character alone.

    Raises:
        TaskDataError: a line holds no single character, or no tag.
    """
    text = read_text(path)
    has_tags = any("\t" in line and not line.startswith(_KLUE_COMMENT) for _, line in lines_of(text))
    number = 0
    # Without tags a line that is a space stands between two words, not between two sentences.
    for block in blocks_of(text, blank=" \t" if has_tags else ""):
        name = str(number)
        rows: list[tuple[int, str, str, bool]] = []
        glued = False
        for line, content in block:
            if content.startswith(_KLUE_COMMENT):
                found, tab, _ = content.removeprefix(_KLUE_COMMENT).partition("\t")
                name = found.strip() if tab else name
                continue
            character, tag = _character(content, f"{path}:{line}", has_tags=has_tags)
            if character != " ":
                rows.append((line, character, tag, glued))
            glued = character != " "
        if rows:
            lines, words, tags, joined = zip(*rows, strict=True)
            known = tags if has_tags else None
            yield Sentence(name, words, known, f"{path}:{lines[0]}", glued=joined)
            number += 1


def _character(text: str, place: str, *, has_tags: bool) -> tuple[str, str]:
    fields = text.split("\t") if has_tags else [text, ""]
    if len(fields) != 2:
        raise TaskDataError(
            f"{place}: {_columns(len(fields))}, a line of KLUE-NER has 2: a character, a tab and its tag"
        )
    character, tag = fields
    if len(character) != 1:
        raise TaskDataError(
            f"{place}: {character!r} is not one character", hint="files of words have format: conll"
        )
    if not tag and has_tags:
        raise _no_tag(place, character)
    return character, tag


def _columns(count: int) -> str:
    return f"{count} column" if count == 1 else f"{count} columns"


def _no_tag(place: str, word: str) -> TaskDataError:
    return TaskDataError(f"{place}: no tag for {word!r}")
