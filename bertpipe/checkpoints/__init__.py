"""Model folders that ``transformers`` opens, and the other way round."""

from bertpipe.checkpoints.model_folder import SavedModel, load_weights, open_model, write_model

__all__ = ["SavedModel", "load_weights", "open_model", "write_model"]
