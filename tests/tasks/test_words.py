"""Words as pieces in windows, against Hugging Face's tokenizers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bertpipe.tasks import describe, kind_of
from bertpipe.tasks.formats import Sentence
from bertpipe.tasks.words import WordInputs, encode_words
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

PIECES = ["un", "##able", "##s", "a", "b", "c", "!", "dog", "##g", "서", "##울", "##에", "가"]
TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *PIECES], lowercase=False)
WORDS = st.sampled_from(["a", "b!", "c", "dogs", "unables", "!", "zebra", "doggggggggggg", "[SEP]"])


def sentence(*words: str, glued: tuple[bool, ...] = ()) -> Sentence:
    return Sentence("0", words, None, "p:1", glued)


def pieces(inputs: WordInputs) -> list[str]:
    """Return the piece that stands for each word."""
    ids = np.concatenate(inputs.input_ids)[inputs.word_tokens]
    return [TOKENIZER.tokens[number] for number in ids]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """The saved tokenizer, as ``transformers`` opens it."""
    folder = tmp_path_factory.mktemp("tokenizer")
    TOKENIZER.save(folder)
    tokenizer: Callable[..., Any] = AutoTokenizer.from_pretrained(folder)
    return tokenizer


def encoded_by(theirs: Callable[..., Any], sentences: list[Sentence], *, max_seq_length: int) -> Any:
    return theirs(
        [list(s.words) for s in sentences],
        is_split_into_words=True,
        truncation=True,
        max_length=max_seq_length,
        stride=(max_seq_length - 2) // 2,
        return_overflowing_tokens=True,
    )


@given(
    words=st.lists(st.lists(WORDS, min_size=1, max_size=12), min_size=1, max_size=4),
    max_seq_length=st.integers(8, 24),
)
def test_windows_are_those_of_hugging_face(
    words: list[list[str]], max_seq_length: int, theirs: Callable[..., Any]
) -> None:
    """Each is one of theirs with half of a window as stride; a word's place is its first piece, seen best."""
    sentences = [sentence(*some) for some in words]
    expected = encoded_by(theirs, sentences, max_seq_length=max_seq_length)
    inputs = encode_words(sentences, TOKENIZER, max_seq_length=max_seq_length)
    windows = list(zip(expected["overflow_to_sample_mapping"], expected["input_ids"], strict=True))
    found = list(zip(inputs.example_numbers.tolist(), map(np.ndarray.tolist, inputs.input_ids), strict=True))
    assert found == windows or all(window in windows for window in found)
    assert inputs.truncated == 0 and inputs.lengths.max() <= max_seq_length
    _see_places(sentences, inputs, expected, windows, found)


def _see_places(
    sentences: list[Sentence],
    inputs: WordInputs,
    expected: Any,
    windows: list[tuple[int, list[int]]],
    found: list[tuple[int, list[int]]],
) -> None:
    """Each word, in their order, stands at the first of its pieces, where the nearer end is farthest."""
    words = [(n, w) for n, s in enumerate(sentences) for w in range(len(s.words))]
    for (number, word), sequence, place in zip(words, inputs.word_sequences, inputs.word_places, strict=True):
        contexts = {}
        for window, (sample, ids) in enumerate(windows):
            at = expected.word_ids(window)
            first = at.index(word) if sample == number and word in at else None
            if first is not None and expected[window].offsets[first][0] == 0:
                contexts[window] = (min(first - 1, len(ids) - 2 - first), first)
        best = max(context for context, _ in contexts.values())
        assert (found[sequence], (best, place)) in [
            (windows[window], context) for window, context in contexts.items()
        ]


def test_every_word_has_a_piece() -> None:
    """Control characters and nothing at all become [UNK], each a piece of its own."""
    inputs = encode_words([sentence("a", "", "\u200b\x00", "dogs")], TOKENIZER, max_seq_length=16)
    assert pieces(inputs) == ["a", "[UNK]", "[UNK]", "dog"]
    assert inputs.opens_piece.tolist() == [True] * 4


def test_characters_share_the_pieces_of_their_word() -> None:
    """A piece stands for all its characters, and is opened by the first of them."""
    glued = (False, True, True, False, False, True, True, False)
    inputs = encode_words([sentence(*"서울에가dog\u200b", glued=glued)], TOKENIZER, max_seq_length=16)
    assert pieces(inputs) == ["서", "##울", "##에", "가", "dog", "dog", "dog", "[UNK]"]
    assert inputs.opens_piece.tolist() == [True, True, True, True, True, False, False, True]


def test_a_character_that_vanishes_goes_with_its_neighbour() -> None:
    """It has the piece before it; at the start the first one."""
    inputs = encode_words(
        [sentence(*"\x00서\x00울\x00", glued=(False, True, True, True, True))], TOKENIZER, max_seq_length=16
    )
    assert pieces(inputs) == ["서", "서", "서", "##울", "##울"]


def test_a_long_word_is_not_cut() -> None:
    """Twenty characters in windows of six pieces: each is seen, each with a piece of its own."""
    inputs = encode_words([sentence("a", "dog" + "g" * 19, "b")], TOKENIZER, max_seq_length=8)
    assert pieces(inputs) == ["a", "dog", "b"]
    letters = tuple("dogg" + "g" * 16)
    glued = (False, *[True] * 19)
    inputs = encode_words([sentence(*letters, glued=glued)], TOKENIZER, max_seq_length=8)
    assert pieces(inputs) == ["dog"] * 3 + ["##g"] * 17
    assert inputs.opens_piece.tolist() == [True, False, False] + [True] * 17


@pytest.mark.slow
def test_real_sentences_have_the_ids_of_hugging_face(real_data: Path, tmp_path: Path) -> None:
    """All of English Web Treebank's dev set in characters, whole sentences and windows of sixteen."""
    described = describe("ud-english-ewt-pos", {})
    sentences = kind_of(described).read(real_data / "pos" / "UD_English-EWT", "dev", described)
    letters = sorted({letter for s in sentences for word in s.words for letter in word.lower()})
    tokenizer = Tokenizer.build([*SPECIAL_TOKENS, *letters, *(f"##{x}" for x in letters)], lowercase=True)
    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for length in (512, 16):
        expected = encoded_by(theirs, sentences, max_seq_length=length)
        inputs = encode_words(sentences, tokenizer, max_seq_length=length)
        windows = {
            *zip(expected["overflow_to_sample_mapping"], map(tuple, expected["input_ids"]), strict=True)
        }
        found = [tuple(ids.tolist()) for ids in inputs.input_ids]
        assert {*zip(inputs.example_numbers.tolist(), found, strict=True)} <= windows
        assert len(inputs.word_tokens) == sum(len(s.words) for s in sentences)
