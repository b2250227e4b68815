"""Kernels written for a model by ``torch.compile``."""

from bertpipe.model.models import PretrainingModel, SequenceModel, TokenModel

# With gradients or without, all tokens read or some, a grid with padding or without, one sequence or
# more: a dozen forms. Torch's own limit is 8: what comes after it runs uncompiled, with other dropout,
# so that the result would depend on what the process has met before.
_FORMS = 64


def compiled(network: PretrainingModel | SequenceModel | TokenModel) -> None:
    """Have the layers of a network compiled when they are first called; parameters keep their names.

    Layer by layer: all layers share their compiled forms, which take any number of tokens, so there is
    less to compile than in the whole. Dropout draws other masks than without.
    """
    import torch._dynamo  # takes seconds, and most runs do without

    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _FORMS)
    for layer in network.encoder.layers:
        layer.compile(dynamic=True)
