"""Masked LM: which tokens to predict, and what the model sees in their place.

Devlin et al. 2019, section 3.1 (task 1) and appendix A.2. The draw depends on a key and the row's
number only, so a row is masked the same way in whatever batch, process or resumed run it turns up.
Dynamic masks are drawn when a batch is made, static ones when a shard is written.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from bertpipe import randomness
from bertpipe.configs import Settings
from bertpipe.errors import ArtifactError, ConfigError
from bertpipe.instances.choosing import Places, Words, choose_spans, choose_tokens, choose_words, geometric
from bertpipe.instances.format import IGNORE
from bertpipe.instances.shards import Rows, ShardSet
from bertpipe.vocab import Tokenizer

_SHARES_TOLERANCE = 1e-9


class MaskingConfig(Settings):
    """How many tokens to predict, and how to hide them (Devlin et al. 2019, appendix A.2)."""

    mode: Literal["dynamic", "static"] = Field(
        "dynamic",
        description="dynamic: drawn anew each time a batch is made; static: drawn once, into the shards.",
    )
    unit: Literal["token", "whole_word", "span"] = Field(
        "token", description="What is hidden whole or not at all; span: some words in a row, as in SpanBERT."
    )
    masked_lm_prob: float = Field(
        0.15, gt=0, lt=1, description="Share of a row's tokens to predict, whatever the unit."
    )
    max_predictions_per_seq: int | None = Field(
        None, ge=1, description="Upper bound for a row; unset: masked_lm_prob of the longest row, rounded up."
    )
    mask_share: float = Field(0.8, ge=0, le=1, description="Share of them that becomes [MASK].")
    random_share: float = Field(0.1, ge=0, le=1, description="Share of them that becomes a random token.")
    keep_share: float = Field(0.1, ge=0, le=1, description="Share of them that stays as it is.")
    span_geometric_p: float = Field(
        0.2, gt=0, le=1, description="With unit span: lengths in words are geometric with this parameter."
    )
    span_max_words: int = Field(10, ge=1, le=1000, description="With unit span: words of the longest.")

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> "MaskingConfig":
        total = self.mask_share + self.random_share + self.keep_share
        if abs(total - 1) > _SHARES_TOLERANCE:
            raise ValueError(
                f"mask_share {self.mask_share} + random_share {self.random_share} + "
                f"keep_share {self.keep_share} is {total:g}, must be 1"
            )
        return self

    def bounded(self, *, max_seq_length: int) -> "MaskingConfig":
        """Return the same settings with the bound that they mean for rows of at most this length."""
        return self.model_copy(
            update={"max_predictions_per_seq": max_predictions(self, max_seq_length=max_seq_length)}
        )


def max_predictions(config: MaskingConfig, *, max_seq_length: int) -> int:
    """Return the most tokens to predict in a row of at most ``max_seq_length`` tokens."""
    if config.max_predictions_per_seq is not None:
        return config.max_predictions_per_seq
    # 0.1 x 30 is 3.0000000000000004 in floats, and still 3.
    return math.ceil(config.masked_lm_prob * max_seq_length - 1e-9)


def settings_in_effect(asked: MaskingConfig, shards: ShardSet) -> MaskingConfig:
    """Return by which settings rows are masked: those of the shards where they hold masks, else ``asked``.

    Raises:
        ConfigError: a setting that was asked for contradicts the shards.
        ArtifactError: what the shards say about their masks cannot be read.
    """
    stored_settings = shards.info.masking
    if stored_settings is None:
        if asked.mode == "static":
            raise ConfigError(
                f"masking.mode = 'static', but {shards.folder} was prepared with 'dynamic', without masks",
                hint="run 'bertpipe prepare' with masking.mode = static, or leave it unset",
            )
        return asked
    try:
        stored = MaskingConfig.model_validate_json(stored_settings)
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"])
        raise ArtifactError(f"{shards.folder} is damaged: its masking settings: {reason}") from None
    for name in MaskingConfig.model_fields:
        value, found = getattr(asked, name), getattr(stored, name)
        if name in asked.model_fields_set and value is not None and value != found:
            raise ConfigError(
                f"masking.{name} = {value!r}, but {shards.folder} was masked with {found!r}",
                hint="run 'bertpipe prepare' again, or leave masking.* as it was then or unset",
            )
    return stored


@dataclass(frozen=True)
class Masked:
    """Rows as the model sees them.

    Attributes:
        input_ids: token ids, some of them replaced, int64 ``[T]``.
        labels: the original ids where something is to be predicted, else -100, int64 ``[T]``.
    """

    input_ids: NDArray[np.int64]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Masker:
    """Hides tokens of one vocabulary.

    Attributes:
        config: how many tokens to choose, and what becomes of them; its bound is set.
        vocab_size: number of ids.
        mask_id: the id of ``[MASK]``.
        special_ids: ids that are never chosen nor inserted, such as ``[CLS]``.
        continues_word: whether each token belongs to the same word as the one before it, bool ``[V]``;
            none where single tokens are hidden.
    """

    config: MaskingConfig
    vocab_size: int
    mask_id: int
    special_ids: tuple[int, ...]
    continues_word: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Check what ``of`` sees to."""
        assert self.config.max_predictions_per_seq is not None
        assert self.config.unit == "token" or self.continues_word is not None
        assert self._ordinary.any(), "a vocabulary of special tokens only"

    @property
    def most(self) -> int:
        """Most tokens to predict in a row."""
        assert self.config.max_predictions_per_seq is not None
        return self.config.max_predictions_per_seq

    @classmethod
    def of(cls, config: MaskingConfig, tokenizer: Tokenizer, *, max_seq_length: int) -> "Masker":
        """Return the masker for rows of at most ``max_seq_length`` tokens."""
        return cls(
            config=config.bounded(max_seq_length=max_seq_length),
            vocab_size=tokenizer.vocab_size,
            mask_id=tokenizer.mask_id,
            special_ids=tokenizer.special_ids,
            continues_word=None if config.unit == "token" else tokenizer.continues_word,
        )

    def mask(self, rows: Rows, numbers: NDArray[np.int64], *, key: int) -> Masked:
        """Choose tokens of each row and hide them.

        At most ``min(max_predictions_per_seq, max(1, round(masked_lm_prob * length)))`` tokens of a
        row are chosen, as in the original code: exactly so many single tokens where there are as
        many. Whole words and spans stay below by less than the smallest word that is left, so a
        row of long words may have none. What becomes of them is drawn for each token, also within
        a word, as in the original code; for spans it is drawn for each span (Joshi et al. 2020,
        section 3.1). Random tokens are drawn one by one.

        Args:
            rows: the original tokens, T in B rows.
            numbers: what each row is known by, int64 ``[B]``; with ``key`` it decides the draw.
            key: from ``randomness.key``, such as one for each epoch.
        """
        places = Places.of(rows.lengths, numbers, self._ordinary[rows.input_ids])
        chosen, drawn_at = self._choose(rows, places, key=randomness.key(key, "choose"))
        originals = rows.input_ids[chosen]
        fate = randomness.uniform(places.bits(randomness.key(key, "fate"), drawn_at))
        substitutes = np.flatnonzero(self._ordinary)
        drawn = randomness.below(places.bits(randomness.key(key, "token"), chosen), len(substitutes))
        input_ids = rows.input_ids.copy()
        input_ids[chosen] = np.select(
            [fate < self.config.mask_share, fate < self.config.mask_share + self.config.random_share],
            [self.mask_id, substitutes[drawn]],
            default=originals,
        )
        labels = np.full_like(input_ids, IGNORE)
        labels[chosen] = originals
        return Masked(input_ids, labels)

    def asked_for(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many tokens the share asks for in rows of these lengths, int64 ``[B]``."""
        return np.maximum(1, np.rint(lengths * self.config.masked_lm_prob).astype(np.int64))

    def _choose(self, rows: Rows, places: Places, *, key: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the places of the tokens to hide, and for each the place by which its fate is drawn."""
        wanted = np.minimum(self.asked_for(rows.lengths), self.most)
        if self.continues_word is None:
            chosen = choose_tokens(wanted, places, key=key)
            return chosen, chosen
        words = Words.of(places, self.continues_word[rows.input_ids])
        if self.config.unit == "whole_word":
            chosen = choose_words(wanted, places, words, key=key)
            return chosen, chosen
        return choose_spans(wanted, places, words, key=key, shares=self._span_shares)

    @cached_property
    def _ordinary(self) -> NDArray[np.bool_]:
        """Whether each id may be chosen and inserted, bool ``[V]``."""
        ordinary = np.ones(self.vocab_size, dtype=bool)
        ordinary[list(self.special_ids)] = False
        return ordinary

    @cached_property
    def _span_shares(self) -> NDArray[np.float64]:
        """Share of the spans of at most 1, 2, ... words."""
        return geometric(self.config.span_geometric_p, self.config.span_max_words)
