"""Self-attention in both directions (Vaswani et al. 2017, section 3.2)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from bertpipe.model.config import ModelShape
from bertpipe.model.dropout import dropout
from bertpipe.model.inputs import TokenBatch

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # torch 2.9
    varlen_attn = None  # type: ignore[assignment]

_AMPERE = (8, 0)


class SelfAttention(nn.Module):
    """Each token looks at every token of its own sequence."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.heads = shape.num_attention_heads
        self.dropout_prob = shape.attention_probs_dropout_prob
        # One product for the three projections: query, key, value, in this order.
        self.query_key_value = nn.Linear(shape.hidden_size, 3 * shape.hidden_size)
        self.output = nn.Linear(shape.hidden_size, shape.hidden_size)

    def forward(self, hidden: Tensor, batch: TokenBatch) -> Tensor:
        """Return what each token has gathered, float ``[T, H]``."""
        dropout_prob = self.dropout_prob if self.training else 0.0
        projected = self.query_key_value(hidden)  # [T, 3H]
        if dropout_prob == 0 and _has_kernel_for_any_length(projected):
            return self.output(_attend_packed(projected, batch, heads=self.heads))
        grid = batch.to_grid(projected)  # [B, S, 3H]
        split = grid.view(batch.sequences, batch.longest, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each [B, A, S, H/A]
        gathered = _attend(query, key, value, is_token=batch.is_token, dropout_prob=dropout_prob)
        return self.output(batch.from_grid(gathered.transpose(1, 2).flatten(2)))


def _has_kernel_for_any_length(x: Tensor) -> bool:
    """Return whether there is a kernel that does no work on padding: from torch 2.10, on newer GPUs."""
    return (
        varlen_attn is not None
        and x.dtype in (torch.bfloat16, torch.float16)
        and x.device.type == "cuda"
        and torch.cuda.get_device_capability(x.device) >= _AMPERE
    )


def _attend_packed(projected: Tensor, batch: TokenBatch, *, heads: int) -> Tensor:
    """Return ``softmax(Q K^T / sqrt(d)) V`` within each sequence, float ``[T, H]``; it knows no dropout."""
    query, key, value = projected.view(len(projected), 3, heads, -1).unbind(1)  # each [T, A, H/A]
    bounds, longest = batch.bounds, batch.longest
    gathered = varlen_attn(query, key, value, bounds, bounds, longest, longest)
    assert isinstance(gathered, Tensor)
    return gathered.flatten(1)


def _attend(
    query: Tensor, key: Tensor, value: Tensor, *, is_token: Tensor | None, dropout_prob: float
) -> Tensor:
    """Return ``softmax(Q K^T / sqrt(d)) V`` in a grid, float ``[B, A, S, H/A]``.

    On a CPU the fused kernel knows no dropout, and in bfloat16 its backward pass is slow: there plain
    products are faster.
    """
    if query.device.type != "cpu" or (dropout_prob == 0 and query.dtype != torch.bfloat16):
        mask = None if is_token is None else is_token[:, None, None, :]
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout_prob
        )
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)  # [B, A, S, S]
    if is_token is not None:
        padding = scores.new_zeros(is_token.shape).masked_fill(~is_token, -torch.inf)
        scores = scores + padding[:, None, None, :]
    return dropout(torch.softmax(scores, dim=-1), prob=dropout_prob) @ value
