"""Pre-training inputs: segments, next sentences, masking and Arrow shards; free of torch."""

from bertpipe.instances.masking import IGNORE, Masked, MaskingConfig, mask_rows, max_predictions
from bertpipe.instances.shards import Rows, ShardSet

__all__ = ["IGNORE", "Masked", "MaskingConfig", "Rows", "ShardSet", "mask_rows", "max_predictions"]
