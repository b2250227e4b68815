"""What stands on top of an encoder."""

import torch
from torch import Tensor, nn

from bertpipe.model.config import ModelShape
from bertpipe.model.encoder import ACTIVATIONS


class Pooler(nn.Module):
    """One vector for a sequence: the last layer at ``[CLS]``, through a dense layer and tanh."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.hidden_size, shape.hidden_size)

    def forward(self, first: Tensor) -> Tensor:
        """Return float ``[B, H]`` for the first token of each sequence, ``[B, H]``."""
        return torch.tanh(self.dense(first))


class MaskedTokenHead(nn.Module):
    """Scores of every vocabulary entry at the predicted positions (section 3.1, task 1).

    The decoder's weights are the word embeddings (tied), so only its bias lives here.
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(shape.vocab_size))
        self.activation = ACTIVATIONS[shape.hidden_act]

    def forward(self, predicted: Tensor, word_embeddings: Tensor) -> Tensor:
        """Return logits ``[P, V]`` for tokens ``[P, H]`` and word embeddings ``[V, H]``."""
        transformed = self.norm(self.activation(self.dense(predicted)))
        return nn.functional.linear(transformed, word_embeddings, self.bias)


class OutputHead(nn.Module):
    """One score a class, or one value, for each vector (sections 4.1 to 4.4).

    Args:
        shape: of the encoder, which says how much is dropped.
        outputs: numbers for a vector, C.
        has_dropout: whether any is.
        width: of the vectors; unset: the encoder's, H.
    """

    def __init__(
        self, shape: ModelShape, *, outputs: int, has_dropout: bool, width: int | None = None
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(shape.hidden_dropout_prob if has_dropout else 0.0)
        self.dense = nn.Linear(width or shape.hidden_size, outputs)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return ``[N, C]`` for vectors ``[N, H]``."""
        return self.dense(self.dropout(vectors))
