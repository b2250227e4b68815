"""How much computing pre-training asks for."""

import numpy as np

from bertpipe import randomness
from bertpipe.instances.shards import ShardSet
from bertpipe.model import ModelShape
from bertpipe.model.flops import training_flops
from bertpipe.pretraining.batches import BatchMaker

_SAMPLED_ROWS = 4096


def flops_per_token(shape: ModelShape, shards: ShardSet, maker: BatchMaker) -> float:
    """Return the useful floating-point operations to train on a real token, on the average.

    The lengths and predictions are those of the first rows, which are shuffled.
    """
    numbers = np.arange(min(len(shards), _SAMPLED_ROWS))
    rows = shards.rows(numbers)
    batch = maker.batch(rows, numbers, key=randomness.key(0, "flops"))
    operations = training_flops(
        shape,
        rows.lengths,
        predictions=batch.readout.grid.bounds.diff().numpy().astype(np.int64) - 1,
        sequence_outputs=0 if batch.next_sentence_labels is None else 2,
    )
    return operations / int(rows.lengths.sum())
