"""Model folders in Hugging Face's layout: ``config.json``, ``model.safetensors``, tokenizer files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bertpipe.artifacts import input_hash, write_json
from bertpipe.checkpoints.names import from_stored, name_table, to_stored, tolerant
from bertpipe.errors import CheckpointError
from bertpipe.model import ModelShape, save_tensors
from bertpipe.vocab import Tokenizer

CONFIG, WEIGHTS = "config.json", "model.safetensors"

# Choices of BertConfig that change the outputs, and the one way each of them that is built here.
SUPPORTED: Mapping[str, Any] = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "tie_word_embeddings": True,
}


@dataclass(frozen=True)
class SavedModel:
    """A model folder, its weights not yet read.

    Attributes:
        folder: where it stands.
        shape: the encoder's shape.
        architecture: the Hugging Face class that it was saved for.
        labels: the classes by id; empty where the model has none.
        extra: what else ``config.json`` says.
        content_hash: names the folder as an input.
    """

    folder: Path
    shape: ModelShape
    architecture: str
    labels: tuple[str, ...]
    extra: Mapping[str, Any]
    content_hash: str

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer, checked against the model.

        Raises:
            CheckpointError: it has more entries than the model has embeddings.
        """
        tokenizer = Tokenizer.load(self.folder)
        if tokenizer.vocab_size > self.shape.vocab_size:
            raise CheckpointError(
                f"{self.folder}: the tokenizer has {tokenizer.vocab_size} entries, "
                f"the model embeds {self.shape.vocab_size}",
                hint="the tokenizer files are not the ones this model was trained with",
            )
        return tokenizer


def open_model(folder: Path) -> SavedModel:
    """Read what a model folder holds, of ours or of Hugging Face's making.

    Raises:
        ArtifactError: the folder is missing, or a file of ours was changed.
        CheckpointError: it holds no BERT that can be read here.
    """
    content_hash = input_hash(folder)
    values = _read_config(folder)
    known = {name: values[name] for name in ModelShape.model_fields if name in values}
    try:
        shape = ModelShape.model_validate(known)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise CheckpointError(f"{folder / CONFIG}: {where}: {problem['msg']}") from None
    labels = {int(number): name for number, name in (values.get("id2label") or {}).items()}
    return SavedModel(
        folder=folder,
        shape=shape,
        architecture=next(iter(values.get("architectures") or []), "BertModel"),
        labels=tuple(labels[number] for number in sorted(labels)),
        extra={name: value for name, value in values.items() if name not in known},
        content_hash=content_hash,
    )


def _read_config(folder: Path) -> Mapping[str, Any]:
    """Return ``config.json`` of a BERT that can be built here."""
    try:
        values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        values = None
    if not isinstance(values, dict):
        raise CheckpointError(
            f"{folder} is not a model folder: it has no readable {CONFIG}",
            hint="name an output of 'bertpipe pretrain', or a Hugging Face BERT folder",
        )
    for name, needed in {"model_type": "bert", **SUPPORTED}.items():
        found = values.get(name, SUPPORTED.get(name))
        if found != needed:
            raise CheckpointError(f"{folder}: {name} is {found!r}, only {needed!r} can be read")
    return values


def write_model(
    folder: Path,
    model: nn.Module,
    *,
    shape: ModelShape,
    architecture: str,
    tokenizer: Tokenizer,
    labels: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write weights, configuration and tokenizer so that ``transformers`` opens them.

    Args:
        folder: an existing folder.
        model: its parameters are those of the architecture's table.
        shape: the encoder's shape.
        architecture: a Hugging Face class, such as ``BertForPreTraining``.
        tokenizer: the tokenizer it was trained with.
        labels: the classes by id.
        extra: more entries for ``config.json``.
    """
    table = name_table(architecture, num_hidden_layers=shape.num_hidden_layers)
    save_tensors(folder / WEIGHTS, to_stored(model.state_dict(), table))
    names: dict[str, Any] = {}
    if labels:
        names["id2label"] = {str(number): label for number, label in enumerate(labels)}
        names["label2id"] = {label: number for number, label in enumerate(labels)}
    config = {
        "architectures": [architecture],
        "model_type": "bert",
        **shape.model_dump(),
        "intermediate_size": shape.feed_forward_size,
        "position_embedding_type": "absolute",
        **names,
        **(extra or {}),
    }
    write_json(folder / CONFIG, config)
    tokenizer.save(folder)


def load_weights(model: nn.Module, saved: SavedModel, *, architecture: str, new: Sequence[str] = ()) -> None:
    """Read a model folder's weights into ``model``.

    Args:
        model: of the saved shape; its parameters are those of the architecture's table.
        saved: the folder.
        architecture: the Hugging Face class whose names ``model`` has.
        new: prefixes of our parameter names that stay as they are, such as ``head.``.

    Raises:
        CheckpointError: a weight is missing or has another shape: the first one is named.
    """
    wanted = {name: t for name, t in model.state_dict().items() if not name.startswith(tuple(new))}
    table = name_table(architecture, num_hidden_layers=saved.shape.num_hidden_layers)
    stored = tolerant(_read_tensors(saved.folder / WEIGHTS))
    for name, expected in to_stored(wanted, table).items():
        _check(name, expected, stored, saved.folder)
    loaded = from_stored(stored, {name: table[name] for name in wanted})
    model.load_state_dict(model.state_dict() | loaded)


def _check(name: str, expected: Tensor, stored: Mapping[str, Tensor], folder: Path) -> None:
    if name not in stored:
        raise CheckpointError(
            f"{folder / WEIGHTS} has no {name}",
            hint="the model was saved for another use; name one that has this part",
        )
    if stored[name].shape != expected.shape:
        raise CheckpointError(
            f"{folder / WEIGHTS}: {name} has shape {list(stored[name].shape)}, "
            f"config.json asks for {list(expected.shape)}"
        )


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} does not exist", hint="weights are read from safetensors files only"
        ) from None
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
