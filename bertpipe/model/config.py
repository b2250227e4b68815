"""The shape of an encoder."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from bertpipe.configs import Settings

Preset = Literal["tiny", "mini", "small", "medium", "base", "large"]


def _sizes(layers: int, width: int, heads: int) -> dict[str, int]:
    return {"num_hidden_layers": layers, "hidden_size": width, "num_attention_heads": heads}


# Base and large: Devlin et al. 2019, section 3. The others: Turc et al. 2019, whose models Google published.
PRESETS: Mapping[Preset, Mapping[str, int]] = {
    "tiny": _sizes(2, 128, 2),
    "mini": _sizes(4, 256, 4),
    "small": _sizes(4, 512, 8),
    "medium": _sizes(8, 512, 8),
    "base": _sizes(12, 768, 12),
    "large": _sizes(24, 1024, 16),
}


class EncoderConfig(Settings):
    """What is to say about an encoder: BERT base unless set otherwise (Devlin et al. 2019, section 3)."""

    hidden_size: int = Field(768, ge=1, description="Width of every layer, H.")
    num_hidden_layers: int = Field(12, ge=1, description="Number of Transformer layers, L.")
    num_attention_heads: int = Field(12, ge=1, description="Attention heads a layer, A; divides H.")
    intermediate_size: int | None = Field(None, ge=1, description="Feed-forward width; unset: 4 H.")
    hidden_act: Literal["gelu", "gelu_new", "relu"] = Field("gelu", description="gelu is the erf form.")
    hidden_dropout_prob: float = Field(0.1, ge=0, lt=1, description="Dropout on embeddings and outputs.")
    attention_probs_dropout_prob: float = Field(0.1, ge=0, lt=1, description="Dropout on attention.")
    max_position_embeddings: int = Field(512, ge=1, description="Longest sequence, in tokens.")
    initializer_range: float = Field(0.02, gt=0, description="Deviation of the truncated normal.")
    layer_norm_eps: float = Field(1e-12, gt=0, description="Added to the variance in LayerNorm.")

    @property
    def feed_forward_size(self) -> int:
        """Return the width of the feed-forward layers: 4 H unless set (section 3)."""
        return self.intermediate_size or 4 * self.hidden_size

    def _check_heads(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"num_attention_heads = {self.num_attention_heads} does not divide "
                f"hidden_size = {self.hidden_size}"
            )


class ModelConfig(EncoderConfig):
    """The section ``model``.

    A preset is expanded at once and then forgotten: what is written, and what is compared with a model
    to start from, is the shape itself.
    """

    preset: Preset | None = Field(
        None,
        exclude=True,
        description="Gives layers, width and heads that are not set themselves; unset: base.",
    )

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, values: Any) -> Any:
        preset = values.get("preset") if isinstance(values, Mapping) else None
        sizes = PRESETS.get(preset) if isinstance(preset, str) else None  # type: ignore[call-overload]
        return values if sizes is None else {**sizes, **values}

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        # With one of the two alone the other may yet come from a model to start from.
        if {"hidden_size", "num_attention_heads"} <= self.model_fields_set:
            self._check_heads()
        return self


class ModelShape(EncoderConfig):
    """The shape of one encoder, with what the tokenizer and the data decide."""

    vocab_size: int = Field(ge=1)
    type_vocab_size: int = Field(2, ge=1)
    pad_token_id: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        self._check_heads()
        return self
