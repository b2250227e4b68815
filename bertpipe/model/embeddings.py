"""Word, position and segment embeddings (Devlin et al. 2019, section 3, figure 2)."""

from torch import Tensor, nn

from bertpipe.model.config import ModelShape
from bertpipe.model.dropout import dropout
from bertpipe.model.inputs import TokenBatch


class Embeddings(nn.Module):
    """The sum of three learned embeddings, normalised."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.word = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.position = nn.Embedding(shape.max_position_embeddings, shape.hidden_size)
        self.token_type = nn.Embedding(shape.type_vocab_size, shape.hidden_size)
        self.norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout_prob = shape.hidden_dropout_prob

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return the embedded tokens, float ``[T, H]``."""
        summed = (
            self.word(batch.input_ids)
            + self.position(batch.position_ids)
            + self.token_type(batch.token_type_ids)
        )
        return dropout(self.norm(summed), prob=self.dropout_prob if self.training else 0.0)
