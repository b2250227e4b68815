"""Expected forms from Unicode's charts and the BERT papers' description, written by hand."""

import pytest

from bertpipe.vocab.normalization import normalizer, pre_tokenizer


@pytest.mark.parametrize(
    ("text", "lowercased", "cased"),
    [
        ("Éa naïve", "ea naive", "Éa naïve"),
        ("한국어 각", "한국어 각", "한국어 각"),
        ("\u1112\u1161\u11ab", "한", "\u1112\u1161\u11ab"),
        ("x中文y", "x 中  文 y", "x 中  文 y"),
        ("a\x00\x1c\x85\u200b\ufeffb\u2028c\td", "ab c d", "ab c d"),
        ("İSTANBUL", "istanbul", "İSTANBUL"),
    ],
)
def test_text_is_cleaned_and_hangul_stays_whole(text: str, lowercased: str, cased: str) -> None:
    """Control characters go, Chinese stands apart, accents go with the case, syllables do not."""
    assert normalizer(lowercase=True).normalize_str(text) == lowercased
    assert normalizer(lowercase=False).normalize_str(text) == cased


def test_signs_are_words() -> None:
    """Each sign is a word of its own, also those of other scripts."""
    words = [word for word, _ in pre_tokenizer().pre_tokenize_str("[MASK] 다.라。")]
    assert words == ["[", "MASK", "]", "다", ".", "라", "。"]
