"""Examples as token ids, against Hugging Face's tokenizer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bertpipe.tasks.inputs import encode_texts
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

PIECES = ["un", "##able", "##s", "a", "b", "c", "!", "é", "dog", "##g", "[", "]"]
TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *PIECES], lowercase=False)
WORDS = ["a", "b", "c", "dogs", "unable", "!", "é", "zebra", "[SEP]", "[MASK]"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """The saved tokenizer, as ``transformers`` opens it."""
    folder = tmp_path_factory.mktemp("tokenizer")
    TOKENIZER.save(folder)
    tokenizer: Callable[..., Any] = AutoTokenizer.from_pretrained(folder)
    return tokenizer


@given(texts=st.lists(TEXTS, min_size=1, max_size=2), max_seq_length=st.integers(8, 40))
def test_ids_and_types_are_those_of_hugging_face(
    texts: list[str], max_seq_length: int, theirs: Callable[..., Any]
) -> None:
    """One text or two, cut or not: AutoTokenizer(truncation=True) gives the same."""
    expected = theirs(*texts, truncation=True, max_length=max_seq_length)
    features = encode_texts([tuple(texts)], TOKENIZER, max_seq_length=max_seq_length)
    assert features.input_ids[0].tolist() == expected["input_ids"]
    batch = features.batch(np.array([0]))
    assert batch.token_type_ids.tolist() == expected["token_type_ids"]


@st.composite
def alike(draw: st.DrawFn) -> list[tuple[str, ...]]:
    """Sequences of as many texts, of which some are empty."""
    texts = draw(st.integers(1, 2))
    one = st.tuples(*[TEXTS | st.just("")] * texts)
    return draw(st.lists(one, min_size=1, max_size=6))


@given(sequences=alike(), max_seq_length=st.integers(8, 24))
def test_many_sequences_are_encoded_as_each_alone(
    sequences: list[tuple[str, ...]], max_seq_length: int
) -> None:
    """What stands before or behind a sequence does not change it; alone it is as Hugging Face has it."""
    features = encode_texts(sequences, TOKENIZER, max_seq_length=max_seq_length)
    alone = [encode_texts([texts], TOKENIZER, max_seq_length=max_seq_length) for texts in sequences]
    assert [ids.tolist() for ids in features.input_ids] == [one.input_ids[0].tolist() for one in alone]
    assert features.truncated == sum(one.truncated for one in alone)
    assert features.first_segment_lengths.tolist() == [int(one.first_segment_lengths[0]) for one in alone]


@given(first=st.integers(0, 30), second=st.integers(0, 30), max_seq_length=st.integers(8, 24))
def test_a_cut_pair_is_full_and_keeps_beginnings(first: int, second: int, max_seq_length: int) -> None:
    """No place is wasted, each text keeps its beginning, and the longer one is cut first."""
    features = encode_texts([("a " * first, "b " * second)], TOKENIZER, max_seq_length=max_seq_length)
    a, b = (TOKENIZER.tokens.index(token) for token in "ab")
    ids = features.input_ids[0].tolist()
    kept_first, kept_second = ids.count(a), ids.count(b)
    sep = TOKENIZER.sep_id
    assert ids == [TOKENIZER.cls_id, *[a] * kept_first, sep, *[b] * kept_second, sep]
    assert len(ids) == min(max_seq_length, first + second + 3) == features.lengths[0]
    assert features.first_segment_lengths[0] == kept_first + 2
    assert features.truncated == int(first + second + 3 > max_seq_length)
    if kept_first < first and kept_second == second:
        assert kept_first >= kept_second - 1
    if kept_first < first and kept_second < second:
        assert abs(kept_first - kept_second) <= 1


def test_many_examples_keep_their_places() -> None:
    """Lengths, truncation count and batches follow the order of the examples asked for."""
    texts = [("a",), ("a b c a b c a b c",), ("dogs !",)]
    features = encode_texts(texts, TOKENIZER, max_seq_length=8)
    assert features.lengths.tolist() == [3, 8, 5] and features.truncated == 1
    batch = features.batch(np.array([2, 0]))
    assert batch.starts.tolist() == [0, 5]
    assert batch.input_ids.tolist() == [*features.input_ids[2].tolist(), *features.input_ids[0].tolist()]
