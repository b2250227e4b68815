"""The shape of a model, in the names of the paper and of Hugging Face."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bertpipe.configs import Settings


class ModelConfig(Settings):
    """The section ``model``: BERT base unless set otherwise (Devlin et al. 2019, section 3)."""

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

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"num_attention_heads = {self.num_attention_heads} does not divide "
                f"hidden_size = {self.hidden_size}"
            )
        return self

    @property
    def feed_forward_size(self) -> int:
        """Return the width of the feed-forward layers: 4 H unless set (section 3)."""
        return self.intermediate_size or 4 * self.hidden_size


class ModelShape(ModelConfig):
    """A ``ModelConfig`` with what the tokenizer and the data decide."""

    vocab_size: int = Field(ge=1)
    type_vocab_size: int = Field(2, ge=1)
    pad_token_id: int = Field(0, ge=0)
