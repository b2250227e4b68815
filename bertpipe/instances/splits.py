"""Which documents are kept for validation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertpipe.errors import CorpusError

# A random next segment needs another document.
NEEDED_DOCUMENTS = {"nsp": 2, "sop": 1, "none": 1, "packed": 1}
# A single token cannot be cut into two segments.
NEEDED_TOKENS = {"nsp": 2, "sop": 2, "none": 1, "packed": 1}


@dataclass(frozen=True)
class Splits:
    """Numbers of the documents of each split, in order.

    Attributes:
        train: int64 ``[D]``.
        validation: int64 ``[D]``.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def split_documents(
    draws: NDArray[np.uint64], usable: NDArray[np.bool_], *, validation_share: float, objective: str
) -> Splits:
    """Choose validation documents by the draw of their content.

    So duplicates of a document fall on the same side, and a document stays on its side when others
    are added. Where the share would leave either side fewer documents than the objective needs,
    the lowest or highest draws make up for it.

    Args:
        draws: random bits by content, uint64 ``[D]``.
        usable: whether a document has tokens enough for the objective, bool ``[D]``.
        validation_share: about how many of the documents to keep.
        objective: what the second segment is.

    Raises:
        CorpusError: there are too few documents for two splits.
    """
    needed = NEEDED_DOCUMENTS[objective]
    ordered = np.sort(draws[usable])
    if len(ordered) < 2 * needed:
        raise _too_few(f"{len(ordered)} documents", needed, objective)
    below_share = int(np.searchsorted(ordered, np.uint64(int(validation_share * 2.0**64))))
    largest = ordered[min(max(below_share, needed), len(ordered) - needed) - 1]
    splits = Splits(
        train=np.flatnonzero(usable & (draws > largest)),
        validation=np.flatnonzero(usable & (draws <= largest)),
    )
    if len(splits.train) < needed:
        different = len(np.unique(ordered))
        found = (
            f"{len(ordered)} documents, {different} of them different, of which "
            f"{len(splits.validation)} fell to validation and {len(splits.train)} to training"
        )
        raise _too_few(found, needed, objective)
    return splits


def _too_few(found: str, needed: int, objective: str) -> CorpusError:
    return CorpusError(
        f"the corpus is too small for prepare.objective = {objective}: found {found}; needed are "
        f"{2 * needed}: {needed} for training and {needed} for validation",
        hint="add documents, or see whether corpus.documents finds where they end"
        + (", or set prepare.objective to none" if needed > 1 else ""),
    )
