"""Each algorithm as a tokenizer folder, against Hugging Face's ``AutoTokenizer``."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertTokenizerFast

from bertpipe.vocab import (
    ALGORITHMS,
    SPECIAL_TOKENS,
    NormalizationConfig,
    Tokenizer,
    count_pieces,
    count_words,
)

TEXT = """The naïve café owner said: "It's 3.14!" Straße, ΟΔΟΣ, İstanbul, ﬁne, in 2026 2026 2026
한국어는 교착어이다. 오늘은 비가 왔다. 각 나라의 사람들
中文和日本語の文。 e\u0301 a\u0308 हिन्दी ไทย [MASK] [SEP] [unused0] mask"""

ODD = "\t\r\x00\x1c\x85\xa0\u200b\u2028\u3000\u1112\u1161\u11ab\U0001f468\u200d\uac01Ġ▁"
CHARACTERS = st.sampled_from(TEXT + ODD) | st.characters(exclude_categories=["Cs"])
SPELLED = st.lists(st.sampled_from([*SPECIAL_TOKENS, "[unused0]", "a", " ", "한"])).map("".join)
CONFIGS = {
    "uncased": NormalizationConfig(),
    "nfkc-digits": NormalizationConfig(lowercase=False, unicode_form="nfkc", split_digits=True),
    "as-it-is": NormalizationConfig(lowercase=False, clean_text=False, handle_chinese_chars=False),
}

Make = Callable[[str, str], Path]


def train(text: str, algorithm: str, config: NormalizationConfig, *, size: int) -> Tokenizer:
    row = ALGORITHMS[algorithm]
    found = row.train(
        count_words(count_pieces([text]).by_piece(), row, config),
        size=size,
        min_frequency=1,
        limit_alphabet=None,
        alphabet_coverage=1.0,
        on_tokens=None,
    )
    return Tokenizer.of(found.padded(64), row, config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Make:
    made: dict[tuple[str, str], Path] = {}

    def make(algorithm: str, config: str) -> Path:
        if (algorithm, config) not in made:
            path = tmp_path_factory.mktemp(f"{algorithm}-{config}")
            train(TEXT, algorithm, CONFIGS[config], size=400).save(path)
            made[algorithm, config] = path
        return made[algorithm, config]

    return make


@pytest.fixture(params=list(CONFIGS))
def config(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(ALGORITHMS))
def algorithm(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode([text]).ids.tolist()


def test_ids_are_those_of_auto_tokenizer(folder: Make, algorithm: str, config: str) -> None:
    """Hugging Face opens the folder and gives the same ids on any text."""
    path = folder(algorithm, config)
    ours, auto = Tokenizer.load(path), AutoTokenizer.from_pretrained(path)

    @given(text=st.text(CHARACTERS, max_size=60) | SPELLED)
    def agree(text: str) -> None:
        assert auto(text, add_special_tokens=False)["input_ids"] == ids(ours, text)

    agree()


def test_special_and_unused_tokens_in_text_are_text(folder: Make, algorithm: str, config: str) -> None:
    """However it is spelled, text never becomes an id that stands for no text."""
    path = folder(algorithm, config)
    ours = Tokenizer.load(path)
    reserved = {number for number, token in enumerate(ours.tokens) if token.startswith("[unused")}
    assert reserved
    reserved.update(set(ours.special_ids) - {ours.unk_id})

    @given(text=SPELLED)
    def stay(text: str) -> None:
        assert reserved.isdisjoint(ids(ours, text))

    stay()


def test_a_folder_serves_bert(folder: Make, algorithm: str) -> None:
    """Pairs stand between the special tokens, which have the first ids; lengths fill a multiple."""
    path = folder(algorithm, "uncased")
    ours, auto = Tokenizer.load(path), AutoTokenizer.from_pretrained(path)
    first, second = ids(ours, "the mask"), ids(ours, "오늘은")
    assert auto("the mask", "오늘은")["input_ids"] == [
        ours.cls_id,
        *first,
        ours.sep_id,
        *second,
        ours.sep_id,
    ]
    assert ours.special_ids == (0, 1, 2, 3, 4)
    assert ours.vocab_size % 64 == 0
    assert auto.decode(auto("the mask")["input_ids"], skip_special_tokens=True).strip() == "the mask"
    assert (path / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1] == ours.tokens


def test_words_begin_where_the_text_has_them(folder: Make, algorithm: str) -> None:
    """Of words apart by spaces, each begins with a piece that continues nothing, the others continue."""
    ours = Tokenizer.load(folder(algorithm, "uncased"))
    words = ["owner", "nowhere", "한국어", "오늘은", "교착어", "sai"]
    encoded = ours.encode(words)
    starts = np.cumsum(encoded.lengths) - encoded.lengths
    expected = np.ones(len(encoded.ids), dtype=bool)
    expected[starts] = False
    assert ours.continues_word.dtype == np.bool_
    assert ours.continues_word.shape == (ours.vocab_size,)
    assert (ours.continues_word[encoded.ids] == expected).all()
    assert expected.any()
    assert ours.encode([" ".join(words)]).ids.tolist() == encoded.ids.tolist()
    apart = [*ours.special_ids, *(n for n, token in enumerate(ours.tokens) if token.startswith("[unused"))]
    assert not ours.continues_word[apart].any()


def test_digits_are_words_where_asked_for(folder: Make, algorithm: str) -> None:
    """With the switch on, no piece holds two digits; off, a year may be one."""
    text = "2026 a20 3.14"
    split = Tokenizer.load(folder(algorithm, "nfkc-digits"))
    pieces = [split.tokens[token_id] for token_id in ids(split, text)]
    assert [sum(character.isdigit() for character in piece) for piece in pieces].count(1) == 9
    whole = Tokenizer.load(folder(algorithm, "uncased"))
    if algorithm != "unigram":  # which makes no piece of what occurs in one word only
        assert any("2026" in token for token in whole.tokens)
    assert not any("20" in token for token in split.tokens if not token.startswith("[unused"))


def test_no_character_is_unknown_to_bytes(folder: Make) -> None:
    """Byte-level BPE has an id for all there is in Unicode."""
    ours = Tokenizer.load(folder("bpe", "as-it-is"))

    @given(text=st.text(st.characters(exclude_categories=["Cs"])))
    def known(text: str) -> None:
        assert ours.unk_id not in ids(ours, text)

    known()


def unknown_rate(found: list[list[int]], unk_id: int) -> float:
    flat = [token_id for row in found for token_id in row]
    return flat.count(unk_id) / len(flat)


def test_korean_stays_known_on_real_text(real_data: Path, tmp_path: Path) -> None:
    """On reviews not trained on, each algorithm knows nearly all; BERT's own reader of the same file nothing.

    ``BertTokenizerFast`` takes Hangul apart when it lower-cases, as google-research/bert does.
    """
    path = real_data / "corpora/movie-reviews-ko/nsmc-raw-by-movie.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stored:
        lines = [line.strip() for line, _ in zip(stored, range(9000), strict=False)]
    text, others = "\n".join(lines[:8000]), [line for line in lines[8000:] if line]
    for algorithm in ALGORITHMS:
        ours = train(text, algorithm, NormalizationConfig(), size=4000)
        assert unknown_rate([ids(ours, line) for line in others], ours.unk_id) < 0.01
    wordpiece = train(text, "wordpiece", NormalizationConfig(), size=4000)
    wordpiece.save(tmp_path)
    (tmp_path / "plain").mkdir()
    (tmp_path / "vocab.txt").rename(tmp_path / "plain/vocab.txt")
    bert: Any = BertTokenizerFast.from_pretrained(tmp_path / "plain", do_lower_case=True)
    theirs = bert(others, add_special_tokens=False)["input_ids"]
    assert unknown_rate(theirs, bert.unk_token_id) > 0.5
