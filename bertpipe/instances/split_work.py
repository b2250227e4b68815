"""One split of a corpus, and how far the work on it has come."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from bertpipe.artifacts import GrowingFiles
from bertpipe.instances.mask_statistics import MaskStatistics
from bertpipe.instances.pairing import Paired, Pairing, PairTask
from bertpipe.instances.statistics import SplitStatistics
from bertpipe.instances.writing import ShardTask, WrittenShard

INSTANCES = "instances.bin"


@dataclass(frozen=True)
class Split:
    """Some documents of the corpus.

    Attributes:
        name: ``train`` or ``validation``.
        documents: their numbers, in order, int64 ``[D]``.
        dupe_factor: how often each is used.
    """

    name: str
    documents: NDArray[np.int64]
    dupe_factor: int


class SplitIndex:
    """The instances of one split, in the making."""

    def __init__(
        self,
        tasks: Sequence[PairTask],
        make: Callable[[PairTask], Paired],
        grown: GrowingFiles,
        pairing: Pairing,
    ) -> None:
        self.make, self.grown, self.tasks = make, grown, tasks
        self.left = tasks[grown.items :]
        self.total = tasks[-1].end
        self.done = self.left[0].start if self.left else self.total
        self.statistics = SplitStatistics.of(pairing, grown.restored(SplitStatistics(pairing).state))

    def add(self, paired: Paired) -> None:
        """Keep what a task has made."""
        self.grown.append(INSTANCES, paired.instances)
        self.statistics.add(paired)
        self.grown.finish_item(self.statistics.state)


class SplitShards:
    """The shards of one split, in the making."""

    def __init__(
        self,
        tasks: Sequence[ShardTask],
        write: Callable[[ShardTask], WrittenShard],
        grown: GrowingFiles,
    ) -> None:
        self.write, self.grown, self.tasks = write, grown, tasks
        self.left = tasks[grown.items :]
        self.masks = MaskStatistics(**grown.restored(asdict(MaskStatistics())))

    def add(self, written: WrittenShard) -> None:
        """Count a shard that is written."""
        self.masks += written.masks
        self.grown.finish_item(asdict(self.masks))
