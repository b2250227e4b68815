"""Files of a corpus: which there are, on this machine and elsewhere, and their stored bytes."""

from bertpipe.corpus.files.arguments import local_roots
from bertpipe.corpus.files.found import CorpusFile, corpus_hash, find_files, opened

__all__ = ["CorpusFile", "corpus_hash", "find_files", "local_roots", "opened"]
