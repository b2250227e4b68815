"""Noticing a masked LM that does not use the context, or whose text repeats itself.

A model first learns how frequent each token is. That alone brings its loss to the unigram entropy H
of the text; where masking leaves some tokens as they are, it also learns that what it sees may be
the answer, which brings 80 % [MASK], 10 % random, 10 % kept to 0.8 H + 0.2 (H / 2 + ln 2), or
0.9 H + 0.14. Only what lies below that has been learned from the context.
"""

from collections.abc import MutableMapping
from typing import Literal

Change = Literal["plateau", "plateau ends", "repetition"]

HORIZON = 100
# A loss of at least this share of the entropy has nothing from the context (see above).
CONTEXT_FREE_SHARE = 0.9
# A fall by less than this share of the entropy is none.
FALL_SHARE = 0.03
# Less than this share of it no natural text allows: BERT large ended at 1.17 nats (Devlin et al. 2019, table
# 6: perplexity 3.23), which is more than a seventh of the entropy of English in 30,000 pieces.
REPETITION_SHARE = 0.125
SHORTEST_PATIENCE, LONGEST_PATIENCE = 500, 10_000


def usual_patience(total_steps: int) -> int:
    """Return how many updates without a fall are remarkable in a run of that length."""
    return min(max(SHORTEST_PATIENCE, total_steps // 10), LONGEST_PATIENCE)


class MaskedLossDetector:
    """Watches the running mean of the masked LM loss after the warm-up."""

    def __init__(
        self,
        state: MutableMapping[str, float],
        *,
        unigram_entropy: float,
        warmup_steps: int,
        patience_steps: int,
    ) -> None:
        """Go on from the numbers in ``state``, which is kept up to date."""
        self._state = state
        self._floor = CONTEXT_FREE_SHARE * unigram_entropy
        self._fall = FALL_SHARE * unigram_entropy
        self._repetition = REPETITION_SHARE * unigram_entropy
        self._warmup_steps = warmup_steps
        self._patience_steps = patience_steps

    @property
    def mean(self) -> float:
        """Return the running mean of the loss."""
        return self._state["mlm_mean"]

    def saw(self, step: int, mlm_loss: float) -> Change | None:
        """Take the loss of update ``step`` (from 1); return what begins or ends with it."""
        state = self._state
        updates = state["mlm_updates"] = state.get("mlm_updates", 0) + 1
        mean = state.get("mlm_mean", mlm_loss)
        mean += (mlm_loss - mean) / min(updates, HORIZON)
        state["mlm_mean"] = mean
        is_learning = mean < self._floor or mean < state.get("mlm_level", mean) - self._fall
        if step <= self._warmup_steps or updates == 1 or is_learning:
            state.update(mlm_level=mean, mlm_level_step=step)
        return self._repeats() or self._stays(step, is_inside=mean >= self._floor)

    def _repeats(self) -> Change | None:
        state = self._state
        was_low = state.get("mlm_is_low", 0)
        is_low = state["mlm_updates"] >= HORIZON and state["mlm_mean"] < self._repetition
        state["mlm_is_low"] = int(was_low or is_low)
        return "repetition" if is_low and not was_low else None

    def _stays(self, step: int, *, is_inside: bool) -> Change | None:
        state = self._state
        if state.get("on_plateau"):
            state["on_plateau"] = int(is_inside)
            return None if is_inside else "plateau ends"
        begins = is_inside and step - state["mlm_level_step"] >= self._patience_steps
        state["on_plateau"] = int(begins)
        return "plateau" if begins else None
