"""How many floating-point operations a model needs, as it is counted for "model FLOPs utilisation".

Only matrix products count, and only what has to be computed: real tokens, attention within each
sequence, the vocabulary's scores at predicted positions alone. Padding, recomputed activations,
softmax and norms are work too, but useless or small; Chowdhery et al. 2022 (PaLM), appendix B.
"""

import numpy as np
from numpy.typing import NDArray

from bertpipe.model.config import ModelShape
from bertpipe.model.features import LSTM_LAYERS, FeatureShape

# A multiplication and an addition.
_MULTIPLY_ADD = 2
# The backward pass has two products for each one forward: by the weights, and by the inputs.
_PASSES = 3


def training_flops(
    shape: ModelShape,
    lengths: NDArray[np.int64],
    *,
    predictions: int = 0,
    sequence_outputs: int = 0,
    token_outputs: int = 0,
    frozen_layers: int = 0,
) -> int:
    """Return the operations of one forward and backward pass over some sequences.

    Args:
        shape: of the encoder.
        lengths: real tokens of each sequence, int64 ``[B]``.
        predictions: hidden tokens in all, each scored against the whole vocabulary.
        sequence_outputs: scores for a sequence on top of the pooler, such as 2 for the next
            sentence; 0: there is no pooler.
        token_outputs: scores for every token, such as 2 for start and end of an answer.
        frozen_layers: so many layers have no backward pass.
    """
    layer = _layer(shape, lengths)
    multiplications = (
        (shape.num_hidden_layers - frozen_layers) * layer
        + predictions * _prediction(shape)
        + (len(lengths) * _pooled(shape, sequence_outputs) if sequence_outputs else 0)
        + int(lengths.sum()) * shape.hidden_size * token_outputs
    )
    return _MULTIPLY_ADD * (_PASSES * multiplications + frozen_layers * layer)


def feature_training_flops(
    shape: ModelShape, lengths: NDArray[np.int64], *, features: FeatureShape, token_outputs: int
) -> int:
    """Return the operations of one pass forward through a frozen encoder, and of both passes above it.

    Args:
        shape: of the encoder.
        lengths: real tokens of each sequence, int64 ``[B]``.
        features: what is read, and how.
        token_outputs: scores for every token.
    """
    layers, hidden = features.chosen(shape).stop - 1, features.hidden_size
    # Four gates in each of two directions, from the input and from the state.
    first = 8 * hidden * (features.width(shape) + hidden)
    further = (LSTM_LAYERS - 1) * 8 * hidden * 3 * hidden
    learned = int(lengths.sum()) * (first + further + 2 * hidden * token_outputs)
    return _MULTIPLY_ADD * (layers * _layer(shape, lengths) + _PASSES * learned)


def _layer(shape: ModelShape, lengths: NDArray[np.int64]) -> int:
    """Four H x H projections and two H x I a token; two products of H by each pair of tokens."""
    hidden = shape.hidden_size
    tokens, pairs = int(lengths.sum()), int((lengths.astype(np.int64) ** 2).sum())
    return tokens * (4 * hidden**2 + 2 * hidden * shape.feed_forward_size) + pairs * 2 * hidden


def _prediction(shape: ModelShape) -> int:
    """A dense layer, then the product with every word embedding."""
    return shape.hidden_size * (shape.hidden_size + shape.vocab_size)


def _pooled(shape: ModelShape, outputs: int) -> int:
    return shape.hidden_size * (shape.hidden_size + outputs)
