"""Text: files in, documents of sentences out."""

from bertpipe.corpus.documents import CorpusConfig, Document, split_document
from bertpipe.corpus.files.arguments import local_roots
from bertpipe.corpus.files.found import CorpusFile, corpus_hash, find_files
from bertpipe.corpus.parts import (
    Part,
    corpus_inputs,
    empty_corpus,
    read_documents,
    read_paragraphs,
    read_parts,
)
from bertpipe.corpus.reading.texts import Parsed
from bertpipe.corpus.sentences import split_sentences

__all__ = [
    "CorpusConfig",
    "CorpusFile",
    "Document",
    "Parsed",
    "Part",
    "corpus_hash",
    "corpus_inputs",
    "empty_corpus",
    "find_files",
    "local_roots",
    "read_documents",
    "read_paragraphs",
    "read_parts",
    "split_document",
    "split_sentences",
]
