"""Documents: how text becomes documents, and paragraphs sentences."""

import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from bertpipe.configs import Settings
from bertpipe.corpus.cleaning.settings import CleaningConfig
from bertpipe.corpus.sentences import SplitterName, splitter

Document = list[str]

_HEADING = r"#{1,2} +\S|\s?= [^=].*[^=] =\s*$"


class CorpusConfig(Settings):
    """How text becomes documents of sentences."""

    documents: Literal["blank_line", "file", "heading"] = Field(
        "blank_line",
        description="Where a document of plain text ends: at an empty line (then each line is a paragraph), "
        "or only at the end of the file or at a heading (then empty lines separate paragraphs).",
    )
    sentences: SplitterName = Field(
        "split",
        description="How paragraphs become sentences: by rules, with one a line already, or by the library "
        "of that name.",
    )
    sentence_language: str = Field(
        "en", min_length=2, description="Language code for the library; the rules need none."
    )
    heading_pattern: str = Field(
        _HEADING,
        description="Regular expression that a heading line begins with; "
        "the default knows Markdown '## ' and WikiText ' = Title = '.",
    )
    format: Literal[
        "auto",
        "text",
        "jsonl",
        "csv",
        "tsv",
        "parquet",
        "arrow",
        "wikiextractor",
        "mediawiki",
    ] = Field(
        "auto",
        description="Format of all files, or for each file what its name or, under another name, its "
        "content says; plain text otherwise.",
    )
    text_field: str = Field(
        "text",
        min_length=1,
        description="Key of the text in JSON Lines, column in tables; inside of structs with dots.",
    )
    quotes: bool = Field(
        True,
        description="Whether double quotes enclose fields in CSV and TSV, or are characters like others.",
    )
    errors: Literal["strict", "replace"] = Field(
        "strict", description="Invalid UTF-8 is an error, or is replaced by U+FFFD and counted."
    )

    cleaning: CleaningConfig = Field(
        default_factory=CleaningConfig, description="Which documents are left out."
    )

    def recorded(self) -> dict[str, Any]:
        """Return what changes the documents; of task files their content does, so that is an input."""
        return self.model_dump(exclude={"cleaning": {"decontaminate"}})

    @field_validator("heading_pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern


def split_document(paragraphs: Sequence[str], config: CorpusConfig) -> Document:
    """Return the sentences of a document's paragraphs.

    Raises:
        ConfigError: a library is asked for that is not installed, or does not know the language.
    """
    return splitter(config.sentences, language=config.sentence_language)("\n".join(paragraphs))
