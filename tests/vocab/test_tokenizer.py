"""The tokenizer folder, against Hugging Face's own classes."""

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertTokenizerFast

from bertpipe.errors import ArtifactError
from bertpipe.vocab import (
    ALGORITHMS,
    SPECIAL_TOKENS,
    NormalizationConfig,
    Tokenizer,
    count_pieces,
    count_words,
)

TEXT = """The naïve café owner said: "It's 3.14!" Straße, ΟΔΟΣ, İstanbul, ﬁne
한국어는 교착어이다. 오늘은 비가 왔다. 각 나라의 사람들
中文和日本語の文。 e\u0301 a\u0308 हिन्दी ไทย [MASK] [SEP] mask"""

ODD = "\t\r\x00\x1c\x85\xa0\u200b\u2028\u3000\u1112\u1161\u11ab\U0001f468\u200d\uac01"
CHARACTERS = st.sampled_from(TEXT + ODD) | st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=60) | st.lists(st.sampled_from([*SPECIAL_TOKENS, "a", " ", "한"])).map(
    "".join
)


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
    return Tokenizer.of(found.padded(16), row, config)


def build(text: str, *, lowercase: bool, size: int = 400) -> Tokenizer:
    return train(text, "wordpiece", NormalizationConfig(lowercase=lowercase), size=size)


