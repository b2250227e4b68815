# ruff: noqa: RUF001 (signs that look like others are what this is about)
import unicodedata
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.corpus.cleaning import ngrams as cleaning_ngrams
from bertpipe.corpus.cleaning.ngrams import Ragged, ngrams_of, non_letter_shares, words_of
from bertpipe.corpus.cleaning.settings import Unit

# Letters, marks, digits, signs and spaces of several scripts, all of them older than Python 3.11.
SIGNS = "aBß éÉ12.,'-—“ 각한글ㅋ手机漢のカไท हिं \t\u00a0ﬁﾊﾝ\u200b😀İ\u0301"
ALONE = ("CJK UNIFIED", "HIRAGANA LETTER", "KATAKANA LETTER", "THAI")

texts = st.lists(st.text(alphabet=SIGNS, max_size=30), max_size=6)


def plain_words(text: str, unit: Unit) -> list[str]:
    """Return the words as a reader would find them, one sign at a time."""
    words = [""]
    for sign in unicodedata.normalize("NFKC", text):
        if sign.isspace():
            words.append("")
        elif unicodedata.category(sign)[0] in "LMN":
            lower = sign.lower()[0]  # the dot of a capital I with dot is none of its own
            alone = unit == "characters" or unicodedata.name(sign).startswith(ALONE)
            words = [*words, lower, ""] if alone else [*words[:-1], words[-1] + lower]
    return [word for word in words if word]


def told_apart(found: Ragged, expected: Sequence[Sequence[object]]) -> bool:
    """Whether there are as many as expected of each text, and equal hashes exactly for equal things."""
    if found.counts.tolist() != [len(things) for things in expected]:
        return False
    things = [thing for several in expected for thing in several]
    pairs = set(zip(things, found.values.tolist(), strict=True))
    return len(pairs) == len(set(things)) == len(set(found.values.tolist()))


@given(texts, st.sampled_from(["words", "characters"]))
def test_words_are_what_a_reader_finds(some: list[str], unit: Unit) -> None:
    """Two words have one hash exactly if they are the same after NFKC, in lower case, without signs."""
    assert told_apart(words_of(some, unit), [plain_words(text, unit) for text in some])


@given(texts, st.integers(1, 5), st.booleans())
def test_ngrams_are_runs_of_words_within_a_text(some: list[str], n: int, short_as_one: bool) -> None:
    """No n-gram goes over from one text to the next, and none is lost; a short text is one or none."""
    expected = []
    for text in some:
        words = plain_words(text, "words")
        runs = [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
        expected.append([tuple(words)] if short_as_one and 0 < len(words) < n else runs)
    assert told_apart(ngrams_of(words_of(some, "words"), n, short_as_one=short_as_one), expected)


def test_texts_longer_than_a_block_give_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a long text is cut to save memory makes no difference."""
    some = ["the quick brown fox " * 40, "", "jumps — over", "the quick brown fox " * 39 + "the quick"]
    whole = words_of(some, "words")
    grams = ngrams_of(whole, 7, short_as_one=True)
    shares = non_letter_shares(some)
    monkeypatch.setattr(cleaning_ngrams, "_BLOCK_CHARACTERS", 33)
    cut = words_of(some, "words")
    again = ngrams_of(cut, 7, short_as_one=True)
    assert cut.values.tolist() == whole.values.tolist()
    assert cut.offsets.tolist() == whole.offsets.tolist()
    assert again.values.tolist() == grams.values.tolist()
    assert again.offsets.tolist() == grams.offsets.tolist()
    assert non_letter_shares(some).tolist() == shares.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don’t STOP — now!", "dont stop now"),
        ("각각의 한국어", unicodedata.normalize("NFD", "각각의 한국어")),
        ("ﬁne ２０２０", "fine 2020"),
        ("手机很好", "手机，很 好。"),
    ],
)
def test_spelling_of_no_meaning_makes_no_difference(one: str, other: str) -> None:
    """Case, signs, composed or decomposed letters, width, and spaces between Chinese letters."""
    assert words_of([one], "words").values.tolist() == words_of([other], "words").values.tolist()


def test_characters_look_through_loose_spacing() -> None:
    """Korean reviews with and without spaces have the same characters, but not the same words."""
    one, other = "정말 재미 있어요", "정말재미있어요"
    assert words_of([one], "characters").values.tolist() == words_of([other], "characters").values.tolist()
    assert len(words_of([one], "words").values) == 3
    assert len(words_of([other], "words").values) == 1


def test_non_letters_are_counted_without_white_space() -> None:
    """Digits and signs are none, marks are letters; a text without a sign has none that is no letter."""
    some = ["ab 1!", "한국 手机", "हिन्दी", "!!! 123", " "]
    assert non_letter_shares(some).tolist() == [0.5, 0.0, 0.0, 1.0, 1.0]


def test_hashes_are_the_same_everywhere() -> None:
    """These values were made on one machine; another machine or another Python must find them too."""
    words = words_of(["The quick brown fox", "한국어 手机"], "words")
    assert words.values[[0, 4]].tolist() == [519013596964777736, 17971656288885515866]
    grams = ngrams_of(words, 2, short_as_one=False)
    assert grams.values[0] == np.uint64(11915453648434172317)
