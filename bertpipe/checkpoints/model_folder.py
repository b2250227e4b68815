"""Model folders in Hugging Face's layout: ``config.json``, ``model.safetensors``, tokenizer files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import nn

from bertpipe.artifacts import input_hash, write_json
from bertpipe.checkpoints.names import name_table, to_stored
from bertpipe.errors import ArtifactError, CheckpointError
from bertpipe.model import ModelShape, save_tensors
from bertpipe.vocab import Tokenizer
from bertpipe.vocab.tokenizer import TOKENIZER_FILE, VOCABULARY_FILE

CONFIG, WEIGHTS = "config.json", "model.safetensors"

# Choices of BertConfig that change the outputs, and the one way each of them that is built here.
SUPPORTED: Mapping[str, Any] = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "tie_word_embeddings": True,
}

# Models with a name for each class; transformers does not write the names of two that nobody has named.
_CLASSIFIERS = ("BertForSequenceClassification", "BertForTokenClassification")


@dataclass(frozen=True)
class SavedModel:
    """A model folder, its weights not yet read.

    Attributes:
        folder: where it stands.
        shape: the encoder's shape.
        architecture: the Hugging Face class that it was saved for.
        labels: the classes by id, called as transformers does where they have no names; empty where the
            model has none.
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
        self._check_size(tokenizer.vocab_size)
        return tokenizer

    def pieces(self) -> list[str]:
        """Return the vocabulary by id; older folders have ``vocab.txt`` alone.

        Raises:
            ArtifactError: there is neither that nor a tokenizer.
            CheckpointError: as ``tokenizer``.
        """
        listed = self.folder / VOCABULARY_FILE
        if (self.folder / TOKENIZER_FILE).is_file() or not listed.is_file():
            return self.tokenizer().tokens
        pieces = listed.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        self._check_size(len(pieces))
        return pieces

    def _check_size(self, entries: int) -> None:
        if entries > self.shape.vocab_size:
            raise CheckpointError(
                f"{self.folder}: the tokenizer has {entries} entries, "
                f"the model embeds {self.shape.vocab_size}",
                hint="the tokenizer files are not the ones this model was trained with",
            )


def open_model(folder: Path) -> SavedModel:
    """Read what a model folder holds, of ours or of Hugging Face's making.

    Raises:
        ArtifactError: the folder is missing, or a file of ours was changed.
        CheckpointError: it holds no BERT that can be read here.
    """
    if not folder.is_dir():
        raise ArtifactError(
            f"{folder} does not exist",
            hint="run the stage that writes it; a model of the hub is downloaded first: "
            "hf download NAME --local-dir FOLDER",
        )
    content_hash = input_hash(folder)
    values = _read_config(folder)
    known = {name: values[name] for name in ModelShape.model_fields if name in values}
    try:
        shape = ModelShape.model_validate(known)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise CheckpointError(f"{folder / CONFIG}: {where}: {problem['msg']}") from None
    architecture = next(iter(values.get("architectures") or []), "BertModel")
    return SavedModel(
        folder=folder,
        shape=shape,
        architecture=architecture,
        labels=_labels(values, architecture),
        extra={name: value for name, value in values.items() if name not in known},
        content_hash=content_hash,
    )


def _labels(values: Mapping[str, Any], architecture: str) -> tuple[str, ...]:
    """Return the names of the classes; a single one is the number of a regression."""
    named = {int(number): name for number, name in (values.get("id2label") or {}).items()}
    count = values.get("num_labels", 2)
    if not named and architecture in _CLASSIFIERS and count > 1:
        return tuple(f"LABEL_{number}" for number in range(count))
    return tuple(named[number] for number in sorted(named))


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
