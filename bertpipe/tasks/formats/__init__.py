"""Labelled data on disk: a folder with ``train``, ``dev`` and, where there is one, ``test``."""

from bertpipe.tasks.formats.conll import CONLLU_TAGS, read_columns, read_conllu, read_klue_ner
from bertpipe.tasks.formats.files import blocks_of, ending, lines_of, read_text, split_file
from bertpipe.tasks.formats.objects import read_json, read_jsonl
from bertpipe.tasks.formats.records import Record, field, optional_field, text_field
from bertpipe.tasks.formats.sentences import Sentence
from bertpipe.tasks.formats.tables import read_table
from bertpipe.tasks.formats.tagged_records import read_tagged_records

__all__ = [
    "CONLLU_TAGS",
    "Record",
    "Sentence",
    "blocks_of",
    "ending",
    "field",
    "lines_of",
    "optional_field",
    "read_columns",
    "read_conllu",
    "read_json",
    "read_jsonl",
    "read_klue_ner",
    "read_table",
    "read_tagged_records",
    "read_text",
    "split_file",
    "text_field",
]
