"""Figures of a prepared folder, against counts by hand."""

import numpy as np

from bertpipe.instances import IGNORE, Masked, Masker, MaskingConfig
from bertpipe.instances.mask_statistics import MaskStatistics

MASK = 4
MASKER = Masker(MaskingConfig(masked_lm_prob=0.3, max_predictions_per_seq=2), 50, MASK, (0, 1, 2, 3, MASK))
LENGTHS = np.array([6, 12, 4])


def statistics() -> MaskStatistics:
    """Of rows with 2, 2 and no predictions: two of them [MASK], one random, one kept."""
    labels = np.full(22, IGNORE)
    input_ids = np.arange(10, 32)
    labels[[1, 3, 8, 9]] = [11, 13, 18, 19]
    input_ids[[1, 8]] = MASK
    input_ids[3] = 40
    return MaskStatistics.of(Masked(input_ids, labels), LENGTHS, MASKER)


def test_masks_are_counted_by_what_the_model_sees() -> None:
    """Counts of a case made by hand; the row of 12 asks for 4 predictions and may have 2."""
    assert statistics().as_json() == {
        "rows": 3,
        "predictions": 4,
        "predicted_share": 0.181818,
        "mask_share": 0.5,
        "random_share": 0.25,
        "keep_share": 0.25,
        "predictions_per_row": 1.333333,
        "most_predictions": 2,
        "capped_rows": 1,
        "rows_without_predictions": 1,
    }


def test_counts_add_up() -> None:
    """The counts of shards are those of the split: all are sums but the largest."""
    double = (statistics() + MaskStatistics() + statistics()).as_json()
    single = statistics().as_json()
    counts = ("rows", "predictions", "capped_rows", "rows_without_predictions")
    assert double == single | {name: 2 * single[name] for name in counts}


def test_no_rows_have_no_shares() -> None:
    """Nothing is divided by nothing."""
    assert set(MaskStatistics().as_json().values()) == {0}
