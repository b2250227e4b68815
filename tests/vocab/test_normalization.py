"""Expected forms from Unicode's charts and the BERT papers' description, written by hand."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.vocab import BERT_CASED, BERT_UNCASED, NormalizationConfig, normalizer
from bertpipe.vocab.normalization import UnicodeForm


def normalized(text: str, **settings: object) -> str:
    return normalizer(NormalizationConfig.model_validate(settings)).normalize_str(text)


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
    assert normalizer(BERT_UNCASED).normalize_str(text) == lowercased
    assert normalizer(BERT_CASED).normalize_str(text) == cased


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"strip_accents": False}, "e\u0301 ｆ① 한 中 \t"),
        ({"lowercase": False, "strip_accents": True}, "E Ｆ① 한 中 \t"),
        ({"lowercase": False, "unicode_form": "nfc"}, "É Ｆ① 한 中 \t"),
        ({"lowercase": False, "unicode_form": "nfkc"}, "É F1 한 中 \t"),
        ({"lowercase": False, "unicode_form": "nfd"}, "E\u0301 Ｆ① \u1112\u1161\u11ab 中 \t"),
        ({"unicode_form": "nfd"}, "e ｆ① \u1112\u1161\u11ab 中 \t"),
        ({"clean_text": False, "lowercase": False}, "E\u0301 Ｆ① 한 中 \t\x01"),
    ],
)
def test_each_switch_does_its_own(settings: dict[str, object], expected: str) -> None:
    """Case, accents, Unicode form and control characters are apart from each other."""
    text = "E\u0301 Ｆ① 한 中 \t\x01"
    settings = {"handle_chinese_chars": False} | settings
    found = normalized(text, **settings)
    assert found == (expected if not settings.get("clean_text", True) else expected.replace("\t", " "))


def test_chinese_may_stay_together() -> None:
    """With the switch off, a run of Chinese characters is one word."""
    assert normalized("x中文y", handle_chinese_chars=False) == "x中文y"


@pytest.mark.parametrize("form", ["nfc", "nfkc", "nfd"])
@pytest.mark.parametrize("lowercase", [True, False])
@given(text=st.text(st.sampled_from("aÉe\u0301한\u1112\u1161\u11abﬁ①Åİ中ǅ")))
def test_text_ends_in_the_form_that_is_asked_for(text: str, form: UnicodeForm, lowercase: bool) -> None:
    """Neither case nor accents leave another form behind, by the tables of Python's unicodedata."""
    found = normalized(text, unicode_form=form, lowercase=lowercase)
    assert unicodedata.normalize(form.upper(), found) == found  # type: ignore[arg-type]  # not known as literal
