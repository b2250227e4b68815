"""How a model is fine-tuned, and how it answers."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from bertpipe.configs import Settings
from bertpipe.model import FeatureShape, Layers
from bertpipe.tasks.class_weights import ClassWeights
from bertpipe.tasks.rates import Rates
from bertpipe.training import GuardConfig, OptimizerConfig, Plan, Precision, Schedule

# A loss over few examples jumps by itself.
GUARDS = GuardConfig(on_spike="ignore")


class FinetuneConfig(OptimizerConfig):
    """The section ``finetune``; the defaults lie in the paper's grid (appendix A.3)."""

    learning_rate: float = Field(5e-5, gt=0, description="Peak rate.")
    features: Layers | None = Field(
        None,
        description="Train two layers of BiLSTM on these layers of the encoder, which does not learn itself; "
        "for tasks with an answer a token; wants a learning_rate near 1e-3; unset: train the encoder.",
    )
    features_hidden_size: int = Field(768, ge=1, description="Width of each direction of that BiLSTM.")
    head_learning_rate: float | None = Field(
        None, gt=0, description="Peak rate of the layers that are new; unset: as all others."
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="A layer's rate over that of the layer above; embeddings learn slowest."
    )
    frozen_layers: int = Field(
        0, ge=0, description="So many of the lowest layers, and the embeddings with them, do not learn."
    )
    class_weights: ClassWeights | None = Field(
        None, description="Weight of each class in the loss by its label, or balanced; unset: all alike."
    )
    batch_size: int = Field(32, ge=1, description="Examples an update.")
    epochs: int = Field(3, ge=1, description="Passes over the training examples.")
    warmup_share: float = Field(0.1, ge=0, le=1, description="Share of the updates with a rising rate.")
    max_seq_length: int = Field(128, ge=8, description="Longest example in tokens; longer ones are cut.")
    train_examples: int | None = Field(
        None, ge=2, description="Train on so many examples, drawn by the seed; unset: on all."
    )
    initialization: Literal["pretrained", "random"] = Field(
        "pretrained", description="random: the model's shape and vocabulary, but not its weights."
    )
    dropout: float | None = Field(
        None, ge=0, lt=1, description="Dropout of all layers; unset: as in pre-training."
    )
    precision: Precision = Field("fp32", description="Of the forward and backward pass.")
    seed: int = Field(0, ge=0, description="Of the head, the order, dropout and the choice of examples.")

    @model_validator(mode="after")
    def _features_go_together(self) -> Self:
        if self.features is None and "features_hidden_size" in self.model_fields_set:
            raise ValueError(
                f"features_hidden_size = {self.features_hidden_size} has no meaning without features"
            )
        if self.features is not None and self.frozen_layers:
            raise ValueError(
                f"frozen_layers = {self.frozen_layers} has no meaning with features = {self.features}, "
                "where no layer of the encoder learns"
            )
        if self.features is not None and self.layer_decay != 1:
            raise ValueError(
                f"layer_decay = {self.layer_decay} has no meaning with features = {self.features}, "
                "where no layer of the encoder learns"
            )
        return self

    @property
    def feature_shape(self) -> FeatureShape | None:
        """Return what stands on a frozen encoder; none where the encoder is trained."""
        if self.features is None:
            return None
        return FeatureShape(layers=self.features, hidden_size=self.features_hidden_size)

    def plan(self, *, steps_an_epoch: int, layers: int, new: tuple[str, ...]) -> Plan:
        """Return how long and how to train.

        Args:
            steps_an_epoch: updates in a pass over the examples.
            layers: of the encoder.
            new: prefixes of the parameters that did not come with the model.
        """
        total_steps = self.epochs * steps_an_epoch
        return Plan(
            Schedule("linear", total_steps, warmup_steps=round(self.warmup_share * total_steps)),
            optimizer=self,
            precision=self.precision,
            seed=self.seed,
            guards=GUARDS,
            scale=Rates(
                layers,
                layer_decay=self.layer_decay,
                new=new,
                new_scale=(self.head_learning_rate or self.learning_rate) / self.learning_rate,
            ),
        )


class AnswerConfig(Settings):
    """What the sections ``eval`` and ``predict`` have in common.

    Attributes:
        SECTION: the name of the section, for messages.
    """

    SECTION: ClassVar[str]

    split: str = Field("dev", min_length=1, description="The part of the data to answer.")
    batch_size: int = Field(64, ge=1, description="Sequences a forward pass.")
    max_seq_length: int | None = Field(
        None, ge=8, description="Longest example in tokens; unset: as in fine-tuning."
    )
    precision: Precision = Field("fp32", description="Of the forward pass.")
