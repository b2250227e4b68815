"""Our parameter names and Hugging Face's, as tables that read both ways.

Each entry maps one of our names to the names it is stored under: one, or three where we keep
query, key and value in one matrix. The tied decoder has no entry, since it is left out of the
file, and where a Hugging Face class has no pooler its table has none either.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from bertpipe.model.features import LSTM_LAYERS

Names = dict[str, tuple[str, ...]]

_EMBEDDINGS: Names = {
    "encoder.embeddings.word.weight": ("bert.embeddings.word_embeddings.weight",),
    "encoder.embeddings.position.weight": ("bert.embeddings.position_embeddings.weight",),
    "encoder.embeddings.token_type.weight": ("bert.embeddings.token_type_embeddings.weight",),
    "encoder.embeddings.norm.weight": ("bert.embeddings.LayerNorm.weight",),
    "encoder.embeddings.norm.bias": ("bert.embeddings.LayerNorm.bias",),
}

# Modules of one layer; each has a weight and a bias.
_LAYER: Names = {
    "attention.query_key_value": (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ),
    "attention.output": ("attention.output.dense",),
    "attention_norm": ("attention.output.LayerNorm",),
    "intermediate": ("intermediate.dense",),
    "output": ("output.dense",),
    "output_norm": ("output.LayerNorm",),
}

_POOLER: Names = {
    "pooler.dense.weight": ("bert.pooler.dense.weight",),
    "pooler.dense.bias": ("bert.pooler.dense.bias",),
}

_MASKED_TOKEN: Names = {
    "masked_token.dense.weight": ("cls.predictions.transform.dense.weight",),
    "masked_token.dense.bias": ("cls.predictions.transform.dense.bias",),
    "masked_token.norm.weight": ("cls.predictions.transform.LayerNorm.weight",),
    "masked_token.norm.bias": ("cls.predictions.transform.LayerNorm.bias",),
    "masked_token.bias": ("cls.predictions.bias",),
}

_NEXT_SENTENCE: Names = {
    "next_sentence.weight": ("cls.seq_relationship.weight",),
    "next_sentence.bias": ("cls.seq_relationship.bias",),
}

_CLASSIFIER: Names = {
    "head.dense.weight": ("classifier.weight",),
    "head.dense.bias": ("classifier.bias",),
}

_ANSWER: Names = {
    "head.dense.weight": ("qa_outputs.weight",),
    "head.dense.bias": ("qa_outputs.bias",),
}

# A BiLSTM of two layers on an encoder's features; its names are torch's.
_FEATURES: Names = {
    name: (f"features.{name}",)
    for name in [
        "mix.weights",
        *(
            f"lstm.{part}_l{layer}{direction}"
            for layer in range(LSTM_LAYERS)
            for direction in ("", "_reverse")
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ),
    ]
}

# What stands on the encoder, by the name of the Hugging Face class.
HEADS: dict[str, Names] = {
    "BertForPreTraining": _POOLER | _MASKED_TOKEN | _NEXT_SENTENCE,
    "BertForMaskedLM": _MASKED_TOKEN,
    "BertForSequenceClassification": _POOLER | _CLASSIFIER,
    "BertForMultipleChoice": _POOLER | _CLASSIFIER,
    "BertForTokenClassification": _CLASSIFIER,
    "BertForQuestionAnswering": _ANSWER,
}

# What stands on a frozen encoder, by names of our own: Hugging Face has no such classes.
HEADS_ON_FEATURES: dict[str, Names] = {
    "BertFeaturesForTokenClassification": _FEATURES | _CLASSIFIER,
    "BertFeaturesForQuestionAnswering": _FEATURES | _ANSWER,
}


def name_table(architecture: str, *, num_hidden_layers: int) -> Names:
    """Return the table of one Hugging Face class, or one of ours on features."""
    layers = {
        f"encoder.layers.{number}.{ours}.{part}": tuple(
            f"bert.encoder.layer.{number}.{theirs}.{part}" for theirs in stored
        )
        for number in range(num_hidden_layers)
        for ours, stored in _LAYER.items()
        for part in ("weight", "bias")
    }
    return _EMBEDDINGS | layers | (HEADS | HEADS_ON_FEATURES)[architecture]


def to_stored(tensors: Mapping[str, Tensor], table: Names) -> dict[str, Tensor]:
    """Rename our tensors to the stored names, splitting what is stored apart."""
    stored: dict[str, Tensor] = {}
    for ours, tensor in tensors.items():
        theirs = table[ours]
        stored.update(zip(theirs, tensor.chunk(len(theirs)), strict=True))
    return stored


def from_stored(stored: Mapping[str, Tensor], table: Names) -> dict[str, Tensor]:
    """Rename stored tensors to ours, joining what was split; undoes ``to_stored``."""
    return {ours: torch.cat([stored[name] for name in theirs]) for ours, theirs in table.items()}


def tolerant(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring names of older or bare checkpoints to today's.

    ``gamma`` and ``beta`` were the norms' names once; a bare ``BertModel`` has no ``bert.``.
    """
    renamed = {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
            "LayerNorm.beta", "LayerNorm.bias"
        ): tensor
        for name, tensor in stored.items()
    }
    if any(name.startswith("bert.") for name in renamed):
        return renamed
    bare = ("embeddings.", "encoder.", "pooler.")
    return {f"bert.{name}" if name.startswith(bare) else name: t for name, t in renamed.items()}
