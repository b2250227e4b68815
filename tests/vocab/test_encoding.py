"""The fast encoder gives the ids that the tokenizer gives, whatever the text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer, Metaspace

from bertpipe.vocab import (
    ALGORITHMS,
    SPECIAL_TOKENS,
    NormalizationConfig,
    Tokenizer,
    Vocabulary,
    encoding,
    normalizer,
)
from bertpipe.vocab.encoding import Encoder
from bertpipe.vocab.letters import is_plain_word
from bertpipe.vocab.word_table import WordTable, word_keys

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEF0123456789!?.,'[]-_"
KOREAN = "가나다라마바사"
LATIN_AND_CYRILLIC = "àéîõüßøñçÀÉÎŞşĞğİıŁłŒœžЖжйёЁщ"
TOKENS = [*SPECIAL_TOKENS, *LETTERS, *KOREAN, "é", "ß", "中", "the", "and", "##ing", "ab", "abcdefghi", "Th"]
TOKENS += [*"жйеëłıœ", "a" * 120, "가나", "##가나", "éa"]
TOKENS += [f"##{character}" for character in LETTERS + KOREAN + "жйеłßœ" if character.isalnum()]

# What text is made of when people are not looking: any of it may stand next to any other.
ODD = [
    *("\u0301", "\u00e9", "e\u0301", "\u1100\u1161", "\u4e2d\u6587", "\u3000", "\u00a0", "\u2028", "\u200b"),
    *("\ufeff", "\x0b", "\x0c", "\x1c", "\x85", "\r", "\t", "\x00", "\x7f", "\ufffd", "\U0001f600", "\u03a3"),
    *("\u00d7", "\u00f7", "\u0149", "\u0140", "\ud7a3", "\u1161", "\u11a8", "\ua000", "\uac00"),
    *("a" * 120, "\u0130", "\u201c", "\u2019", "\u2026", "\n", "[MASK]", "[SEP]", "##"),
    *("a" * 8, "a" * 9, "a" * 16, "a" * 17, "b" * 99, "b" * 100, "b" * 101),
]
fragments = st.one_of(
    st.sampled_from([*ODD, " ", "  ", "the", "and", *KOREAN]),
    st.text(alphabet=LETTERS, max_size=12),
    st.text(alphabet=LETTERS + LATIN_AND_CYRILLIC + KOREAN, max_size=12),
    st.text(max_size=4),
)
sentences = st.lists(st.lists(fragments, max_size=12).map("".join), max_size=8)


def tokenizer_of(*, lowercase: bool) -> Tokenizer:
    return Tokenizer.build(TOKENS, lowercase=lowercase)


def same(encoder: Encoder, texts: list[str]) -> None:
    expected = encoder.tokenizer.encode(texts)
    found = encoder.encode(texts)
    assert found.ids.tolist() == expected.ids.tolist()
    assert found.lengths.tolist() == expected.lengths.tolist()


@pytest.mark.parametrize("lowercase", [True, False])
@given(texts=sentences)
def test_any_text_gets_the_ids_of_the_tokenizer(lowercase: bool, texts: list[str]) -> None:
    """Also at second sight, when the words are known."""
    encoder = Encoder(tokenizer_of(lowercase=lowercase))
    assert encoder.tokenizer.cuts_words_like_bert
    same(encoder, texts)
    same(encoder, texts[::-1])


FORMS: list[dict[str, Any]] = [
    {"lowercase": lowercase, "strip_accents": strips, "unicode_form": form}
    for lowercase in (True, False)
    for strips in (True, False)
    for form in (None, "nfc", "nfd", "nfkc")
]


@pytest.mark.parametrize("normalization", FORMS, ids=str)
def test_plain_letters_are_plain_whatever_the_normalization(normalization: dict[str, Any]) -> None:
    """Each letter that is looked for in bytes: alone, between others, doubled, and beside a sign."""
    config = NormalizationConfig(**normalization)
    letters = [chr(code) for code in range(0x80, 0xD800) if is_plain_word(chr(code))]
    assert len(letters) > 11_000
    pieces = {form for letter in letters for form in normalizer(config).normalize_str(letter)}
    tokens = [*SPECIAL_TOKENS, *sorted(pieces | set("abz-"))]
    tokens += [f"##{piece}" for piece in tokens[len(SPECIAL_TOKENS) :]]
    tokenizer = Tokenizer.of(Vocabulary(tokens, []), ALGORITHMS["wordpiece"], config)
    assert tokenizer.cuts_words_like_bert
    texts = [f"{letter} a{letter}b {letter}{letter} z{letter}-{letter}Z" for letter in letters]
    same(Encoder(tokenizer), texts)
    same(Encoder(tokenizer), ["".join(letters[start : start + 7]) for start in range(0, len(letters), 5)])


def test_text_is_worked_on_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is cut does not show."""
    monkeypatch.setattr(encoding, "_CHARACTERS_AT_ONCE", 10)
    same(Encoder(tokenizer_of(lowercase=True)), ["the and", "", "a" * 30, "x", "y", "", "the é and", ""])


