"""What masking did, in figures."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertpipe.instances.epochs import mask_key, row_numbers
from bertpipe.instances.format import IGNORE
from bertpipe.instances.masking import Masked, Masker
from bertpipe.instances.ragged import ragged
from bertpipe.instances.shards import ShardSet

_SAMPLED_ROWS = 4096
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class MaskStatistics:
    """Counts over the masks of some rows, by what the model sees.

    Attributes:
        rows: number of rows.
        tokens: tokens in them, with special tokens.
        predictions: tokens to predict.
        masked: those that became ``[MASK]``.
        kept: those that stayed, also where a random token happens to be the original.
        most: predictions in the row that has most.
        capped_rows: rows that have fewer than the share asks for because of the upper bound.
        empty_rows: rows in which there is nothing to predict.
    """

    rows: int = 0
    tokens: int = 0
    predictions: int = 0
    masked: int = 0
    kept: int = 0
    most: int = 0
    capped_rows: int = 0
    empty_rows: int = 0

    @classmethod
    def of(cls, masked: Masked, lengths: NDArray[np.int64], masker: Masker) -> "MaskStatistics":
        """Count the masks of rows of these lengths, int64 ``[B]``."""
        predicted = masked.labels != IGNORE
        seen, originals = masked.input_ids[predicted], masked.labels[predicted]
        row_of, _ = ragged(lengths)
        by_row = np.bincount(row_of[predicted], minlength=len(lengths))
        return cls(
            rows=len(lengths),
            tokens=len(predicted),
            predictions=len(seen),
            masked=int((seen == masker.mask_id).sum()),
            kept=int((seen == originals).sum()),
            most=int(by_row.max(initial=0)),
            capped_rows=int((masker.asked_for(lengths) > masker.most).sum()),
            empty_rows=int((by_row == 0).sum()),
        )

    def __add__(self, other: "MaskStatistics") -> "MaskStatistics":
        """Return the counts over both."""
        ours, theirs = asdict(self), asdict(other)
        sums = {name: value + theirs[name] for name, value in ours.items()}
        return MaskStatistics(**sums | {"most": max(self.most, other.most)})

    def as_json(self) -> dict[str, Any]:
        """Return the figures."""
        random = self.predictions - self.masked - self.kept
        return {
            "rows": self.rows,
            "predictions": self.predictions,
            "predicted_share": share(self.predictions, self.tokens),
            "mask_share": share(self.masked, self.predictions),
            "random_share": share(random, self.predictions),
            "keep_share": share(self.kept, self.predictions),
            "predictions_per_row": share(self.predictions, self.rows),
            "most_predictions": self.most,
            "capped_rows": self.capped_rows,
            "rows_without_predictions": self.empty_rows,
        }


def sample_masks(shards: ShardSet, masker: Masker, *, seed: int, rows: int = _SAMPLED_ROWS) -> MaskStatistics:
    """Return counts over the first rows that ``pretrain`` sees, masked as it masks them dynamically.

    Args:
        shards: the training shards, without stored masks.
        masker: what ``pretrain`` would use.
        seed: as ``pretrain.seed``.
        rows: how many of the first epoch's rows to count at most.
    """
    counts = MaskStatistics()
    count = min(rows, len(shards))
    for start in range(0, count, _ROWS_AT_ONCE):
        places = np.arange(start, min(start + _ROWS_AT_ONCE, count))
        found = shards.rows(row_numbers(places, rows=len(shards), seed=seed))
        masked = masker.mask(found, places, key=mask_key(seed))
        counts += MaskStatistics.of(masked, found.lengths, masker)
    return counts


def share(part: int, whole: int) -> float:
    """Return ``part / whole`` to six digits, 0 where there is nothing."""
    return round(part / whole, 6) if whole else 0.0
