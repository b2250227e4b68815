"""What stands on the encoder for a task, by the name of the Hugging Face class that has the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bertpipe.errors import ConfigError
from bertpipe.model import FeatureModel, FeatureShape, ModelShape, SequenceModel, TokenModel

TaskModel = SequenceModel | TokenModel | FeatureModel

BUILDERS: Mapping[str, Callable[..., TaskModel]] = {
    "BertForSequenceClassification": SequenceModel,
    "BertForMultipleChoice": SequenceModel,
    "BertForTokenClassification": partial(TokenModel, has_dropout=True),
    "BertForQuestionAnswering": partial(TokenModel, has_dropout=False),
}

# Names of our own: Hugging Face has no such class, and a model folder must not claim that it had.
ON_FEATURES: Mapping[str, str] = {
    "BertForTokenClassification": "BertFeaturesForTokenClassification",
    "BertForQuestionAnswering": "BertFeaturesForQuestionAnswering",
}

# Where ``config.json`` says what stands on a frozen encoder.
_FEATURES = "bertpipe_features"


@dataclass(frozen=True)
class Head:
    """A head of a task.

    Attributes:
        architecture: a key of ``BUILDERS``, or a value of ``ON_FEATURES``.
        outputs: numbers that it gives for a sequence or a token, C.
        features: what it stands on where the encoder is frozen; none: on the encoder.
    """

    architecture: str
    outputs: int
    features: FeatureShape | None = None

    # Prefixes of the parameters that no pre-trained model has.
    NEW = ("head.", "lstm.", "mix.")

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a model's ``config.json`` should say of it."""
        return {} if self.features is None else {_FEATURES: self.features.model_dump()}

    def on(self, features: FeatureShape | None) -> "Head":
        """Return the same head on a frozen encoder, or this one where there are no features.

        Raises:
            ConfigError: it gives one answer for a whole sequence.
        """
        if features is None:
            return self
        if self.architecture not in ON_FEATURES:
            raise ConfigError(
                f"finetune.features = {features.layers}, but the task has one answer for a whole sequence",
                hint="leave it unset: features are for tasks with an answer a token, such as tagging",
            )
        return replace(self, architecture=ON_FEATURES[self.architecture], features=features)

    def as_saved(self, config: Mapping[str, Any]) -> "Head":
        """Return this head as it is in a model folder, whose ``config.json`` says what it stands on."""
        if _FEATURES not in config or self.architecture not in ON_FEATURES:
            return self
        return self.on(FeatureShape.model_validate(config[_FEATURES]))

    def build(self, shape: ModelShape) -> TaskModel:
        """Return an encoder with this head, drawn from torch's generator: seed it first.

        Raises:
            ConfigError: the encoder has not the layers that the features are of.
        """
        if self.features is None:
            return BUILDERS[self.architecture](shape, outputs=self.outputs)
        if shape.num_hidden_layers < self.features.layers_needed:
            raise ConfigError(
                f"finetune.features = {self.features.layers}, but the model has "
                f"{shape.num_hidden_layers} layers, not {self.features.layers_needed}",
                hint="use last",
            )
        return FeatureModel(shape, outputs=self.outputs, features=self.features)
