from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.vocab import (
    ALGORITHMS,
    NormalizationConfig,
    PieceCounts,
    count_pieces,
    count_words,
    normalizer,
    words,
)

# Whatever a shortcut could get wrong: white space of all kinds, control and format characters,
# signs, accents composed and combining, case with a context, Hangul, Chinese.
ODD = (
    "ab AB 09 .,[]#-_ \n\t\r\x00\x0b\x1c\x7f\x85\xa0\u200b\u2028\u3000 éÉe\u0301\u0130\u0131ßςΣ"
    "한\u1112\u1161\u11ab 中。\ufb01\U0001f600"
)


CONFIGS = [
    NormalizationConfig(),
    NormalizationConfig(lowercase=False),
    NormalizationConfig(split_digits=True, unicode_form="nfkc"),
    NormalizationConfig(
        clean_text=False, handle_chinese_chars=False, strip_accents=False, unicode_form="nfd"
    ),
]


def words_by_tokenizers(text: str, algorithm: str, config: NormalizationConfig) -> Counter[str]:
    normalized = normalizer(config).normalize_str(text)
    pre_tokenizer = ALGORITHMS[algorithm].pre_tokenizer(split_digits=config.split_digits)
    return Counter(word for word, _ in pre_tokenizer.pre_tokenize_str(normalized))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("config", CONFIGS, ids=["uncased", "cased", "nfkc-digits", "as-it-is"])
@given(texts=st.lists(st.text(st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"]))))
def test_words_are_counted_as_the_tokenizer_sees_them(
    texts: list[str], config: NormalizationConfig, algorithm: str
) -> None:
    """Counting different pieces first gives the counts of normalising and cutting all text."""
    expected: Counter[str] = Counter()
    for text in texts:
        expected += words_by_tokenizers(text, algorithm, config)
    assert count_words(count_pieces(texts).by_piece(), ALGORITHMS[algorithm], config) == expected


def test_pieces_are_cut_at_space_and_newline_only() -> None:
    """Other white space stays inside: the normalizer removes some of it, which joins words."""
    found = count_pieces(["a b\na", "a\x1cb  \u2028", ""])
    assert found.by_piece() == {"a": 2, "b": 1, "a\x1cb": 1, "\u2028": 1}
    assert count_pieces([]).by_piece() == count_pieces([" "]).by_piece() == {}


def test_counts_of_many_parts_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often they are summed up in between, pieces have the counts of the whole."""
    monkeypatch.setattr(words, "_ROWS_AT_ONCE", 50)
    texts = [" ".join(str(number % modulus) for number in range(100)) for modulus in range(1, 60)]
    whole = PieceCounts()
    for text in texts:
        whole.add(count_pieces([text]))
    assert whole.by_piece() == Counter(" ".join(texts).split(" "))


def test_only_so_many_pieces_are_kept() -> None:
    """The most frequent stay; which of equal ones do, no order of the text decides."""
    numbers = [str(number) for number in range(100)]
    pieces = count_pieces([" ".join(numbers + ["often"] * 9 + ["twice"] * 2)])
    kept = pieces.by_piece(limit=42)
    assert kept["often"] == 9
    assert kept["twice"] == 2
    assert len(kept) == 42
    assert (
        count_pieces([" ".join(["twice", *numbers[::-1], "twice"] + ["often"] * 9)]).by_piece(limit=42)
        == kept
    )
    assert pieces.by_piece(limit=1) == {"often": 9}
    assert pieces.by_piece(limit=102) == pieces.by_piece()
