"""Labelled data on disk: a folder with ``train``, ``dev`` and, where there is one, ``test``."""

from bertpipe.tasks.formats.conll import CONLLU_TAGS, read_columns, read_conllu, read_klue_ner
from bertpipe.tasks.formats.records import Record, field, read_records, read_split, split_file, text_field
from bertpipe.tasks.formats.sentences import Sentence, sentence_file
from bertpipe.tasks.formats.tagged_records import read_tagged_records

__all__ = [
    "CONLLU_TAGS",
    "Record",
    "Sentence",
    "field",
    "read_columns",
    "read_conllu",
    "read_klue_ner",
    "read_records",
    "read_split",
    "read_tagged_records",
    "sentence_file",
    "split_file",
    "text_field",
]
