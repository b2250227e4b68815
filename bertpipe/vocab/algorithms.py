"""The algorithms that cut words into pieces: how each is trained, and what it is to ``tokenizers``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tokenizers import Regex, decoders, models
from tokenizers.pre_tokenizers import (
    BertPreTokenizer,
    ByteLevel,
    Digits,
    Metaspace,
    PreTokenizer,
    Sequence,
    Split,
    WhitespaceSplit,
)

from bertpipe.vocab.bpe import SPACE as BYTE_SPACE
from bertpipe.vocab.bpe import train_bpe
from bertpipe.vocab.merging import OnTokens
from bertpipe.vocab.unigram import SPACE as METASPACE
from bertpipe.vocab.unigram import train_unigram
from bertpipe.vocab.vocabulary import SPECIAL_TOKENS, UNK, Vocabulary
from bertpipe.vocab.wordpiece import CONTINUATION, train_wordpiece

_UNUSED = re.compile(r"\[unused\d+\]")


class Train(Protocol):
    """Trains a vocabulary: see ``train_wordpiece``."""

    def __call__(
        self,
        words: Mapping[str, int],
        *,
        size: int,
        min_frequency: int,
        limit_alphabet: int | None,
        alphabet_coverage: float,
        on_tokens: OnTokens | None,
    ) -> Vocabulary:
        """Return the vocabulary."""


@dataclass(frozen=True)
class Algorithm:
    """One way to cut words into pieces.

    Attributes:
        model_type: its name in ``tokenizer.json``.
        train: makes a vocabulary from counted words.
        model: makes the model of ``tokenizers`` from a vocabulary.
        words: how text is cut into words; a space always ends one, and none looks across it.
        digits: what also cuts around digits, where each is to be a word.
        ascii_word: finds the words in printable ASCII and spaces, where that is quicker to say.
        decoder: puts pieces together again.
        continues: whether a piece goes on with the word of the piece before.
    """

    model_type: str
    train: Train
    model: Callable[[Vocabulary], models.Model]
    words: tuple[PreTokenizer, ...]
    digits: PreTokenizer
    ascii_word: re.Pattern[str] | None
    decoder: decoders.Decoder
    continues: Callable[[str], bool]

    def pre_tokenizer(self, *, split_digits: bool) -> PreTokenizer:
        """Return how text is cut into words."""
        parts = [*self.words, self.digits] if split_digits else [*self.words]
        return Sequence(parts) if len(parts) > 1 else parts[0]

    def continues_word(self, token: str) -> bool:
        """Whether a token goes on with a word; neither special nor unused tokens do."""
        return self.continues(token) and token not in SPECIAL_TOKENS and not _UNUSED.fullmatch(token)


def _ids(vocabulary: Vocabulary) -> dict[str, int]:
    ids = {token: token_id for token_id, token in enumerate(vocabulary.tokens)}
    assert len(ids) == len(vocabulary.tokens), "a token stands twice in the vocabulary"
    return ids


ALGORITHMS = {
    "wordpiece": Algorithm(
        model_type="WordPiece",
        train=train_wordpiece,
        model=lambda vocabulary: models.WordPiece(_ids(vocabulary), unk_token=UNK),
        words=(BertPreTokenizer(),),
        digits=Digits(individual_digits=True),
        ascii_word=re.compile(r"[0-9A-Za-z]+|[!-~]"),
        decoder=decoders.WordPiece(),
        continues=lambda token: token.startswith(CONTINUATION),
    ),
    "bpe": Algorithm(
        model_type="BPE",
        train=train_bpe,
        model=lambda vocabulary: models.BPE(_ids(vocabulary), vocabulary.merges),
        # Cut at white space first, so that each word is marked in the same way wherever it stands.
        words=(WhitespaceSplit(), ByteLevel(add_prefix_space=True)),
        # After ByteLevel, lest each digit be marked as the start of a word: so only ASCII's are seen.
        digits=Split(Regex(f"{BYTE_SPACE}?[0-9]"), "isolated"),
        ascii_word=None,
        decoder=decoders.ByteLevel(),
        continues=lambda token: not token.startswith(BYTE_SPACE),
    ),
    "unigram": Algorithm(
        model_type="Unigram",
        train=train_unigram,
        model=lambda vocabulary: models.Unigram(
            list(zip(vocabulary.tokens, vocabulary.scores, strict=True)), vocabulary.tokens.index(UNK)
        ),
        # Signs are words of their own: a special token that is spelled in the text would be found whole.
        words=(WhitespaceSplit(), Metaspace(), Split(Regex(rf"{METASPACE}?[\p{{P}}$+<=>^`|~]"), "isolated")),
        digits=Split(Regex(rf"{METASPACE}?\p{{N}}"), "isolated"),
        ascii_word=None,
        decoder=decoders.Metaspace(),
        continues=lambda token: not token.startswith(METASPACE),
    ),
}


def algorithm_of(model_type: str) -> Algorithm | None:
    """Return the algorithm of a model in ``tokenizer.json``, if it is one of ours."""
    return next((one for one in ALGORITHMS.values() if one.model_type == model_type), None)
