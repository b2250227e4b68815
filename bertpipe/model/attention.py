"""Self-attention in both directions (Vaswani et al. 2017, section 3.2)."""

from torch import Tensor, nn
from torch.nn import functional

from bertpipe.model.config import ModelShape
from bertpipe.model.inputs import TokenBatch


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
        grid = batch.to_grid(self.query_key_value(hidden))  # [B, S, 3H]
        split = grid.view(batch.sequences, batch.longest, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each [B, A, S, H/A]
        mask = None if batch.is_token is None else batch.is_token[:, None, None, :]
        gathered = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=self.dropout_prob if self.training else 0.0
        )
        return self.output(batch.from_grid(gathered.transpose(1, 2).flatten(2)))
