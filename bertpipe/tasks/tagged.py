"""Sentences of tagged words: where they stand, and in which format."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from bertpipe.errors import TaskDataError
from bertpipe.metrics.entities import Scheme
from bertpipe.metrics.tagging import Metric
from bertpipe.tasks.formats import (
    CONLLU_TAGS,
    Sentence,
    read_columns,
    read_conllu,
    read_klue_ner,
    read_tagged_records,
    split_file,
)
from bertpipe.tasks.task import Description

Format = Literal["conll", "conllu", "klue_ner", "jsonl"]

# By format: the endings of its files, and the columns of words and tags where they are not set.
_ENDINGS: Mapping[Format, tuple[str, ...]] = {
    "conll": (".conll", ".txt", ".tsv"),
    "conllu": (".conllu",),
    "klue_ner": (".tsv",),
    "jsonl": (".jsonl",),
}
_COLUMNS: Mapping[Format, tuple[int | str | None, int | str | None]] = {
    "conll": (0, -1),
    "conllu": (None, "upos"),
    "klue_ner": (None, None),
    "jsonl": ("words", "tags"),
}


class TaggingDescription(Description):
    """A tag for each word."""

    kind: Literal["tagging"]
    format: Format = Field(
        "conll",
        description="conll: a word a line, in columns; conllu: Universal Dependencies; klue_ner: a character "
        "a line; jsonl: lists of words and of tags.",
    )
    token_column: int | str | None = Field(
        None,
        description="Where the words stand: in conll a number from 0 (unset: 0), in jsonl a field (words).",
    )
    tag_column: int | str | None = Field(
        None,
        description="Where their tags stand: in conll a number, negative from the end (unset: -1, the last); "
        "in conllu upos (unset) or xpos; in jsonl a field (tags).",
    )
    scheme: Scheme | None = Field(
        None, description="How tags name entities; none: they name none, as in POS; unset: as the tags tell."
    )
    strict: bool = Field(
        False,
        description="Whether to count only entities that are well-formed in the scheme; else as conlleval.",
    )
    metrics: tuple[Metric, ...] | None = Field(
        None,
        min_length=1,
        strict=False,
        description="Scores to tell; models are compared by the first; unset: F1 of entities, or accuracy.",
    )

    @property
    def columns(self) -> tuple[int | str | None, int | str | None]:
        """Return where words and tags stand, as the format wants it."""
        token, tag = _COLUMNS[self.format]
        return (
            token if self.token_column is None else self.token_column,
            tag if self.tag_column is None else self.tag_column,
        )

    @model_validator(mode="after")
    def _columns_fit_the_format(self) -> Self:
        for name, default, column in zip(
            ("token_column", "tag_column"), _COLUMNS[self.format], self.columns, strict=True
        ):
            if type(column) is not type(default):
                wanted = {int: "a number", str: "a name"}.get(type(default), "unset")
                raise ValueError(f"{name} must be {wanted} with format = {self.format}")
        if self.format == "conllu" and self.tag_column not in (None, *CONLLU_TAGS):
            raise ValueError(f"tag_column must be {' or '.join(CONLLU_TAGS)} with format = conllu")
        return self


def read_tagged(folder: Path, split: str, description: TaggingDescription) -> list[Sentence]:
    """Return the sentences of one split.

    Raises:
        TaskDataError: there is no such file, it holds nothing, or a line is wrong.
    """
    path = split_file(folder, split, description.files, endings=_ENDINGS[description.format])
    sentences = list(_sentences(path, description))
    if not sentences:
        raise TaskDataError(f"{path} holds no examples")
    return sentences


def _sentences(path: Path, description: TaggingDescription) -> Iterator[Sentence]:
    token, tag = description.columns
    match description.format:
        case "conll":
            assert isinstance(token, int) and isinstance(tag, int)
            return read_columns(path, token_column=token, tag_column=tag)
        case "conllu":
            return read_conllu(path, tag_column=str(tag))
        case "klue_ner":
            return read_klue_ner(path)
        case "jsonl":
            return read_tagged_records(path, token_column=str(token), tag_column=str(tag))


def tags_of(example: Sentence) -> list[str]:
    """Return an example's tags.

    Raises:
        TaskDataError: it has none.
    """
    if example.tags is None:
        raise TaskDataError(
            f"{example.place}: no tags", hint="this split cannot be trained on or scored without tags"
        )
    return list(example.tags)
