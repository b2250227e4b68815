"""Subword vocabularies: training them, and turning text into ids."""

from bertpipe.vocab.tokenizer import Encoded, Tokenizer
from bertpipe.vocab.wordpiece import SPECIAL_TOKENS, WordPieceVocabulary, train_wordpiece
from bertpipe.vocab.words import count_pieces, count_words

__all__ = [
    "SPECIAL_TOKENS",
    "Encoded",
    "Tokenizer",
    "WordPieceVocabulary",
    "count_pieces",
    "count_words",
    "train_wordpiece",
]