def test_the_memory_for_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full table is emptied, and all words are found again."""
    monkeypatch.setattr(encoding, "_MOST_WORDS", 3)
    encoder = Encoder(tokenizer_of(lowercase=True))
    for text in ("the and ab", "a b c d", "the a", "x y z the"):
        same(encoder, [text])
    assert len(encoder._table) <= 8


@pytest.mark.parametrize("kind", ["metaspace", "added token"])
def test_another_kind_of_tokenizer_is_asked_about_whole_sentences(kind: str) -> None:
    """Where a word's ids depend on what stands around it, nothing is remembered."""
    backend = tokenizers.Tokenizer(WordPiece({token: n for n, token in enumerate(TOKENS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = Metaspace() if kind == "metaspace" else BertPreTokenizer()
    if kind == "added token":
        backend.add_tokens(["ab cd"])
    encoder = Encoder(Tokenizer(backend))
    assert not encoder.tokenizer.cuts_words_like_bert
    same(encoder, ["the ab cd", "ab", " cd"])


@given(
    st.lists(st.binary(min_size=1, max_size=20).filter(lambda word: 0 not in word), unique=True, max_size=60)
)
def test_different_words_have_different_keys(words: list[bytes]) -> None:
    """Two keys tell words apart, whatever stands behind them."""
    text = b"".join(words) + bytes(8)
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    keys = word_keys(text, starts, lengths)
    assert len(set(zip(*(key.tolist() for key in keys), strict=True))) == len(words)
    again = word_keys(b"xy" + text, starts + 2, lengths)
    assert [key.tolist() for key in again] == [key.tolist() for key in keys]


def test_words_that_share_a_place_are_told_apart() -> None:
    """Neighbours in the table, equal first keys, and a table that has to grow."""
    table = WordTable()
    # Of neighbouring homes, two words for each, and more than the table has room for at first.
    first = np.repeat(np.arange(1300, dtype=np.uint64) << np.uint64(53), 2)
    second = np.tile(np.arange(2, dtype=np.uint64), 1300)
    counts = np.ones(10, dtype=np.int64)
    for start in range(0, len(first), 10):
        chosen = slice(start, start + 10)
        assert (table.find(first[chosen], second[chosen]) == -1).all()
        table.add(
            first[chosen], second[chosen], ids=np.arange(start, start + 10, dtype=np.uint32), counts=counts
        )
    assert table.find(first, second).tolist() == list(range(len(first)))
    ids, lengths = table.tokens(np.array([7, 3, 2599]))
    assert (ids.tolist(), lengths.tolist()) == ([7, 3, 2599], [1, 1, 1])


@pytest.mark.slow
def test_real_text_gets_the_ids_of_the_tokenizer(real_data: Path) -> None:
    """English and Korean, line by line."""
    encoder = Encoder(tokenizer_of(lowercase=True))
    paths = [path for name in ("wikitext-2", "docs-ko") for path in (real_data / "corpora" / name).iterdir()]
    for path in sorted(path for path in paths if path.suffix == ".txt"):
        same(encoder, path.read_text(encoding="utf-8").split("\n")[:2000])
