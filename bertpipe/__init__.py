"""bertpipe: from raw text in any language to GLUE and SQuAD numbers, one cached stage at a time."""

__version__ = "0.1.0"
