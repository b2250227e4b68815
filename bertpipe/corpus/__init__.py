"""Text: files in, documents of sentences out."""

from bertpipe.corpus.documents import (
    Chunk,
    CorpusConfig,
    Document,
    read_chunks,
    read_documents,
    read_paragraphs,
    split_document,
)
from bertpipe.corpus.readers import CorpusFile, corpus_hash, find_files
from bertpipe.corpus.sentences import split_sentences

__all__ = [
    "Chunk",
    "CorpusConfig",
    "CorpusFile",
    "Document",
    "corpus_hash",
    "find_files",
    "read_chunks",
    "read_documents",
    "read_paragraphs",
    "split_document",
    "split_sentences",
]
