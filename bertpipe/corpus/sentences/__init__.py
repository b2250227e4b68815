"""Sentences: paragraphs in, sentences out, by our rules or by a library."""

from bertpipe.corpus.sentences.rules import split_sentences
from bertpipe.corpus.sentences.splitters import Splitter, SplitterName, split_lines, splitter

__all__ = ["Splitter", "SplitterName", "split_lines", "split_sentences", "splitter"]
