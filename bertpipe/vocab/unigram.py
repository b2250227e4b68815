"""Unigram pieces: each with a probability, and a word is cut into the most probable (Kudo 2018).

The trainer of ``tokenizers`` sums probabilities in the order of a hash map and gives other scores
on every run, with one thread too. That of ``sentencepiece``, fed with sorted words and kept to one
thread, repeats itself.
"""

import io
from collections.abc import Mapping
from typing import Any

from bertpipe import extras
from bertpipe.errors import ConfigError
from bertpipe.vocab.merging import OnTokens
from bertpipe.vocab.vocabulary import SPECIAL_TOKENS, Vocabulary, choose_alphabet

SPACE = "▁"  # what Metaspace writes for a space

# Longer words are no words but data; they teach nothing and cost much.
LONGEST_WORD = 1000

_ONE_THREAD_AS_IT_IS: dict[str, Any] = {
    "model_type": "unigram",
    "input_format": "tsv",
    "num_threads": 1,
    "normalization_rule_name": "identity",
    "add_dummy_prefix": False,
    "remove_extra_whitespaces": False,
    "split_by_unicode_script": False,
    "split_by_number": False,
    "character_coverage": 1.0,
    "hard_vocab_limit": False,
    "max_sentence_length": 2**20,
    "bos_id": -1,
    "eos_id": -1,
    "minloglevel": 3,
}


def train_unigram(
    words: Mapping[str, int],
    *,
    size: int,
    min_frequency: int = 1,
    limit_alphabet: int | None = None,
    alphabet_coverage: float = 1.0,
    on_tokens: OnTokens | None = None,
) -> Vocabulary:
    """Return the pieces that explain these words best, and their log probabilities.

    With few words the vocabulary is smaller than ``size``.

    Args:
        words: how often each word occurs, those at the start of a word marked; their order does not matter.
        size: number of tokens, special tokens included.
        min_frequency: not looked at: what is rare is not worth a piece anyway.
        limit_alphabet: how many different characters to keep; unset: all.
        alphabet_coverage: share of all characters after which no further ones are kept.
        on_tokens: told the number of tokens.

    Raises:
        ConfigError: ``size`` is too small for the alphabet, or ``sentencepiece`` is not installed.
    """
    alphabet = choose_alphabet(words, limit=limit_alphabet, coverage=alphabet_coverage)
    needed = len(SPECIAL_TOKENS) + len(alphabet.kept) + 1
    if needed > size:
        raise ConfigError(
            f"vocab.size = {size}: the alphabet alone needs {needed} ({len(alphabet.kept)} characters, "
            f"{len(SPECIAL_TOKENS)} special tokens, and a piece of more)",
            hint=f"set vocab.size to {needed} or more, or vocab.limit_alphabet or "
            "vocab.alphabet_coverage lower",
        )
    known = set(alphabet.kept)
    kept = {
        word: count for word, count in words.items() if len(word) <= LONGEST_WORD and known.issuperset(word)
    }
    pieces = _pieces(kept, number=size - len(SPECIAL_TOKENS))
    missing = {character: min(pieces.values(), default=0.0) for character in alphabet.kept}
    scores = dict.fromkeys(SPECIAL_TOKENS, 0.0) | missing | pieces
    ordered = [*SPECIAL_TOKENS, *pieces, *(character for character in missing if character not in pieces)]
    if on_tokens is not None:
        on_tokens(len(ordered))
    return Vocabulary(ordered, alphabet.kept, alphabet.dropped, scores=[scores[token] for token in ordered])


def _pieces(words: Mapping[str, int], *, number: int) -> dict[str, float]:
    """Return pieces with their log probabilities, the most probable first."""
    if not words:
        return {}
    library = extras.load("sentencepiece", extra="unigram", needed_by="vocab.algorithm = 'unigram'")
    written = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=(f"{word}\t{count}" for word, count in sorted(words.items())),
        model_writer=written,
        vocab_size=number + 1,  # with its own token for what is unknown
        **_ONE_THREAD_AS_IT_IS,
    )
    model = library.SentencePieceProcessor(model_proto=written.getvalue())
    found = range(1, model.get_piece_size())
    return {model.id_to_piece(piece_id): model.get_score(piece_id) for piece_id in found}
