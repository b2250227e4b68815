"""The weights of a model folder, read into a model that may have other heads or another vocabulary."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bertpipe.checkpoints.model_folder import WEIGHTS, SavedModel
from bertpipe.checkpoints.names import Names, from_stored, name_table, to_stored, tolerant
from bertpipe.checkpoints.vocabularies import BY_PIECE, SharedPieces
from bertpipe.errors import CheckpointError


def load_weights(
    model: nn.Module,
    saved: SavedModel,
    *,
    architecture: str,
    new: Sequence[str] = (),
    optional: Sequence[str] = (),
    pieces: SharedPieces | None = None,
) -> list[str]:
    """Read a model folder's weights into ``model``.

    Args:
        model: of the saved shape; its parameters are those of the architecture's table.
        saved: the folder.
        architecture: the Hugging Face class whose names ``model`` has.
        new: prefixes of our parameter names that stay as they are, such as ``head.``.
        optional: prefixes that stay as they are where the folder has nothing of them.
        pieces: where ``model`` has another vocabulary: what it shares with the saved one; what belongs to
            other pieces stays as it is.

    Returns:
        Which of ``optional`` the folder has nothing of.

    Raises:
        CheckpointError: a weight is missing or has another shape: the first one is named.
    """
    table = name_table(architecture, num_hidden_layers=saved.shape.num_hidden_layers)
    stored = tolerant(read_tensors(saved.folder / WEIGHTS))
    missing = [part for part in optional if _is_missing(part, table, stored)]
    left = (*new, *missing)
    wanted = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(left)}
    fresh = to_stored(wanted, table)
    if pieces is not None:
        stored |= _with_new_pieces(stored, fresh, saved, pieces)
    for name, expected in fresh.items():
        _check(name, expected.shape, stored, saved.folder)
    loaded = from_stored(stored, {name: table[name] for name in wanted})
    model.load_state_dict(model.state_dict() | loaded)
    return missing


def _is_missing(part: str, table: Names, stored: Mapping[str, Tensor]) -> bool:
    theirs = [name for ours, names in table.items() if ours.startswith(part) for name in names]
    return bool(theirs) and not any(name in stored for name in theirs)


def _with_new_pieces(
    stored: Mapping[str, Tensor], fresh: Mapping[str, Tensor], saved: SavedModel, pieces: SharedPieces
) -> dict[str, Tensor]:
    """Return what has a row a piece, with the rows of the model's own vocabulary."""
    moved = {}
    for name in BY_PIECE:
        if name in fresh:
            shape = torch.Size([saved.shape.vocab_size, *fresh[name].shape[1:]])
            _check(name, shape, stored, saved.folder)
            moved[name] = pieces.moved(stored[name], fresh[name])
    return moved


def _check(name: str, expected: torch.Size, stored: Mapping[str, Tensor], folder: Path) -> None:
    if name not in stored:
        raise CheckpointError(
            f"{folder / WEIGHTS} has no {name}",
            hint="the model was saved for another use; name one that has this part",
        )
    if stored[name].shape != expected:
        raise CheckpointError(
            f"{folder / WEIGHTS}: {name} has shape {list(stored[name].shape)}, "
            f"config.json asks for {list(expected)}"
        )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        CheckpointError: there is no such file, or it is damaged.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} does not exist", hint="weights are read from safetensors files only"
        ) from None
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
