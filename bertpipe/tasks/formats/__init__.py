"""Labelled data on disk: a folder with ``train``, ``dev`` and, where there is one, ``test``."""

from bertpipe.tasks.formats.files import ending, lines_of, read_text, split_file
from bertpipe.tasks.formats.objects import read_json, read_jsonl
from bertpipe.tasks.formats.records import Record, field, optional_field, text_field
from bertpipe.tasks.formats.tables import read_table

__all__ = [
    "Record",
    "ending",
    "field",
    "lines_of",
    "optional_field",
    "read_json",
    "read_jsonl",
    "read_table",
    "read_text",
    "split_file",
    "text_field",
]
