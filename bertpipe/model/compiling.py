"""Kernels written for a model by ``torch.compile``."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch._dynamo
from torch._dynamo.exc import BackendCompilerFailed

from bertpipe.errors import ResourceError
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
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _FORMS)
    for layer in network.encoder.layers:
        layer.compile(dynamic=True)


@contextmanager
def compiler_failures_told() -> Iterator[None]:
    """Say in one line why the layers of a network cannot be compiled.

    Raises:
        ResourceError: most likely there is no compiler.
    """
    try:
        yield
    except BackendCompilerFailed as error:
        reason = str(error.inner_exception).strip().partition("\n")[0]
        raise ResourceError(
            f"torch.compile fails here: {reason}",
            hint="install a C++ compiler, such as g++, or set pretrain.compile = false",
        ) from error
