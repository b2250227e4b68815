"""Pre-training: batches from shards, and the objectives over them."""

from bertpipe.pretraining.batches import BatchMaker, PretrainingBatch, TrainingData, ValidationData
from bertpipe.pretraining.objectives import MaskedLanguageModelling

__all__ = [
    "BatchMaker",
    "MaskedLanguageModelling",
    "PretrainingBatch",
    "TrainingData",
    "ValidationData",
]
