"""The loss of a model that knows how often each token occurs, and nothing else.

A BERT that does not start to learn rests near it for a long time (its masked LM loss then is the unigram
entropy of the text), so this is the figure to compare a loss with.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bertpipe.instances.format import IGNORE
from bertpipe.instances.shards import ShardSet

_SAMPLED_ROWS = 16_384
_ROWS_AT_ONCE = 512


def unigram_entropy(shards: ShardSet, *, special_ids: Iterable[int], rows: int = _SAMPLED_ROWS) -> float:
    """Return the entropy of the tokens that masking may choose, in nats.

    Args:
        shards: a split; of its rows at most ``rows`` are read, evenly spaced, always the same.
        special_ids: what is never predicted, such as ``[CLS]``.
        rows: bound on the work, and on the memory.
    """
    count = min(rows, len(shards))
    numbers = np.arange(count) * len(shards) // max(1, count)
    counts = np.zeros(shards.vocab_size, dtype=np.int64)
    for start in range(0, count, _ROWS_AT_ONCE):
        found = shards.rows(numbers[start : start + _ROWS_AT_ONCE])
        originals = found.input_ids
        if found.labels is not None:  # static masks: the shards hold what the model sees
            originals = np.where(found.labels == IGNORE, originals, found.labels)
        counts += np.bincount(originals, minlength=len(counts))
    counts[list(special_ids)] = 0
    return entropy_of(counts)


def entropy_of(counts: NDArray[np.int64]) -> float:
    """Return the entropy of a distribution given by counts, in nats; 0 where nothing was counted."""
    seen = counts[counts > 0].astype(np.float64)
    shares = seen / max(seen.sum(), 1.0)
    return float(-(shares * np.log(shares)).sum()) + 0.0
