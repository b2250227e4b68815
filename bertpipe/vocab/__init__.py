"""Subword vocabularies: training them, and turning text into ids.

``counting``, which reads a corpus, is left out: what only uses a vocabulary does not depend on readers.
"""

from bertpipe.vocab.algorithms import ALGORITHMS, Algorithm
from bertpipe.vocab.bpe import train_bpe
from bertpipe.vocab.encoding import Encoder
from bertpipe.vocab.fit import Fit, measure_fit
from bertpipe.vocab.normalization import BERT_CASED, BERT_UNCASED, NormalizationConfig, normalizer
from bertpipe.vocab.tokenizer import Encoded, Located, Tokenizer
from bertpipe.vocab.unigram import train_unigram
from bertpipe.vocab.vocabulary import SPECIAL_TOKENS, Vocabulary
from bertpipe.vocab.wordpiece import train_wordpiece
from bertpipe.vocab.words import PieceCounts, count_pieces, count_words

__all__ = [
    "ALGORITHMS",
    "BERT_CASED",
    "BERT_UNCASED",
    "SPECIAL_TOKENS",
    "Algorithm",
    "Encoded",
    "Encoder",
    "Fit",
    "Located",
    "NormalizationConfig",
    "PieceCounts",
    "Tokenizer",
    "Vocabulary",
    "count_pieces",
    "count_words",
    "measure_fit",
    "normalizer",
    "train_bpe",
    "train_unigram",
    "train_wordpiece",
]
