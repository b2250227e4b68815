"""A frozen encoder with a BiLSTM on some of its layers (Devlin et al. 2019, section 5.3, table 7)."""

from collections.abc import Mapping
from itertools import islice
from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bertpipe.configs import Settings
from bertpipe.model.config import ModelShape
from bertpipe.model.encoder import BidirectionalEncoder, initialize
from bertpipe.model.heads import OutputHead
from bertpipe.model.inputs import TokenBatch

Layers = Literal[
    "embeddings", "second_to_last", "last", "weighted_last_four", "concat_last_four", "weighted_all"
]

LSTM_LAYERS = 2

# Which of the encoder's outputs, the embeddings first, and how many layers it must have for it.
_CHOSEN: Mapping[Layers, tuple[slice, int]] = {
    "embeddings": (slice(0, 1), 0),
    "second_to_last": (slice(-2, -1), 2),
    "last": (slice(-1, None), 1),
    "weighted_last_four": (slice(-4, None), 4),
    "concat_last_four": (slice(-4, None), 4),
    "weighted_all": (slice(1, None), 1),
}


class FeatureShape(Settings):
    """What stands on a frozen encoder."""

    layers: Layers = Field(description="The encoder's layers that are read.")
    hidden_size: int = Field(768, ge=1, description="Width of each direction of the BiLSTM.")

    @property
    def layers_needed(self) -> int:
        """Return how many layers an encoder must have."""
        return _CHOSEN[self.layers][1]

    def chosen(self, shape: ModelShape) -> range:
        """Return the numbers of the outputs that are read: 0 are the embeddings, 1 the first layer."""
        return range(shape.num_hidden_layers + 1)[_CHOSEN[self.layers][0]]

    def width(self, shape: ModelShape) -> int:
        """Return how many numbers are read of a token."""
        return shape.hidden_size * (len(self.chosen(shape)) if self.layers == "concat_last_four" else 1)


class LayerMix(nn.Module):
    """Several layers as one: side by side, or a sum with weights that are learned and add up to 1."""

    def __init__(self, features: FeatureShape, shape: ModelShape) -> None:
        super().__init__()
        weighted = features.layers.startswith("weighted")
        self.weights = nn.Parameter(torch.zeros(len(features.chosen(shape)))) if weighted else None

    def forward(self, layers: list[Tensor]) -> Tensor:
        """Return float ``[T, F]`` for tokens ``[T, H]`` of each layer."""
        if self.weights is None:
            return torch.cat(layers, dim=-1)
        return torch.einsum("l,lth->th", self.weights.softmax(0), torch.stack(layers))


class FeatureModel(nn.Module):
    """One output vector a token, from a BiLSTM on what an encoder gives that does not learn.

    Args:
        shape: of the encoder; its dropout is that of the BiLSTM and the head, the encoder has none.
        outputs: numbers that it gives for a token.
        features: what is read, and how.
    """

    per_token = True

    def __init__(self, shape: ModelShape, *, outputs: int, features: FeatureShape) -> None:
        super().__init__()
        self.features = features
        self.encoder = BidirectionalEncoder(shape)
        self.mix = LayerMix(features, shape)
        self.lstm = nn.LSTM(
            features.width(shape),
            features.hidden_size,
            num_layers=LSTM_LAYERS,
            batch_first=True,
            dropout=shape.hidden_dropout_prob,
            bidirectional=True,
        )
        self.head = OutputHead(shape, outputs=outputs, has_dropout=True, width=2 * features.hidden_size)
        initialize(self, deviation=shape.initializer_range)
        self.encoder.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Switch all but the encoder, which gives the same features in training and in use."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return logits, float ``[T, C]``."""
        chosen = self.features.chosen(self.encoder.shape)
        with torch.no_grad():  # layers above the chosen ones are never computed
            layers = list(islice(self.encoder.outputs(batch), chosen.stop))
        return self.head(self._read(self.mix([layers[number] for number in chosen]), batch))

    def _read(self, tokens: Tensor, batch: TokenBatch) -> Tensor:
        """Return what the BiLSTM makes of tokens ``[T, F]``, float ``[T, 2 * hidden_size]``.

        It runs over real tokens alone: the backward direction begins at a sequence's own end.
        """
        with torch.autocast(tokens.device.type, enabled=False):  # states add up over many steps
            grid = batch.grid.spread(tokens.to(self.head.dense.weight.dtype))  # [B, S, F]
            lengths = batch.grid.bounds.diff().cpu()
            packed = pack_padded_sequence(grid, lengths, batch_first=True, enforce_sorted=False)
            read, _ = pad_packed_sequence(
                self.lstm(packed)[0], batch_first=True, total_length=batch.grid.longest
            )
        return batch.grid.gather(read)
