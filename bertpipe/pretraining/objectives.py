"""What pre-training asks of a model (Devlin et al. 2019, section 3.1)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch.nn import functional

from bertpipe.model import PretrainingModel, summed_cross_entropy
from bertpipe.pretraining.batches import PretrainingBatch, TrainingData, ValidationData
from bertpipe.training import UNCUT, Cut, Term


@dataclass(frozen=True)
class MaskedLanguageModelling:
    """Predict hidden tokens and, where the data asks, how the second segment belongs to the first."""

    model: PretrainingModel
    training: TrainingData
    validation: ValidationData

    @property
    def batch_size(self) -> int:
        """Return the number of sequences an update, over all processes."""
        return self.training.batch_size

    def micro_batches(self, step: int, cut: Cut = UNCUT) -> list[PretrainingBatch]:
        """Return this process's part of the data of one update."""
        return self.training.micro_batches(step, cut)

    def validation_batches(self, cut: Cut = UNCUT) -> Iterator[PretrainingBatch]:
        """Yield this process's part of the held-out sequences."""
        return self.validation.batches(cut)

    def terms(self, batch: PretrainingBatch) -> Mapping[str, Term]:
        """Return ``mlm`` (summed over predicted tokens) and ``nsp`` or ``sop`` (over sequences)."""
        token_logits, next_logits = self.model(batch.tokens, batch.readout)
        loss, correct = summed_cross_entropy(token_logits, batch.labels)
        terms = {"mlm": Term(loss=loss, correct=correct)}
        if next_logits is not None and batch.next_sentence_labels is not None:
            next_logits = next_logits.float()  # [B, 2]
            labels = batch.next_sentence_labels
            terms[batch.pair_objective] = Term(
                loss=functional.cross_entropy(next_logits, labels, reduction="sum"),
                correct=(next_logits.argmax(-1) == labels).sum(),
            )
        return terms
