"""Self-attention in both directions (Vaswani et al. 2017, section 3.2)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from bertpipe.model.config import ModelShape
from bertpipe.model.dropout import dropout
from bertpipe.model.inputs import Grid, Readout, TokenBatch

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # torch 2.9
    varlen_attn = None  # type: ignore[assignment]

_AMPERE = (8, 0)
# Widths of a head that FlashAttention is written for.
_WIDTH_STEP, _WIDEST = 8, 256


class SelfAttention(nn.Module):
    """Each token looks at every token of its own sequence."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.heads = shape.num_attention_heads
        self.dropout_prob = shape.attention_probs_dropout_prob
        # One product for the three projections: query, key, value, in this order.
        self.query_key_value = nn.Linear(shape.hidden_size, 3 * shape.hidden_size)
        self.output = nn.Linear(shape.hidden_size, shape.hidden_size)

    def forward(self, hidden: Tensor, batch: TokenBatch, readout: Readout | None = None) -> Tensor:
        """Return what each token that is read has gathered, float ``[R, H]``; unset: all, ``[T, H]``."""
        dropout_prob = self.dropout_prob if self.training else 0.0
        query, key_value = self._project(hidden, readout)
        asking, asked = batch.grid if readout is None else readout.grid, batch.grid
        if dropout_prob == 0 and _has_kernel_for_any_length(query, heads=self.heads):
            return self.output(_attend_packed(query, key_value, asking, asked, heads=self.heads))
        gathered = _attend(
            self._by_head(asking.spread(query)),
            *map(self._by_head, asked.spread(key_value).chunk(2, dim=-1)),
            is_token=asked.is_token,
            dropout_prob=dropout_prob,
        )
        return self.output(asking.gather(gathered.transpose(1, 2).flatten(2)))

    def _project(self, hidden: Tensor, readout: Readout | None) -> tuple[Tensor, Tensor]:
        """Return queries of the tokens that are read, ``[R, H]``; keys and values of all, ``[T, 2H]``."""
        width, product = hidden.shape[-1], self.query_key_value
        if readout is None:
            query, key_value = product(hidden).split([width, 2 * width], dim=-1)
            return query, key_value
        weights, biases = product.weight, product.bias
        query = functional.linear(hidden.index_select(0, readout.tokens), weights[:width], biases[:width])
        return query, functional.linear(hidden, weights[width:], biases[width:])

    def _by_head(self, grid: Tensor) -> Tensor:
        """Return ``[B, A, S, H/A]`` for a grid ``[B, S, H]``."""
        return grid.view(*grid.shape[:2], self.heads, -1).transpose(1, 2)


def _has_kernel_for_any_length(query: Tensor, *, heads: int) -> bool:
    """Return whether there is a kernel that does no work on padding: from torch 2.10, on newer GPUs."""
    head_width = query.shape[-1] // heads
    return (
        varlen_attn is not None
        and head_width % _WIDTH_STEP == 0
        and head_width <= _WIDEST
        and query.dtype in (torch.bfloat16, torch.float16)
        and query.device.type == "cuda"
        and torch.cuda.get_device_capability(query.device) >= _AMPERE
    )


def _attend_packed(query: Tensor, key_value: Tensor, asking: Grid, asked: Grid, *, heads: int) -> Tensor:
    """Return ``softmax(Q K^T / sqrt(d)) V`` within each sequence, float ``[R, H]``; it knows no dropout."""
    query, key, value = (
        tokens.view(len(tokens), heads, -1) for tokens in (query, *key_value.chunk(2, dim=-1))
    )  # [R, A, H/A], [T, A, H/A] twice
    gathered = varlen_attn(query, key, value, asking.bounds, asked.bounds, asking.longest, asked.longest)
    assert isinstance(gathered, Tensor)
    return gathered.flatten(1)


def _attend(
    query: Tensor, key: Tensor, value: Tensor, *, is_token: Tensor | None, dropout_prob: float
) -> Tensor:
    """Return ``softmax(Q K^T / sqrt(d)) V`` in a grid, float ``[B, A, R, H/A]`` for R queries of S tokens.

    On a CPU the fused kernel knows no dropout, and in bfloat16 its backward pass is slow: there plain
    products are faster.
    """
    if query.device.type != "cpu" or (dropout_prob == 0 and query.dtype != torch.bfloat16):
        mask = None if is_token is None else is_token[:, None, None, :]
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout_prob
        )
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)  # [B, A, R, S]
    if is_token is not None:
        padding = scores.new_zeros(is_token.shape).masked_fill(~is_token, -torch.inf)
        scores = scores + padding[:, None, None, :]
    return dropout(torch.softmax(scores, dim=-1), prob=dropout_prob) @ value
