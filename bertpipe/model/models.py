"""Encoders with their heads: what is trained, saved and loaded."""

from torch import Tensor, nn

from bertpipe.model.config import ModelShape
from bertpipe.model.encoder import BidirectionalEncoder, initialize
from bertpipe.model.heads import MaskedTokenHead, OutputHead, Pooler
from bertpipe.model.inputs import Readout, TokenBatch


class PretrainingModel(nn.Module):
    """BERT with its two pre-training heads (section 3.1).

    Args:
        shape: the encoder's shape.
        predicts_next_sentence: false leaves out the pooler and the next-sentence head.
    """

    def __init__(self, shape: ModelShape, *, predicts_next_sentence: bool) -> None:
        super().__init__()
        self.encoder = BidirectionalEncoder(shape)
        self.masked_token = MaskedTokenHead(shape)
        self.pooler = Pooler(shape) if predicts_next_sentence else None
        self.next_sentence = nn.Linear(shape.hidden_size, 2) if predicts_next_sentence else None
        initialize(self, deviation=shape.initializer_range)

    def forward(self, batch: TokenBatch, readout: Readout) -> tuple[Tensor, Tensor | None]:
        """Return scores for the hidden tokens and for the next sentence.

        Args:
            batch: what the model sees.
            readout: the P tokens to predict are its chosen ones.

        Returns:
            Logits ``[P, V]``, and logits ``[B, 2]`` (0: the second segment follows) or none.
        """
        read = self.encoder(batch, readout)  # [R, H]
        chosen = read.index_select(0, readout.chosen)  # [P, H]
        token_logits = self.masked_token(chosen, self.encoder.embeddings.word.weight)
        if self.pooler is None or self.next_sentence is None:
            return token_logits, None
        return token_logits, self.next_sentence(self.pooler(read.index_select(0, readout.first)))


class SequenceModel(nn.Module):
    """BERT with one output vector a sequence: classification, regression, choices (sections 4.1, 4.4)."""

    per_token = False

    def __init__(self, shape: ModelShape, *, outputs: int) -> None:
        super().__init__()
        self.encoder = BidirectionalEncoder(shape)
        self.pooler = Pooler(shape)
        self.head = OutputHead(shape, outputs=outputs, has_dropout=True)
        initialize(self, deviation=shape.initializer_range)

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return logits or values, float ``[B, C]``."""
        return self.head(self.pooler(self.encoder(batch, batch.read_first())))


class TokenModel(nn.Module):
    """BERT with one output vector a token: tags, starts and ends of answers (sections 4.2, 5.3)."""

    per_token = True

    def __init__(self, shape: ModelShape, *, outputs: int, has_dropout: bool) -> None:
        super().__init__()
        self.encoder = BidirectionalEncoder(shape)
        self.head = OutputHead(shape, outputs=outputs, has_dropout=has_dropout)
        initialize(self, deviation=shape.initializer_range)

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return logits, float ``[T, C]``."""
        return self.head(self.encoder(batch))


def count_parameters(model: nn.Module) -> int:
    """Return the number of weights, each shared weight once."""
    return sum(parameter.numel() for parameter in model.parameters())
