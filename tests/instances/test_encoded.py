"""The encoded corpus holds the tokens of the text, in order."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.artifacts import growing_files
from bertpipe.corpus import CorpusConfig, Part
from bertpipe.corpus.reading.pieces import Texts
from bertpipe.corpus.reading.texts import Parsed
from bertpipe.instances.encoded import (
    ENCODED_FILES,
    EncodedCorpus,
    EncodedPart,
    append,
    cut_evenly,
    encode_part,
    spans_of,
)
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

WORDS = [f"w{letter}" for letter in "abcdefgh"]
LINES = CorpusConfig(sentences="lines")


@pytest.fixture(scope="module")
def vocab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of eight words."""
    folder = tmp_path_factory.mktemp("vocab")
    Tokenizer.build([*SPECIAL_TOKENS, *WORDS], lowercase=True).save(folder)
    return folder


def encode(
    documents: list[list[str]],
    vocab: Path,
    *,
    keep: list[bool] | None = None,
    max_tokens: int = 20,
    seed: int = 0,
) -> EncodedPart:
    part = Part((Texts(Parsed(documents, replaced=3)),), read_bytes=17)
    item = part, None if keep is None else np.array(keep)
    return encode_part(item, vocab=vocab, corpus_config=LINES, max_tokens=max_tokens, seed=seed)


@given(st.lists(st.integers(0, 500), max_size=20), st.integers(5, 40))
def test_cut_sentences_keep_all_their_tokens(lengths: list[int], max_tokens: int) -> None:
    """Only what is too long is cut, evenly, so that two spans fit; empty sentences vanish."""
    spans = spans_of(np.array(lengths, dtype=np.int64), max_tokens=max_tokens)
    pieces = cut_evenly(np.array(lengths, dtype=np.int64), spans).tolist()
    position = 0
    for length, count in zip(lengths, spans.tolist(), strict=True):
        own = pieces[position : position + count]
        assert sum(own) == length
        if length > max_tokens:
            assert max(own) <= max_tokens // 2
            assert max(own) - min(own) <= 1
        else:
            assert count == (length > 0)
        position += count
    assert position == len(pieces)


def test_a_part_is_counted_as_it_is(vocab: Path) -> None:
    """Sentences, unknown words, and a document of which no token is left."""
    part = encode([["wa wb", "wc zz"], ["\u0001"], ["wd " * 50]], vocab)
    first = len(SPECIAL_TOKENS)
    unknown = SPECIAL_TOKENS.index("[UNK]")
    assert part.ids[:4].tolist() == [first, first + 1, first + 2, unknown]
    assert part.ids.dtype == np.uint16
    assert part.sentence_lengths.tolist() == [2, 2, 10, 10, 10, 10, 10]
    assert part.sentence_counts.tolist() == [2, 0, 5]
    assert (part.sentences, part.cut_sentences, part.unknown) == (4, 1, 1)
    assert (part.replaced, part.read_bytes) == (3, 17)


def test_equal_documents_draw_alike(vocab: Path) -> None:
    """The draw depends on the content and the seed only, and on where the sentences end."""
    one = encode([["wa wb", "wc"], ["wa", "wb wc"], ["wa wb", "wc"]], vocab).draws.tolist()
    assert one[0] == one[2] != one[1]
    assert encode([["wa wb", "wc"]], vocab, seed=1).draws.tolist() != one[:1]


def test_documents_that_cleaning_took_are_left_out(vocab: Path) -> None:
    """What is encoded is what stays."""
    documents = [["wa wb"], ["wc"], ["wd we", "wf"]]
    left = encode(documents, vocab, keep=[True, False, True])
    assert left.ids.tolist() == encode([documents[0], documents[2]], vocab).ids.tolist()
    assert left.sentence_counts.tolist() == [1, 2]


def test_parts_follow_each_other_in_the_files(vocab: Path, tmp_path: Path) -> None:
    """However documents come in parts, the mapped corpus is the same."""
    documents = [["wa wb", "wc"], ["\u0001"], ["wd we wf wg", "wh"], ["wa"]]
    for name, parts in {"one": [documents], "many": [[document] for document in documents]}.items():
        with growing_files(tmp_path / name, ENCODED_FILES) as files:
            tokens = 0
            for part in parts:
                encoded = encode(part, vocab)
                append(encoded, files, tokens=tokens)
                tokens += len(encoded.ids)
                files.finish_item({})
    one, many = (EncodedCorpus.open(tmp_path / name, vocab_size=13) for name in ("one", "many"))
    assert one.ids.tolist() == many.ids.tolist()
    assert one.sentence_bounds.tolist() == many.sentence_bounds.tolist() == [0, 2, 3, 7, 8, 9]
    assert one.document_bounds.tolist() == many.document_bounds.tolist() == [0, 2, 2, 4, 5]
    assert one.draws.tolist() == many.draws.tolist()
    assert one.token_counts().tolist() == [3, 0, 5, 1]
