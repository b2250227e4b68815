"""Full blocks, cut from the stream of all documents (Liu et al. 2019, section 4.2, FULL-SENTENCES).

The documents of a split stand one after another in reading order, with a ``[SEP]`` between two. The
stream is cut wherever a block is full, also inside a sentence: so every row is as long as can be, and
no token is lost, repeated or cut off. Rows cross documents, and so does the model's attention.

A place in the stream is a *slot*: a token, or the ``[SEP]`` behind a document.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertpipe.instances.encoded import EncodedCorpus
from bertpipe.instances.format import SpecialIds
from bertpipe.instances.pairing import INSTANCE, Paired, PairTask
from bertpipe.instances.ragged import ragged
from bertpipe.instances.segments import NOT_ASKED

Numbers = NDArray[np.int64]

_BLOCKS_A_TASK = 2**17


@dataclass(frozen=True)
class Stream:
    """The documents of a split, one after another.

    Attributes:
        starts: the slot where each document starts, and the one behind the last ``[SEP]``, int64 ``[D + 1]``.
        documents: their numbers, int64 ``[D]``.
        tokens: where each starts in the encoded corpus, int64 ``[D]``.
    """

    starts: Numbers
    documents: Numbers
    tokens: Numbers

    @classmethod
    def of(cls, documents: Numbers, encoded: EncodedCorpus) -> "Stream":
        """Put documents that have a token each, by number in reading order, int64 ``[D]``, in a row."""
        counts = encoded.token_counts()[documents]
        tokens = encoded.sentence_bounds[encoded.document_bounds[documents]]
        return cls(np.concatenate([[0], np.cumsum(counts + 1)]), documents, tokens)

    @classmethod
    def open(cls, path: Path) -> "Stream":
        """Map what ``save`` has written."""
        starts, documents, tokens = np.asarray(np.load(path, mmap_mode="r"))
        return cls(starts, documents[:-1], tokens[:-1])

    def save(self, path: Path) -> None:
        """Write the stream to a ``.npy`` file."""
        np.save(path, np.stack([self.starts, np.append(self.documents, 0), np.append(self.tokens, 0)]))

    @property
    def slots(self) -> int:
        """Number of slots; none is behind the last document."""
        return int(self.starts[-1]) - 1

    def places(self, slots: Numbers) -> Numbers:
        """Return which document of the stream each slot belongs to, int64 ``[N]``."""
        return np.searchsorted(self.starts, slots, side="right") - 1


@dataclass(frozen=True)
class Blocks:
    """Where the stream is cut, in each of several passes over it.

    Each pass cuts at other slots, evenly apart, so only its first and its last block can be shorter.

    Attributes:
        slots: length of the stream.
        size: slots of a full block.
        passes: how often the stream is cut.
    """

    slots: int
    size: int
    passes: int

    @property
    def count(self) -> int:
        """Number of blocks of all passes."""
        return int(self._ends[-1])

    def bounds(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        """Return the first slot of each block, and the one behind it, both int64 ``[N]``."""
        turn = np.searchsorted(self._ends, numbers, side="right")
        within = numbers - np.concatenate([[0], self._ends])[turn]
        start = self._offsets[turn] + within * self.size
        return np.maximum(start, 0), np.minimum(start + self.size, self.slots)

    @property
    def _offsets(self) -> Numbers:
        return -(self.size * np.arange(self.passes, dtype=np.int64) // self.passes)

    @property
    def _ends(self) -> Numbers:
        return np.cumsum(-(-(self.slots - self._offsets) // self.size))


def block_tasks(blocks: Blocks) -> list[PairTask]:
    """Divide the blocks into tasks of similar size, the same for any number of workers."""
    tasks = -(-blocks.count // _BLOCKS_A_TASK)
    bounds = [blocks.count * number // tasks for number in range(tasks + 1)]
    return [PairTask(start, end) for start, end in pairwise(bounds)]


def pack_blocks(task: PairTask, *, blocks: Blocks, stream: Path) -> Paired:
    """Return some blocks as instances whose places are slots: what a worker does."""
    opened = Stream.open(stream)
    start, end = blocks.bounds(np.arange(task.start, task.end))
    instances = np.zeros(len(start), dtype=INSTANCE)
    instances["first_start"], instances["first_length"] = start, end - start
    # Where a block begins with the [SEP] behind a document, the next one is its first.
    instances["first_document"] = opened.documents[opened.places(start + 1)]
    instances["second_document"] = opened.documents[opened.places(end - 1)]
    instances["next_sentence_label"] = NOT_ASKED
    return Paired(instances, cut=0, truncated_tokens=0)


def assemble_blocks(
    instances: NDArray[np.void], stream: Stream, ids: NDArray[Any], *, specials: SpecialIds
) -> tuple[NDArray[Any], Numbers]:
    """Return ``[CLS] block [SEP]`` of each instance, with ``[SEP]`` between documents.

    Args:
        instances: of type ``INSTANCE`` ``[n]``, from ``pack_blocks``.
        stream: the one that they were cut from.
        ids: all tokens of the corpus.
        specials: ids around blocks and between documents.

    Returns:
        The ids of all rows one after another ``[T]``, and the rows' lengths, int64 ``[n]``.
    """
    start, lengths = instances["first_start"], instances["first_length"].astype(np.int64) + 2
    first, last = stream.places(start), stream.places(start + lengths - 3)
    row_of, nth = ragged(last - first + 1)
    place = first[row_of] + nth
    begin = np.maximum(stream.starts[place], start[row_of])
    behind = np.minimum(stream.starts[place + 1], (start + lengths - 2)[row_of])
    piece_of, position = ragged(behind - begin)
    source = (begin - stream.starts[place] + stream.tokens[place])[piece_of] + position
    # Where a [SEP] goes, the place may lie outside; it is overwritten below.
    tokens = ids[np.minimum(source, len(ids) - 1)]
    tokens[np.cumsum(behind - begin)[behind == stream.starts[place + 1]] - 1] = specials.sep_id
    ends = np.cumsum(lengths)
    inside = np.ones(int(lengths.sum()), dtype=bool)
    inside[ends - lengths] = inside[ends - 1] = False
    input_ids = np.full(len(inside), specials.sep_id, dtype=ids.dtype)
    input_ids[ends - lengths] = specials.cls_id
    input_ids[inside] = tokens
    return input_ids, lengths
