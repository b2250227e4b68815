"""Our parameter names and Hugging Face's: nothing is lost on the way there and back."""

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForMultipleChoice,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

from bertpipe.checkpoints.names import HEADS, from_stored, name_table, to_stored, tolerant
from bertpipe.model import ModelShape, PretrainingModel, SequenceModel, TokenModel

SHAPE = ModelShape(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, vocab_size=20)
CLASSES = {
    "BertForPreTraining": BertForPreTraining,
    "BertForMaskedLM": BertForMaskedLM,
    "BertForSequenceClassification": BertForSequenceClassification,
    "BertForMultipleChoice": BertForMultipleChoice,
    "BertForTokenClassification": BertForTokenClassification,
    "BertForQuestionAnswering": BertForQuestionAnswering,
}
OUTPUTS = {"BertForMultipleChoice": 1, "BertForQuestionAnswering": 2}


def model_of(architecture: str) -> torch.nn.Module:
    outputs = OUTPUTS.get(architecture, 3)
    if architecture in ("BertForSequenceClassification", "BertForMultipleChoice"):
        return SequenceModel(SHAPE, outputs=outputs)
    if architecture in ("BertForTokenClassification", "BertForQuestionAnswering"):
        return TokenModel(SHAPE, outputs=outputs, has_dropout=True)
    return PretrainingModel(SHAPE, predicts_next_sentence=architecture == "BertForPreTraining")


@pytest.mark.parametrize("architecture", HEADS)
def test_names_read_both_ways(architecture: str) -> None:
    """Every tensor comes back under its name, bit for bit."""
    tensors = {name: torch.randn_like(value) for name, value in model_of(architecture).state_dict().items()}
    table = name_table(architecture, num_hidden_layers=2)
    assert table.keys() == tensors.keys()
    back = from_stored(to_stored(tensors, table), table)
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize("architecture", HEADS)
def test_stored_names_and_shapes_are_those_of_transformers(architecture: str) -> None:
    """They are the class's own state, without its tied decoder and its buffers."""
    config = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=OUTPUTS.get(architecture, 3),
    )
    expected = {
        name: value.shape
        for name, value in CLASSES[architecture](config).named_parameters()
        if not name.startswith("cls.predictions.decoder")
    }
    stored = to_stored(model_of(architecture).state_dict(), name_table(architecture, num_hidden_layers=2))
    assert {name: value.shape for name, value in stored.items()} == expected


def test_a_masked_lm_has_no_pooler() -> None:
    """BertForMaskedLM has none, so its table has none either."""
    assert not [name for name in name_table("BertForMaskedLM", num_hidden_layers=1) if "pooler" in name]


def test_old_and_bare_names_are_understood() -> None:
    """``gamma`` and ``beta`` become weight and bias; a bare encoder gets its prefix, a head does not."""
    tensor = torch.zeros(1)
    assert tolerant({"bert.embeddings.LayerNorm.gamma": tensor}).keys() == {
        "bert.embeddings.LayerNorm.weight"
    }
    bare = {
        "encoder.layer.0.output.LayerNorm.beta": tensor,
        "pooler.dense.bias": tensor,
        "classifier.bias": tensor,
    }
    assert tolerant(bare).keys() == {
        "bert.encoder.layer.0.output.LayerNorm.bias",
        "bert.pooler.dense.bias",
        "classifier.bias",
    }
