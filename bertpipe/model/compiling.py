"""Kernels written for a model by ``torch.compile``."""

from bertpipe.model.models import PretrainingModel, SequenceModel, TokenModel


def compiled(network: PretrainingModel | SequenceModel | TokenModel) -> None:
    """Have the layers of a network compiled when they are first called; parameters keep their names.

    Layer by layer: all layers share one compiled form, which takes any number of tokens, so there is
    less to compile than in the whole. Dropout draws other masks than without.
    """
    for layer in network.encoder.layers:
        layer.compile(dynamic=True)
