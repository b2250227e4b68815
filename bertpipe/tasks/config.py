"""How a model is fine-tuned, and how it answers."""

from typing import Literal

from pydantic import Field

from bertpipe.configs import Settings
from bertpipe.model import FeatureShape, Layers
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

    @property
    def feature_shape(self) -> FeatureShape | None:
        """Return what stands on a frozen encoder; none where the encoder is trained."""
        if self.features is None:
            return None
        return FeatureShape(layers=self.features, hidden_size=self.features_hidden_size)

    def plan(self, *, steps_an_epoch: int) -> Plan:
        """Return how long and how to train."""
        total_steps = self.epochs * steps_an_epoch
        return Plan(
            Schedule("linear", total_steps, warmup_steps=round(self.warmup_share * total_steps)),
            optimizer=self,
            precision=self.precision,
            seed=self.seed,
            guards=GUARDS,
        )


class AnswerConfig(Settings):
    """What the sections ``eval`` and ``predict`` have in common."""

    batch_size: int = Field(64, ge=1, description="Sequences a forward pass.")
    max_seq_length: int | None = Field(
        None, ge=8, description="Longest example in tokens; unset: as in fine-tuning."
    )
    precision: Precision = Field("fp32", description="Of the forward pass.")
