"""A tokenizer folder in Hugging Face's layout, and the ids of text."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing

from bertpipe.artifacts import write_json
from bertpipe.errors import ArtifactError
from bertpipe.vocab.algorithms import ALGORITHMS, Algorithm, algorithm_of
from bertpipe.vocab.normalization import NormalizationConfig, normalizer
from bertpipe.vocab.offsets import Offsets, offsets_in_texts
from bertpipe.vocab.vocabulary import CLS, MASK, PAD, SEP, SPECIAL_TOKENS, UNK, Vocabulary

TOKENIZER_FILE = "tokenizer.json"
VOCABULARY_FILE = "vocab.txt"
CONFIG_FILE = "tokenizer_config.json"

_MODEL_MAX_LENGTH = 512  # positions of BERT's models

# Normalizers that neither look across a space nor make one of a printable ASCII character.
_WITHIN_WORDS = {"BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"}


@dataclass(frozen=True)
class Encoded:
    """Ids of many texts, one after another.

    Attributes:
        ids: token ids, uint32 ``[T]``.
        lengths: number of tokens of each text, int64 ``[N]``; their sum is ``T``.
    """

    ids: NDArray[np.uint32]
    lengths: NDArray[np.int64]


@dataclass(frozen=True)
class Located(Encoded):
    """Ids of many texts, with the characters that they stand for.

    Attributes:
        offsets: the first character of each token and the one behind its last, int64 ``[T, 2]``.
    """

    offsets: Offsets


class Tokenizer:
    """Turns text into ids of a fixed vocabulary. Special tokens spelled in a text stay text."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        """Wrap a tokenizer that holds the five special tokens; see ``build`` and ``load``."""
        backend.encode_special_tokens = True
        backend.no_padding()
        backend.no_truncation()
        self._backend = backend

    @classmethod
    def build(cls, tokens: Sequence[str], *, lowercase: bool) -> "Tokenizer":
        """Return a WordPiece tokenizer with these tokens, ids in their order.

        Args:
            tokens: the vocabulary; holds the special tokens, no token twice.
            lowercase: whether to lower the case and strip accents.
        """
        return cls.of(
            Vocabulary(list(tokens), []), ALGORITHMS["wordpiece"], NormalizationConfig(lowercase=lowercase)
        )

    @classmethod
    def of(cls, vocabulary: Vocabulary, algorithm: Algorithm, config: NormalizationConfig) -> "Tokenizer":
        """Return a tokenizer with BERT's template around its text, ids in the order of the tokens.

        Args:
            vocabulary: holds the special tokens.
            algorithm: the one that has made it.
            config: what happens to text before it is cut.
        """
        backend = tokenizers.Tokenizer(algorithm.model(vocabulary))
        backend.add_special_tokens(list(SPECIAL_TOKENS))
        backend.normalizer = normalizer(config)
        backend.pre_tokenizer = algorithm.pre_tokenizer(split_digits=config.split_digits)
        backend.post_processor = TemplateProcessing(
            single=f"{CLS} $A {SEP}",
            pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
            special_tokens=[(token, vocabulary.tokens.index(token)) for token in (CLS, SEP)],
        )
        backend.decoder = algorithm.decoder
        return cls(backend)

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        """Open a tokenizer folder.

        Raises:
            ArtifactError: it holds no ``tokenizer.json`` that we can use.
        """
        path = folder / TOKENIZER_FILE
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise ArtifactError(
                f"{folder} is not a tokenizer folder: {TOKENIZER_FILE} cannot be read",
                hint="name an output of 'bertpipe vocab'",
            ) from None
        try:
            backend = tokenizers.Tokenizer.from_str(content)
        except Exception as error:  # tokenizers raises bare Exception for content it cannot read
            raise ArtifactError(
                f"{path} is not a tokenizer: {error}", hint="name an output of 'bertpipe vocab'"
            ) from None
        missing = [token for token in SPECIAL_TOKENS if backend.token_to_id(token) is None]
        if missing:
            raise ArtifactError(
                f"{path} has no {', '.join(missing)}", hint="name a tokenizer that was made for BERT"
            )
        return cls(backend)

    def save(self, folder: Path) -> None:
        """Write the files that Hugging Face's ``AutoTokenizer`` reads."""
        (folder / TOKENIZER_FILE).write_text(self._json, encoding="utf-8", newline="\n")
        vocabulary = "".join(f"{token}\n" for token in self.tokens)
        (folder / VOCABULARY_FILE).write_text(vocabulary, encoding="utf-8", newline="\n")
        write_json(folder / CONFIG_FILE, self._config())

    @property
    def vocab_size(self) -> int:
        """Number of tokens, special tokens included."""
        return self._backend.get_vocab_size()

    @property
    def tokens(self) -> list[str]:
        """All tokens by id."""
        vocabulary = self._backend.get_vocab()
        return sorted(vocabulary, key=vocabulary.__getitem__)

    @property
    def pad_id(self) -> int:
        """Id of ``[PAD]``."""
        return self._id(PAD)

    @property
    def unk_id(self) -> int:
        """Id of ``[UNK]``."""
        return self._id(UNK)

    @property
    def cls_id(self) -> int:
        """Id of ``[CLS]``."""
        return self._id(CLS)

    @property
    def sep_id(self) -> int:
        """Id of ``[SEP]``."""
        return self._id(SEP)

    @property
    def mask_id(self) -> int:
        """Id of ``[MASK]``."""
        return self._id(MASK)

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids of all special tokens, sorted."""
        return tuple(sorted(self._id(token) for token in SPECIAL_TOKENS))

    @property
    def continues_word(self) -> NDArray[np.bool_]:
        """Whether each id goes on with the word of the id before, bool ``[V]``.

        For masking whole words: where no piece marks words (a model that is none of ours), each
        piece is a word. With BPE and Unigram signs belong to the word that they follow.
        """
        algorithm = algorithm_of(type(self._backend.model).__name__)
        if algorithm is None:
            return np.zeros(self.vocab_size, dtype=np.bool_)
        return np.fromiter(map(algorithm.continues_word, self.tokens), np.bool_, count=self.vocab_size)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Return the ids of each text, without special tokens."""
        return joined(self.ids_of_texts(texts))

    def ids_of_texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text as a list, without special tokens."""
        encodings = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def locate(self, texts: Sequence[str]) -> Located:
        """Return the ids of each text, without special tokens, and which characters each stands for."""
        encodings = self._backend.encode_batch(list(texts), add_special_tokens=False)
        encoded = joined([encoding.ids for encoding in encodings])
        offsets = offsets_in_texts(encodings, encoded.lengths, texts)
        return Located(encoded.ids, encoded.lengths, offsets)

    def normalize(self, text: str) -> str:
        """Return the text as it is before it is cut into words."""
        normalizer = self._backend.normalizer
        return normalizer.normalize_str(text) if normalizer is not None else text

    def ids_of_words(self, words: Iterable[str]) -> Iterator[list[int]]:
        """Yield the ids of each word; words are normalised and cut already."""
        tokenize = self._backend.model.tokenize  # to ask for the model costs as much as a word
        known = self._whole_words
        for word in words:
            token_id = known.get(word)
            yield [token.id for token in tokenize(word)] if token_id is None else [token_id]

    @property
    def cuts_words_like_bert(self) -> bool:
        """Whether a space always ends a word, and an ASCII sign always is one: see ``Encoder``."""
        added = self._backend.get_added_tokens_decoder().values()
        return (
            _described(self._backend.pre_tokenizer) == {"type": "BertPreTokenizer"}
            and {part["type"] for part in self._normalizers()} <= _WITHIN_WORDS
            and {token.content for token in added} <= set(SPECIAL_TOKENS)
        )

    @cached_property
    def _whole_words(self) -> dict[str, int]:
        """Tokens of which the model makes no smaller ones, with their ids; none but of WordPiece."""
        model = self._backend.model
        if not isinstance(model, WordPiece):
            return {}
        longest = model.max_input_chars_per_word
        return {
            token: token_id for token, token_id in self._backend.get_vocab().items() if len(token) <= longest
        }

    def content_hash(self) -> str:
        """Return a sha256 of what ``tokenizer.json`` holds: two that agree give the same ids."""
        return hashlib.sha256(self._json.encode()).hexdigest()

    def _id(self, token: str) -> int:
        token_id = self._backend.token_to_id(token)
        assert token_id is not None, f"no {token}"
        return token_id

    @cached_property
    def _json(self) -> str:
        return self._backend.to_str(pretty=True) + "\n"

    def _config(self) -> dict[str, Any]:
        # The generic class, in transformers 4 and 5 alike: BertTokenizer builds its own normalizer
        # from do_lower_case, which takes Hangul apart.
        return {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": _MODEL_MAX_LENGTH,
            "do_lower_case": self._lowercases(),
            "split_special_tokens": True,
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
            "pad_token": PAD,
            "unk_token": UNK,
            "cls_token": CLS,
            "sep_token": SEP,
            "mask_token": MASK,
        }

    def _lowercases(self) -> bool:
        return any(part.get("lowercase", False) for part in self._normalizers())

    def _normalizers(self) -> list[dict[str, Any]]:
        """Return what ``tokenizer.json`` says of each step of the normalizer."""
        described = _described(self._backend.normalizer)
        parts: list[dict[str, Any]] = described.get("normalizers", [described] if described else [])
        return parts


def _described(part: Any) -> dict[str, Any]:
    """Return what ``tokenizer.json`` says of a part that is not the model; nothing where there is none."""
    described: dict[str, Any] = json.loads(part.__getstate__()) if part is not None else {}
    return described


def joined(rows: Sequence[Sequence[int]]) -> Encoded:
    """Return the ids of many texts, one after another."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    flat = chain.from_iterable(rows)
    return Encoded(np.fromiter(flat, dtype=np.uint32, count=int(lengths.sum())), lengths)
