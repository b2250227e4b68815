"""A tokenizer folder in Hugging Face's layout, and the ids of text."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing

from bertpipe.artifacts import write_json
from bertpipe.errors import ArtifactError
from bertpipe.vocab.normalization import normalizer, pre_tokenizer
from bertpipe.vocab.wordpiece import CLS, MASK, PAD, SEP, SPECIAL_TOKENS, UNK

TOKENIZER_FILE = "tokenizer.json"
VOCABULARY_FILE = "vocab.txt"
CONFIG_FILE = "tokenizer_config.json"

_MODEL_MAX_LENGTH = 512  # positions of BERT's models


@dataclass(frozen=True)
class Encoded:
    """Ids of many texts, one after another.

    Attributes:
        ids: token ids, uint32 ``[T]``.
        lengths: number of tokens of each text, int64 ``[N]``; their sum is ``T``.
    """

    ids: NDArray[np.uint32]
    lengths: NDArray[np.int64]


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
            lowercase: see ``normalization.normalizer``.
        """
        vocabulary = {token: token_id for token_id, token in enumerate(tokens)}
        assert len(vocabulary) == len(tokens), "a token stands twice in the vocabulary"
        backend = tokenizers.Tokenizer(WordPiece(vocabulary, unk_token=UNK))
        backend.add_special_tokens(list(SPECIAL_TOKENS))
        backend.normalizer = normalizer(lowercase=lowercase)
        backend.pre_tokenizer = pre_tokenizer()
        backend.post_processor = TemplateProcessing(
            single=f"{CLS} $A {SEP}",
            pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
            special_tokens=[(CLS, vocabulary[CLS]), (SEP, vocabulary[SEP])],
        )
        backend.decoder = WordPieceDecoder()
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
        (folder / TOKENIZER_FILE).write_text(self._json(), encoding="utf-8", newline="\n")
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

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Return the ids of each text, without special tokens."""
        rows = [
            encoding.ids
            for encoding in self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        ]
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        flat = chain.from_iterable(rows)
        return Encoded(np.fromiter(flat, dtype=np.uint32, count=int(lengths.sum())), lengths)

    def normalize(self, text: str) -> str:
        """Return the text as it is before it is cut into words."""
        normalizer = self._backend.normalizer
        return normalizer.normalize_str(text) if normalizer is not None else text

    def ids_of_word(self, word: str) -> list[int]:
        """Return the ids of one word that is normalised and cut already."""
        return [token.id for token in self._backend.model.tokenize(word)]

    def content_hash(self) -> str:
        """Return a sha256 of what ``tokenizer.json`` holds: two that agree give the same ids."""
        return hashlib.sha256(self._json().encode()).hexdigest()

    def _id(self, token: str) -> int:
        token_id = self._backend.token_to_id(token)
        assert token_id is not None, f"no {token}"
        return token_id

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
        described = json.loads(self._backend.to_str())["normalizer"] or {}
        parts = described.get("normalizers", [described])
        return any(part.get("lowercase", False) for part in parts)
