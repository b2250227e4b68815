"""The Transformer encoder of BERT (Devlin et al. 2019, section 3)."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from bertpipe.model.attention import SelfAttention
from bertpipe.model.config import ModelShape
from bertpipe.model.dropout import add_dropped
from bertpipe.model.embeddings import Embeddings
from bertpipe.model.inputs import Readout, TokenBatch

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
}


class EncoderLayer(nn.Module):
    """Attention, then feed-forward, each added to its input and normalised (post-norm)."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.attention = SelfAttention(shape)
        self.attention_norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.intermediate = nn.Linear(shape.hidden_size, shape.feed_forward_size)
        self.output = nn.Linear(shape.feed_forward_size, shape.hidden_size)
        self.output_norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout_prob = shape.hidden_dropout_prob
        self.activation = ACTIVATIONS[shape.hidden_act]

    def forward(self, hidden: Tensor, batch: TokenBatch, readout: Readout | None = None) -> Tensor:
        """Return the next layer's tokens, float ``[T, H]``, or those of them that are read, ``[R, H]``."""
        dropout_prob = self.dropout_prob if self.training else 0.0
        gathered = self.attention(hidden, batch, readout)
        hidden = hidden if readout is None else hidden.index_select(0, readout.tokens)
        hidden = self.attention_norm(add_dropped(hidden, gathered, prob=dropout_prob))
        widened = self.activation(self.intermediate(hidden))  # [T, 4H]
        return self.output_norm(add_dropped(hidden, self.output(widened), prob=dropout_prob))


class BidirectionalEncoder(nn.Module):
    """Token ids in, one vector a token out: BERT without its heads.

    Attributes:
        checkpointing: whether a layer keeps its input alone, and its forward pass is done again when
            the backward pass needs the rest: a third more work, a fraction of the memory, the same
            gradients, dropout included (Chen et al. 2016).
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.checkpointing = False
        self.embeddings = Embeddings(shape)
        self.layers = nn.ModuleList(EncoderLayer(shape) for _ in range(shape.num_hidden_layers))

    def forward(self, batch: TokenBatch, readout: Readout | None = None) -> Tensor:
        """Return the last layer's tokens, float ``[T, H]``, or only those that are read, ``[R, H]``.

        What the last layer gives for a token depends on the layer below alone, so that nothing but the
        keys and values of other tokens is needed for it.
        """
        for hidden in self.outputs(batch, readout):
            last = hidden  # the layers below are let go
        return last

    def outputs(self, batch: TokenBatch, readout: Readout | None = None) -> Iterator[Tensor]:
        """Yield the embedded tokens, then those of one layer after the other, each float ``[T, H]``."""
        hidden = self.embeddings(batch)
        yield hidden
        for layer in self.layers:
            reading = readout if layer is self.layers[-1] else None
            if self.checkpointing and torch.is_grad_enabled():
                hidden = checkpoint(layer, hidden, batch, reading, use_reentrant=False)
            else:
                hidden = layer(hidden, batch, reading)
            yield hidden


def initialize(module: nn.Module, *, deviation: float) -> None:
    """Draw weights as the original code does: truncated normal, zero biases, unit norms.

    The draws come from torch's global generator: seed it first.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.trunc_normal_(part.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
