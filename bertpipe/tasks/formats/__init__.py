"""Labelled data on disk: a folder with ``train``, ``dev`` and, where there is one, ``test``."""

from bertpipe.tasks.formats.records import Record, field, read_records, read_split, split_file, text_field

__all__ = ["Record", "field", "read_records", "read_split", "split_file", "text_field"]
