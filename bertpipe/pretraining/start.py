"""What pre-training starts from: a shape, and weights that are drawn or read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from bertpipe import randomness
from bertpipe.checkpoints import (
    SavedModel,
    SharedPieces,
    first_difference,
    load_weights,
    read_optimizer,
)
from bertpipe.errors import CheckpointError, ConfigError
from bertpipe.model import ModelConfig, ModelShape, PretrainingModel
from bertpipe.vocab import Tokenizer

InitVocabulary = Literal["same", "shared"]

# What a folder need not have: of a bare encoder, of a masked LM, of a fine-tuned model.
_HEADS = {
    "masked_token.": "the masked LM head",
    "pooler.": "the pooler",
    "next_sentence.": "the next-sentence head",
}


@dataclass(frozen=True)
class Start:
    """A network before its first update.

    Attributes:
        network: with its weights.
        notes: what a user must know of them, one line each.
        figures: how many pieces kept their embedding, and how many have a new one; empty where the
            vocabulary is the saved one.
    """

    network: PretrainingModel
    notes: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def shape(self) -> ModelShape:
        """Return the shape of the network."""
        return self.network.encoder.shape


def decide_shape(
    model: ModelConfig,
    *,
    saved: SavedModel | None,
    tokenizer: Tokenizer,
    longest: int,
    init_vocabulary: InitVocabulary,
) -> ModelShape:
    """Return the shape to train: the saved one, else the settings with the vocabulary's size.

    Args:
        model: the section; with a saved model nothing in it may say otherwise.
        saved: the model to start from.
        tokenizer: that of the shards.
        longest: tokens that a row of the shards may have.
        init_vocabulary: whether the saved model's vocabulary may be another one.

    Raises:
        ConfigError: the settings are impossible, or contradict the saved model or the shards.
        CheckpointError: the saved model has another vocabulary.
    """
    if saved is None:
        shape = _from_settings(model, tokenizer)
    else:
        _check_settings(model, saved)
        shape = _with_vocabulary(saved, tokenizer, init_vocabulary)
    if longest > shape.max_position_embeddings:
        raise ConfigError(
            f"the shards hold sequences of {longest} tokens, "
            f"model.max_position_embeddings is {shape.max_position_embeddings}"
            + (f" in {saved.folder}" if saved is not None else ""),
            hint="raise it, or prepare shorter sequences"
            if saved is None
            else "train the model to start from with as many positions as the last phase needs",
        )
    return shape


def build_network(
    shape: ModelShape, *, saved: SavedModel | None, tokenizer: Tokenizer, has_pairs: bool, seed: int
) -> Start:
    """Draw the weights and read those that a saved model has.

    Args:
        shape: as ``decide_shape`` says.
        saved: the model to start from.
        tokenizer: that of the shards.
        has_pairs: whether the shards ask how two segments belong together.
        seed: of the weights.

    Raises:
        CheckpointError: the saved weights are not those of ``shape``.
    """
    torch.manual_seed(randomness.torch_seed(seed, "weights"))
    network = PretrainingModel(shape, predicts_next_sentence=has_pairs)
    if saved is None:
        return Start(network)
    old, new = saved.pieces(), tokenizer.tokens
    pieces = SharedPieces.of(old, new) if old != new else None
    missing = load_weights(
        network, saved, architecture=architecture_of(network), optional=tuple(_HEADS), pieces=pieces
    )
    notes = [f"{saved.folder.name} has no weights of {_HEADS[part]}: they are drawn anew" for part in missing]
    if pieces is None:
        return Start(network, notes)
    drawn = len(new) - pieces.kept
    notes.append(
        f"another vocabulary than that of {saved.folder.name}: kept the embeddings of {pieces.kept:,} pieces "
        f"that both have, drew {drawn:,} anew, dropped {len(old) - pieces.kept:,}"
    )
    return Start(network, notes, {"kept_pieces": pieces.kept, "new_pieces": drawn})


def carried_moments(saved: SavedModel | None, network: nn.Module) -> dict[str, Tensor]:
    """Return the optimizer's state that was saved beside a model, for the parameters that ``network`` has.

    Raises:
        ConfigError: there is no model to start from.
        CheckpointError: no state was saved beside it, or that of another model.
    """
    if saved is None:
        raise ConfigError(
            "pretrain.carry_optimizer = true, but there is no model to start from",
            hint="name the model of the first phase with --init, or leave it unset",
        )
    parameters = dict(network.named_parameters())
    states = {name: state for name, state in read_optimizer(saved).items() if _owner(name) in parameters}
    for name, state in states.items():
        expected = parameters[_owner(name)].shape
        if state.ndim and state.shape != expected:
            raise CheckpointError(
                f"{saved.folder}: the optimizer's {name} has shape {list(state.shape)}, "
                f"the weight has {list(expected)}"
            )
    if not states:
        raise CheckpointError(f"{saved.folder}: the optimizer's state is that of another model")
    return states


def _owner(name: str) -> str:
    return name.rpartition("/")[0]


def architecture_of(network: PretrainingModel) -> str:
    """Return the Hugging Face class that has the same parts."""
    return "BertForMaskedLM" if network.pooler is None else "BertForPreTraining"


def _from_settings(model: ModelConfig, tokenizer: Tokenizer) -> ModelShape:
    try:
        return ModelShape(
            **model.model_dump(), vocab_size=tokenizer.vocab_size, pad_token_id=tokenizer.pad_id
        )
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"model: {problem}", hint="set both, or choose a model.preset") from None


def _check_settings(model: ModelConfig, saved: SavedModel) -> None:
    """Refuse settings that say otherwise than the model to start from."""
    for name in sorted(model.model_fields_set - {"preset"}):
        asked, there = getattr(model, name), getattr(saved.shape, name)
        if asked is not None and asked != there:
            raise ConfigError(
                f"model.{name} = {asked!r} conflicts with {saved.folder}, which has {there!r}",
                hint="leave model.* unset when a model is given with --init",
            )


def _with_vocabulary(saved: SavedModel, tokenizer: Tokenizer, init_vocabulary: InitVocabulary) -> ModelShape:
    old, new = saved.pieces(), tokenizer.tokens
    if old == new:
        return saved.shape
    if init_vocabulary == "same":
        raise _another_vocabulary(saved, old, new)
    return saved.shape.model_copy(
        update={"vocab_size": tokenizer.vocab_size, "pad_token_id": tokenizer.pad_id}
    )


def _another_vocabulary(saved: SavedModel, old: Sequence[str], new: Sequence[str]) -> CheckpointError:
    both = SharedPieces.of(old, new).kept
    return CheckpointError(
        f"the shards were encoded with another vocabulary than that of {saved.folder}: "
        f"{first_difference(old, new)}; {both:,} of {len(new):,} pieces are in both",
        hint=f"run 'bertpipe prepare' with --vocab {saved.folder}, or keep the embeddings of the pieces "
        "that are in both: --set pretrain.init_vocabulary=shared",
    )