@pytest.fixture(scope="module", params=[True, False], ids=["lowercase", "cased"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    build(TEXT, lowercase=request.param).save(path)
    return path


@pytest.fixture(scope="module")
def auto(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def plain(folder: Path) -> Any:
    lowercase = json.loads((folder / "tokenizer_config.json").read_text())["do_lower_case"]
    return bert_tokenizer(folder / "vocab.txt", lowercase=lowercase)


def bert_tokenizer(vocabulary: Path, *, lowercase: bool) -> Any:
    """Open ``vocab.txt`` alone, as the original BERT checkpoints are; special tokens stay text there too."""
    folder = vocabulary.parent / "plain"
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_bytes(vocabulary.read_bytes())
    return BertTokenizerFast.from_pretrained(folder, do_lower_case=lowercase, split_special_tokens=True)


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode([text]).ids.tolist()


def ids_by_hugging_face(tokenizer: Any, text: str) -> list[int]:
    found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return found


@given(text=TEXTS)
def test_ids_are_those_of_auto_tokenizer(folder: Path, auto: Any, text: str) -> None:
    """Hugging Face opens the folder and gives the same ids on any text."""
    assert ids_by_hugging_face(auto, text) == ids(Tokenizer.load(folder), text)


@given(text=TEXTS)
def test_ids_are_those_of_bert_where_bert_can_say_it(folder: Path, plain: Any, text: str) -> None:
    """With ``vocab.txt`` alone BertTokenizerFast agrees, unless NFC joins what stripping accents left."""
    ours = Tokenizer.load(folder)
    bert = plain.backend_tokenizer.normalizer.normalize_str(text)
    own = ours.normalize(text)
    if own == bert:
        assert ids_by_hugging_face(plain, text) == ids(ours, text)
    else:
        assert plain.do_lower_case


@pytest.mark.parametrize("text", ["The naïve café. [MASK]", "中文 x", "ΟΔΟΣ Straße", "a\x85b\u2028c"])
def test_bert_can_say_european_and_chinese_text(folder: Path, plain: Any, text: str) -> None:
    """Nothing but recomposition parts us from BertNormalizer."""
    ours = Tokenizer.load(folder)
    assert ours.normalize(text) == plain.backend_tokenizer.normalizer.normalize_str(text)
    assert ids_by_hugging_face(plain, text) == ids(ours, text)


def test_hugging_face_adds_what_bert_expects(folder: Path, auto: Any) -> None:
    """Pairs, token types, padding and decoding are those of BERT."""
    ours = Tokenizer.load(folder)
    encoded = auto(["mask", "mask"], ["the", "naive 한국"], padding=True)
    first = [ours.cls_id, *ids(ours, "mask"), ours.sep_id]
    second = [*ids(ours, "the"), ours.sep_id]
    row, types = encoded["input_ids"][0], encoded["token_type_ids"][0]
    assert row[: len(first) + len(second)] == first + second
    assert set(row[len(first) + len(second) :]) <= {ours.pad_id}
    assert types[: len(first) + len(second)] == [0] * len(first) + [1] * len(second)
    assert auto.decode(auto("mask")["input_ids"], skip_special_tokens=True) == "mask"
    assert (auto.mask_token_id, auto.model_max_length) == (ours.mask_id, 512)


def test_special_tokens_in_text_are_text(folder: Path) -> None:
    """A spelled special token never becomes its id."""
    tokenizer = Tokenizer.load(folder)
    found = ids(tokenizer, " ".join(SPECIAL_TOKENS) + "".join(SPECIAL_TOKENS))
    assert set(found).isdisjoint(set(tokenizer.special_ids) - {tokenizer.unk_id})
    assert tokenizer.tokens[found[0]] == "["


def test_a_saved_tokenizer_is_the_same(folder: Path, tmp_path: Path) -> None:
    """Loading and saving again writes the same bytes; tokens, ids and hash stay."""
    tokenizer = Tokenizer.load(folder)
    tokenizer.save(tmp_path)
    for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    assert tokenizer.content_hash() == Tokenizer.load(tmp_path).content_hash()
    assert tokenizer.tokens[:5] == list(SPECIAL_TOKENS)
    assert tokenizer.special_ids == (0, 1, 2, 3, 4)
    assert tokenizer.vocab_size == len(tokenizer.tokens) == (folder / "vocab.txt").read_bytes().count(b"\n")
    assert str(tmp_path) not in (tmp_path / "tokenizer_config.json").read_text()


def test_hash_tells_tokenizers_apart() -> None:
    """One other token, or another case rule, is another hash."""
    tokens = [*SPECIAL_TOKENS, "a", "b"]
    hashes = {
        Tokenizer.build(tokens, lowercase=True).content_hash(),
        Tokenizer.build(tokens, lowercase=False).content_hash(),
        Tokenizer.build([*SPECIAL_TOKENS, "b", "a"], lowercase=True).content_hash(),
    }
    assert len(hashes) == 3


def test_encode_keeps_texts_apart() -> None:
    """Ids come one text after another, with lengths, empty texts included."""
    tokenizer = Tokenizer.build([*SPECIAL_TOKENS, "a", "##b", "."], lowercase=True)
    encoded = tokenizer.encode(["AB.", "", "x a", " "])
    assert encoded.ids.tolist() == [5, 6, 7, 1, 5]
    assert encoded.lengths.tolist() == [3, 0, 2, 0]
    assert encoded.ids.dtype == np.uint32
    assert encoded.lengths.dtype == np.int64
    nothing = tokenizer.encode([])
    assert (nothing.ids.shape, nothing.lengths.shape) == ((0,), (0,))
    assert nothing.ids.dtype == np.uint32


@pytest.mark.parametrize("lowercase", [True, False])
def test_no_character_breaks_the_vocabulary_file(tmp_path: Path, lowercase: bool) -> None:
    """Every separator and control character of Unicode, and much else, leaves one token a line."""
    codes = [*range(0x3100), *range(0xD7F0, 0xD800), *range(0xE000, sys.maxunicode, 211)]
    words = {chr(code) for code in codes} | {f"a{chr(code)}b" for code in codes}
    tokenizer = build(" ".join(sorted(words)), lowercase=lowercase, size=60_000)
    tokenizer.save(tmp_path)
    content = (tmp_path / "vocab.txt").read_text(encoding="utf-8")
    assert content.splitlines() == tokenizer.tokens
    assert [line.strip() for line in content.split("\n")[:-1]] == tokenizer.tokens
    assert bert_tokenizer(tmp_path / "vocab.txt", lowercase=lowercase).get_vocab() == {
        token: token_id for token_id, token in enumerate(tokenizer.tokens)
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not a tokenizer folder"),
        (b"\xff", "is not a tokenizer folder"),
        (b"{}", "is not a tokenizer"),
        (b"not json", "is not a tokenizer"),
    ],
)
def test_a_folder_without_tokenizer_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    """Missing and broken files are named in one line."""
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=message) as caught:
        Tokenizer.load(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_tokenizer_without_special_tokens_is_refused(folder: Path, tmp_path: Path) -> None:
    """A tokenizer that was made for another model lacks the tokens, which are named."""
    content = json.loads((folder / "tokenizer.json").read_text())
    for token in ("[MASK]", "[SEP]"):
        number = content["model"]["vocab"].pop(token)
        content["model"]["vocab"][f"other{number}"] = number
    content["added_tokens"] = []
    content["post_processor"] = None
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=r"has no \[SEP\], \[MASK\]"):
        Tokenizer.load(tmp_path)


def lines_of(real_data: Path) -> Iterator[str]:
    """Yield some lines of real English, Korean and WikiText."""
    names = (
        "corpora/classic-books-en/Jane_Austen__Emma.md.gz",
        "corpora/docs-ko/react-docs-ko.txt",
        "corpora/movie-reviews-ko/nsmc-raw-by-movie.txt.gz",
        "corpora/wikitext-2/test.txt",
    )
    for name in names:
        path = real_data / name
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        yield from text.split("\n")[:3000]


@pytest.mark.parametrize("lowercase", [True, False])
def test_ids_agree_on_real_text(real_data: Path, tmp_path: Path, lowercase: bool) -> None:
    """On 12,000 real lines AutoTokenizer agrees everywhere, BertTokenizerFast wherever there is no Hangul."""
    lines = list(lines_of(real_data))
    build("\n".join(lines), lowercase=lowercase, size=6000).save(tmp_path)
    encoded = Tokenizer.load(tmp_path).encode(lines)
    ours = [row.tolist() for row in np.split(encoded.ids, np.cumsum(encoded.lengths)[:-1])]
    auto = AutoTokenizer.from_pretrained(tmp_path)(lines, add_special_tokens=False)["input_ids"]
    assert ours == auto
    plain = bert_tokenizer(tmp_path / "vocab.txt", lowercase=lowercase)(lines, add_special_tokens=False)[
        "input_ids"
    ]
    hangul = re.compile("[\u1100-\u11ff\uac00-\ud7ff]")
    compared = [i for i, line in enumerate(lines) if not (lowercase and hangul.search(line))]
    assert len(compared) > 5000
    assert [ours[i] for i in compared] == [plain[i] for i in compared]
