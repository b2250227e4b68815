"""What happens to text before it is cut into words.

Only tables that ship with ``tokenizers`` are used: Python's ``unicodedata`` and ``str.lower``
change with Python.
"""

from typing import Literal

from pydantic import Field
from tokenizers.normalizers import NFC, NFD, NFKC, BertNormalizer, Normalizer, Sequence

from bertpipe.configs import Settings

UnicodeForm = Literal["nfc", "nfd", "nfkc"]

_FORMS = {"nfc": NFC, "nfd": NFD, "nfkc": NFKC}


class NormalizationConfig(Settings):
    """How text is changed before it is cut into words; defaults as BERT's uncased models."""

    lowercase: bool = Field(
        True, description="Lower the case, and strip accents unless strip_accents says otherwise."
    )
    strip_accents: bool | None = Field(
        None, description="Strip accents; unset: as lowercase says, as BERT does. Hangul stays whole."
    )
    unicode_form: UnicodeForm | None = Field(
        None,
        description="Unicode form of the text; unset: its own. nfkc also makes full-width and other "
        "compatibility characters plain; nfd takes Hangul apart into Jamo.",
    )
    clean_text: bool = Field(True, description="Remove control characters; all white space becomes a space.")
    handle_chinese_chars: bool = Field(True, description="Make each Chinese character a word of its own.")
    split_digits: bool = Field(False, description="Make each digit a word of its own.")


BERT_UNCASED = NormalizationConfig()
BERT_CASED = NormalizationConfig(lowercase=False)


def normalizer(config: NormalizationConfig) -> Normalizer:
    """Return BERT's clean-up, between the Unicode forms that are asked for.

    Stripping accents takes Hangul syllables apart, so that every Korean word would be unknown to a
    reader who does not; NFC puts them together again, unless NFD is wanted.
    """
    strips = config.lowercase if config.strip_accents is None else config.strip_accents
    bert = BertNormalizer(
        clean_text=config.clean_text,
        handle_chinese_chars=config.handle_chinese_chars,
        strip_accents=strips,
        lowercase=config.lowercase,
    )
    first = [_FORMS[config.unicode_form]()] if config.unicode_form is not None else []
    # Case and accents may leave the form: it is made again. NFKC of what was NFKC is its NFC.
    last = [NFD()] if config.unicode_form == "nfd" else [NFC()] if strips or first else []
    return Sequence([*first, bert, *last]) if first or last else bert
