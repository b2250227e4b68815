"""Encoders and heads, written for sequences without padding."""

from bertpipe.model.compiling import compiled, compiler_failures_told
from bertpipe.model.config import ModelConfig, ModelShape
from bertpipe.model.encoder import BidirectionalEncoder
from bertpipe.model.features import FeatureModel, FeatureShape, Layers
from bertpipe.model.files import save_tensors
from bertpipe.model.inputs import Readout, TokenBatch
from bertpipe.model.losses import summed_cross_entropy
from bertpipe.model.models import PretrainingModel, SequenceModel, TokenModel, count_parameters

__all__ = [
    "BidirectionalEncoder",
    "FeatureModel",
    "FeatureShape",
    "Layers",
    "ModelConfig",
    "ModelShape",
    "PretrainingModel",
    "Readout",
    "SequenceModel",
    "TokenBatch",
    "TokenModel",
    "compiled",
    "compiler_failures_told",
    "count_parameters",
    "save_tensors",
    "summed_cross_entropy",
]
