"""A model's answers to examples."""

from typing import Any

import numpy as np
import pytest
import torch

from bertpipe.errors import ResourceError, TrainingDivergedError
from bertpipe.model import ModelShape, SequenceModel
from bertpipe.tasks import Answerer, answering
from bertpipe.tasks.heads import Head
from bertpipe.tasks.kinds import Classification, ClassificationDescription
from bertpipe.tasks.texts import TextExample
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

torch.set_num_threads(1)

TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *"abcdefghij"], lowercase=True)
SHAPE = ModelShape(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=15)
EXAMPLES = [
    TextExample(id=str(n), texts=(" ".join("abcdefghij"[: 1 + (3 * n) % 10]),), target="xy"[n % 2], place="p")
    for n in range(11)
]
TASK = Classification("t", ClassificationDescription(kind="classification"), ("x", "y"))


def answerer(head: Head = TASK.head, **changes: Any) -> Answerer:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"max_seq_length": 16, "batch_size": 3, "precision": "fp32"}
    device = torch.device("cpu")
    return Answerer(TASK, head.build(SHAPE), TOKENIZER, **(settings | changes), device=device)


@pytest.mark.parametrize("architecture", ["BertForSequenceClassification", "BertForTokenClassification"])
def test_outputs_stand_in_the_order_of_the_sequences(architecture: str) -> None:
    """Batches are made by length; each output is still that of its own sequence, alone."""
    one = answerer(Head(architecture, outputs=2))
    inputs = TASK.encode(EXAMPLES, TOKENIZER, max_seq_length=16)
    for number, found in enumerate(one.outputs(inputs)):
        with torch.inference_mode():
            alone = one.model(inputs.batch(np.array([number]))).numpy()
        assert found.dtype == np.float32 and found.shape == alone.shape
        assert np.allclose(found, alone, rtol=0, atol=1e-6)


def test_examples_are_answered_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many at once, the predictions are the same, in the order of the examples."""
    whole = answerer().answers(EXAMPLES).predictions
    monkeypatch.setattr(answering, "_EXAMPLES_AT_ONCE", 4)
    parts = answerer().answers(EXAMPLES).predictions
    assert [p["prediction"] for p in parts] == [p["prediction"] for p in whole]
    assert [p["probabilities"]["x"] for p in parts] == pytest.approx(
        [p["probabilities"]["x"] for p in whole], abs=2e-6
    )


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: not enough")]
)
def test_a_lack_of_memory_names_the_setting(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU and on a CPU: with what did not fit, and what to make smaller."""

    def forward(*_: object) -> None:
        raise error

    monkeypatch.setattr(SequenceModel, "forward", forward)
    with pytest.raises(ResourceError, match="out of memory with 3 sequences a forward pass") as caught:
        answerer().answers(EXAMPLES)
    hint = caught.value.hint
    assert hint is not None and "eval.batch_size" in hint and "predict.batch_size" in hint


def test_outputs_that_are_not_finite_are_an_error() -> None:
    """A model whose weights are NaN gives no predictions, rather than NaN in a file."""
    broken = answerer()
    torch.nn.init.constant_(broken.model.head.dense.weight, float("nan"))
    with pytest.raises(TrainingDivergedError, match="not finite"):
        broken.answers(EXAMPLES)
