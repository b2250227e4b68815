"""What happens to text before it is cut into pieces of the vocabulary.

Only tables that ship with ``tokenizers`` are used: Python's ``unicodedata`` and ``str.lower``
change with Python.
"""

from tokenizers.normalizers import NFC, BertNormalizer, Normalizer, Sequence
from tokenizers.pre_tokenizers import BertPreTokenizer, PreTokenizer


def normalizer(*, lowercase: bool) -> Normalizer:
    """Return BERT's clean-up: control characters out, Chinese characters apart, and the case.

    Args:
        lowercase: lower the case and strip accents as BERT's uncased models do. Stripping accents
            takes Hangul syllables apart, so that every Korean word would be unknown to a reader
            who does not; here they are put together again.
    """
    bert = BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=lowercase, lowercase=lowercase
    )
    return Sequence([bert, NFC()]) if lowercase else bert


def pre_tokenizer() -> PreTokenizer:
    """Return BERT's split into words: at white space, and around each punctuation sign."""
    return BertPreTokenizer()
