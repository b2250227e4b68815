"""Model folders that ``transformers`` opens, and the other way round."""

from bertpipe.checkpoints.model_folder import SavedModel, open_model, write_model
from bertpipe.checkpoints.optimizer import read_optimizer, write_optimizer
from bertpipe.checkpoints.vocabularies import SharedPieces, first_difference
from bertpipe.checkpoints.weights import load_weights

__all__ = [
    "SavedModel",
    "SharedPieces",
    "first_difference",
    "load_weights",
    "open_model",
    "read_optimizer",
    "write_model",
    "write_optimizer",
]
