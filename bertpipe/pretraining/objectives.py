"""What pre-training asks of a model (Devlin et al. 2019, section 3.1)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch.nn import functional

from bertpipe.model import PretrainingModel
from bertpipe.pretraining.batches import PretrainingBatch, TrainingData, ValidationData
from bertpipe.training import Term


@dataclass(frozen=True)
class MaskedLanguageModelling:
    """Predict hidden tokens and, where the data asks, whether the second segment follows."""

    model: PretrainingModel
    training: TrainingData
    validation: ValidationData

    def micro_batches(self, step: int) -> list[PretrainingBatch]:
        """Return the data of one update."""
        return self.training.micro_batches(step)

    def validation_batches(self) -> Iterator[PretrainingBatch]:
        """Yield the held-out sequences."""
        return iter(self.validation)

    def terms(self, batch: PretrainingBatch) -> Mapping[str, Term]:
        """Return ``mlm`` (summed over predicted tokens) and ``nsp`` (over sequences)."""
        token_logits, next_logits = self.model(batch.tokens, batch.predicted)
        token_logits = token_logits.float()  # [P, V]
        terms = {
            "mlm": Term(
                loss=functional.cross_entropy(token_logits, batch.labels, reduction="sum"),
                correct=(token_logits.argmax(-1) == batch.labels).sum(),
            )
        }
        if next_logits is not None and batch.next_sentence_labels is not None:
            next_logits = next_logits.float()  # [B, 2]
            labels = batch.next_sentence_labels
            terms["nsp"] = Term(
                loss=functional.cross_entropy(next_logits, labels, reduction="sum"),
                correct=(next_logits.argmax(-1) == labels).sum(),
            )
        return terms
