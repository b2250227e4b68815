"""Pre-training inputs: segments, next sentences, masking and Arrow shards; free of torch."""

from bertpipe.instances.format import IGNORE
from bertpipe.instances.masking import Masked, Masker, MaskingConfig, max_predictions, settings_in_effect
from bertpipe.instances.shards import Rows, ShardSet

__all__ = [
    "IGNORE",
    "Masked",
    "Masker",
    "MaskingConfig",
    "Rows",
    "ShardSet",
    "max_predictions",
    "settings_in_effect",
]
