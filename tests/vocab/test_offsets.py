"""Which characters tokens stand for: an answer is a slice of the text as it was given."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bertpipe.vocab import (
    ALGORITHMS,
    SPECIAL_TOKENS,
    NormalizationConfig,
    Tokenizer,
    count_pieces,
    count_words,
)
from bertpipe.vocab.locating import locate

LETTERS = "abcdefgié한국어서울12,.!"
UNCASED = Tokenizer.build(
    [*SPECIAL_TOKENS, *dict.fromkeys(LETTERS), *(f"##{x}" for x in dict.fromkeys(LETTERS))], lowercase=True
)


def slices(text: str, tokenizer: Tokenizer = UNCASED) -> list[str]:
    return [text[start:end] for start, end in tokenizer.locate([text]).offsets]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Abe, 12!", ["A", "b", "e", ",", "1", "2", "!"]),
        ("한국어", ["한", "국", "어"]),
        (unicodedata.normalize("NFD", "한국 서울"), [unicodedata.normalize("NFD", x) for x in "한국서울"]),
        ("fée", ["f", "é", "e"]),
        ("fe\u0301e", ["f", "e\u0301", "e"]),  # the accent that is taken away stays with its letter
        ("東京 a", ["東", "京", "a"]),  # each a word, unknown
        ("👍🏽 a", ["👍🏽", "a"]),
        ("❤\ufe0f a", ["❤\ufe0f", "a"]),
        ("a\u200bb", ["a\u200b", "b"]),
        ("  \u00a0a\t\r\nb ", ["a", "b"]),
        ("İa", ["İ", "a"]),  # lower-cased to two characters, of which the second is taken away
        ("", []),
        (" \u3000", []),
    ],
)
def test_tokens_are_slices_of_the_text(text: str, expected: list[str]) -> None:
    """Whatever the normaliser makes of it: case, accents, spelled-out Hangul, joiners, kinds of spaces."""
    assert slices(text) == expected


def test_texts_do_not_mix() -> None:
    """Offsets begin anew in each text, empty ones among them."""
    located = UNCASED.locate(["ab", "", " c\u0301", "d"])
    assert located.lengths.tolist() == [2, 0, 1, 1]
    assert located.offsets.tolist() == [[0, 1], [1, 2], [1, 3], [0, 1]]
    assert located.ids.tolist() == UNCASED.encode(["ab", "", " c\u0301", "d"]).ids.tolist()


TEXTS = st.text(
    st.one_of(
        st.sampled_from("ab é한\u1112\u1161\u11ab\u0301\u200b👍東 \n\u3000.,"), st.characters(codec="utf-8")
    )
)


@settings(max_examples=50)
@given(st.lists(TEXTS, max_size=3))
def test_offsets_go_on_along_the_text(texts: list[str]) -> None:
    """Both ends rise, lie in the text, and none begins with a space."""
    located = UNCASED.locate(texts)
    parts = np.split(located.offsets, np.cumsum(located.lengths)[:-1]) if texts else []
    for text, offsets in zip(texts, parts, strict=True):
        assert (np.diff(offsets, axis=0) >= 0).all()
        assert all(0 <= start <= end <= len(text) for start, end in offsets)
        assert not any(text[start:end][:1].isspace() for start, end in offsets)


PLAIN = "A b ab ba abba, c.a 12 한국 한 국어 서울 ab!"


def trained(algorithm: str) -> Tokenizer:
    row, config = ALGORITHMS[algorithm], NormalizationConfig(lowercase=False)
    words = count_words(count_pieces([PLAIN] * 3).by_piece(), row, config)
    found = row.train(
        words, size=320, min_frequency=1, limit_alphabet=None, alphabet_coverage=1.0, on_tokens=None
    )
    return Tokenizer.of(found.padded(64), row, config)


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_every_algorithm_tells_words_without_the_space_before(algorithm: str) -> None:
    """The marks that stand for a space in BPE and Unigram are no part of what a token stands for."""
    tokenizer = trained(algorithm)
    located = tokenizer.locate([PLAIN])
    assert located.ids.tolist() == tokenizer.encode([PLAIN]).ids.tolist()
    starts = located.offsets[:, 0].tolist()
    begun = {place for place, letter in enumerate(PLAIN) if letter != " " and PLAIN[:place][-1:] in ("", " ")}
    assert begun <= set(starts)
    assert not any(" " in PLAIN[start:end] for start, end in located.offsets)
    covered = {place for start, end in located.offsets.tolist() for place in range(start, end)}
    assert covered == {place for place, letter in enumerate(PLAIN) if letter != " "}


@given(st.lists(TEXTS, max_size=3))
def test_words_that_are_known_are_where_they_stand(texts: list[str]) -> None:
    """To look at each different word once gives what looking at whole texts gives."""
    fast, whole = locate(texts, UNCASED), UNCASED.locate(texts)
    assert fast.ids.tolist() == whole.ids.tolist()
    assert fast.lengths.tolist() == whole.lengths.tolist()
    assert fast.offsets.tolist() == whole.offsets.tolist()


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_known_words_of_every_algorithm(algorithm: str) -> None:
    """Also where a space is part of a token."""
    tokenizer = trained(algorithm)
    fast, whole = locate([PLAIN, PLAIN[3:]], tokenizer), tokenizer.locate([PLAIN, PLAIN[3:]])
    assert fast.ids.tolist() == whole.ids.tolist() and fast.offsets.tolist() == whole.offsets.tolist()


def test_offsets_of_plain_text_are_those_of_transformers(tmp_path: Path) -> None:
    """Where nothing is taken away, ours and Hugging Face's are the same."""
    UNCASED.save(tmp_path)
    texts = ["Abe, 12! 한국어", "fée 東京 x", "  a\tb.c "]
    theirs = AutoTokenizer.from_pretrained(tmp_path)(
        texts, return_offsets_mapping=True, add_special_tokens=False
    )
    located = UNCASED.locate(texts)
    expected = [list(pair) for offsets in theirs["offset_mapping"] for pair in offsets]
    assert located.offsets.tolist() == expected
