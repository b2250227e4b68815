"""Compiled layers, here by a backend that writes no kernels."""

import itertools
from collections.abc import Iterator
from functools import partialmethod

import numpy as np
import pytest
import torch
from torch import nn

from bertpipe.errors import ResourceError
from bertpipe.model import ModelShape, PretrainingModel, TokenBatch, compiled, compiler_failures_told
from bertpipe.model.encoder import EncoderLayer

SHAPE = ModelShape(
    hidden_size=8, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=8, vocab_size=20
)


@pytest.fixture
def compile_eagerly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compile to plain calls, and fail where a call would be left uncompiled; start and end with none."""
    monkeypatch.setattr(EncoderLayer, "compile", partialmethod(nn.Module.compile, backend="eager"))
    torch._dynamo.reset()
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True, recompile_limit=8):
        yield
    torch._dynamo.reset()


def without_compiler(*_: object) -> None:
    raise RuntimeError("No working C++ compiler found in cpp.cxx: (None, 'g++')\nMore")


def batch_of(lengths: list[int]) -> TokenBatch:
    sizes = np.array(lengths)
    return TokenBatch.of(np.full(sizes.sum(), 7), lengths=sizes, first_segment_lengths=sizes)


@pytest.mark.filterwarnings("ignore")  # torch.compile warns of its own doings
@pytest.mark.usefixtures("compile_eagerly")
def test_every_form_of_a_batch_is_compiled() -> None:
    """More forms than torch's limit: what came after it would depend on what came before."""
    network = PretrainingModel(SHAPE, predicts_next_sentence=True)
    compiled(network)
    torch._dynamo.utils.counters.clear()
    for lengths, trains in itertools.product(([5, 3, 4], [6, 6, 6], [5]), (True, False)):
        batch = batch_of(lengths)
        network.train(trains)
        with torch.set_grad_enabled(trains):
            network(batch, batch.read_at(np.array([1])))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 8


@pytest.mark.filterwarnings("ignore")  # as above
@pytest.mark.usefixtures("compile_eagerly")
def test_a_missing_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with torch's reason; other errors are no matter of compiling."""
    monkeypatch.setattr(EncoderLayer, "compile", partialmethod(nn.Module.compile, backend=without_compiler))
    network = PretrainingModel(SHAPE, predicts_next_sentence=True)
    compiled(network)
    batch = batch_of([5, 3])
    with pytest.raises(ResourceError) as caught, compiler_failures_told():
        network(batch, batch.read_at(np.array([1])))
    reason = "No working C++ compiler found in cpp.cxx: (None, 'g++')"
    assert caught.value.message == f"torch.compile fails here: {reason}"
    assert caught.value.hint is not None and "pretrain.compile = false" in caught.value.hint
    with pytest.raises(RuntimeError, match="shapes"), compiler_failures_told():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
