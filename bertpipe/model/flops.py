"""How many floating-point operations a model needs, as it is counted for "model FLOPs utilisation".

Only matrix products count, and only what has to be computed: real tokens, attention within each
sequence, the vocabulary's scores at predicted positions alone, and so the last layer there and at the
first tokens, apart from its keys and values. Padding, recomputed activations,
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
    predictions: NDArray[np.int64] | None = None,
    sequence_outputs: int = 0,
    token_outputs: int = 0,
    frozen_layers: int = 0,
) -> int:
    """Return the operations of one forward and backward pass over some sequences.

    Args:
        shape: of the encoder.
        lengths: real tokens of each sequence, int64 ``[B]``.
        predictions: hidden tokens of each sequence, each scored against the whole vocabulary, int64 ``[B]``.
        sequence_outputs: scores for a sequence on top of the pooler, such as 2 for the next
            sentence; 0: there is no pooler.
        token_outputs: scores for every token, such as 2 for start and end of an answer.
        frozen_layers: so many layers have no backward pass.
    """
    predicted = 0 if predictions is None else int(predictions.sum())
    # Heads that look at some tokens look at the first one, too.
    some = np.ones_like(lengths) if predictions is None else np.minimum(predictions + 1, lengths)
    read = some if (sequence_outputs or predictions is not None) and not token_outputs else lengths
    layers = [_layer(shape, lengths)] * (shape.num_hidden_layers - 1) + [_layer(shape, lengths, read)]
    multiplications = (
        sum(layers[frozen_layers:])
        + predicted * _prediction(shape)
        + (len(lengths) * _pooled(shape, sequence_outputs) if sequence_outputs else 0)
        + int(lengths.sum()) * shape.hidden_size * token_outputs
    )
    return _MULTIPLY_ADD * (_PASSES * multiplications + sum(layers[:frozen_layers]))


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


def _layer(shape: ModelShape, lengths: NDArray[np.int64], read: NDArray[np.int64] | None = None) -> int:
    """Keys and values, two H x H, of every token; two more and two H x I of each that is read, unset: all.

    Two products of H by each pair of a token that is read and one of its sequence.
    """
    hidden, read = shape.hidden_size, lengths if read is None else read
    pairs = int((lengths.astype(np.int64) * read).sum())
    asked = int(lengths.sum()) * 2 * hidden**2
    asking = int(read.sum()) * (2 * hidden**2 + 2 * hidden * shape.feed_forward_size)
    return asked + asking + pairs * 2 * hidden


def _prediction(shape: ModelShape) -> int:
    """A dense layer, then the product with every word embedding."""
    return shape.hidden_size * (shape.hidden_size + shape.vocab_size)


def _pooled(shape: ModelShape, outputs: int) -> int:
    return shape.hidden_size * (shape.hidden_size + outputs)
