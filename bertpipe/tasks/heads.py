"""What stands on the encoder for a task, by the name of the Hugging Face class that has the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch

from bertpipe.model import ModelShape, SequenceModel, TokenModel

TaskModel = SequenceModel | TokenModel

BUILDERS: Mapping[str, Callable[..., TaskModel]] = {
    "BertForSequenceClassification": SequenceModel,
    "BertForMultipleChoice": SequenceModel,
    "BertForTokenClassification": partial(TokenModel, has_dropout=True),
    "BertForQuestionAnswering": partial(TokenModel, has_dropout=False),
}


@dataclass(frozen=True)
class Head:
    """A head of a task.

    Attributes:
        architecture: a key of ``BUILDERS``.
        outputs: numbers that it gives for a sequence or a token, C.
    """

    architecture: str
    outputs: int

    def build(self, shape: ModelShape) -> TaskModel:
        """Return an encoder with this head, drawn from torch's generator: seed it first."""
        return BUILDERS[self.architecture](shape, outputs=self.outputs)

    def build_empty(self, shape: ModelShape) -> TaskModel:
        """Return the same with weights that are still to be read: to draw them takes far longer."""
        with torch.device("meta"):
            model = self.build(shape)
        return model.to_empty(device="cpu")
