from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.vocab import count_pieces, count_words
from bertpipe.vocab.normalization import normalizer, pre_tokenizer

# Whatever a shortcut could get wrong: white space of all kinds, control and format characters,
# signs, accents composed and combining, case with a context, Hangul, Chinese.
ODD = (
    "ab AB 09 .,[]#-_ \n\t\r\x00\x0b\x1c\x7f\x85\xa0\u200b\u2028\u3000 éÉe\u0301\u0130\u0131ßςΣ"
    "한\u1112\u1161\u11ab 中。\ufb01\U0001f600"
)


def words_by_tokenizers(text: str, *, lowercase: bool) -> Counter[str]:
    normalized = normalizer(lowercase=lowercase).normalize_str(text)
    return Counter(word for word, _ in pre_tokenizer().pre_tokenize_str(normalized))


@pytest.mark.parametrize("lowercase", [True, False])
@given(texts=st.lists(st.text(st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"]))))
def test_words_are_counted_as_the_tokenizer_sees_them(texts: list[str], lowercase: bool) -> None:
    """Counting different pieces first gives the counts of normalising all text."""
    expected: Counter[str] = Counter()
    for text in texts:
        expected += words_by_tokenizers(text, lowercase=lowercase)
    assert count_words(count_pieces(texts), lowercase=lowercase) == expected


def test_pieces_are_cut_at_space_and_newline_only() -> None:
    """Other white space stays inside: the normalizer removes some of it, which joins words."""
    assert count_pieces(["a b\na", "a\x1cb  \u2028", ""]) == {"a": 2, "b": 1, "a\x1cb": 1, "\u2028": 1}
