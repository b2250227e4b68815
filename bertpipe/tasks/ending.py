"""How a fine-tuned model has turned out: a run that has collapsed must not pass for a result.

On few examples fine-tuning ends, with some seeds, in a model that answers the same for everything (Devlin et
al. 2019, section 4.1, on the large model; Mosbach et al. 2021).
"""

from collections.abc import Mapping
from dataclasses import dataclass

# A model that has learned nothing is near the baseline, on either side of it.
MARGIN = 0.01


@dataclass(frozen=True)
class Ending:
    """What is known of a model after its fine-tuning, as ``metrics.json`` has it.

    Attributes:
        dev: scores on the dev split.
        last: the last row of the curve.
        baseline_loss: the training loss of the best constant answer; none where there is no such answer.
        constant_prediction: whether all answers to dev are the same, though different ones are right.
    """

    dev: Mapping[str, float]
    last: Mapping[str, float]
    baseline_loss: float | None
    constant_prediction: bool

    @property
    def below_baseline(self) -> bool | None:
        """Tell whether the training loss over the last epoch got below that of the best constant answer."""
        if self.baseline_loss is None:
            return None
        return self.last["train_loss"] < (1 - MARGIN) * self.baseline_loss

    @property
    def warning(self) -> str | None:
        """Return what to say of a run that has collapsed; none of one that has not."""
        signs = []
        if self.constant_prediction:
            signs.append("it answers the same for everything in dev")
        if self.below_baseline is False:
            signs.append(
                f"its training loss over the last epoch, {self.last['train_loss']:.4f}, is not below "
                f"{self.baseline_loss:.4f}, that of the best constant answer"
            )
        if not signs:
            return None
        return (
            f"this run has collapsed: {', and '.join(signs)}; another finetune.seed, a lower "
            "finetune.learning_rate or more epochs usually help"
        )
