"""Full blocks: the stream of documents, cut without losing or repeating anything."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertpipe.instances.encoded import EncodedCorpus
from bertpipe.instances.format import SpecialIds
from bertpipe.instances.packing import Blocks, Stream, assemble_blocks, block_tasks, pack_blocks

CLS, SEP = 1, 2
SPECIALS = SpecialIds(CLS, SEP)


def corpus_of(shape: list[list[int]]) -> EncodedCorpus:
    """Documents of sentences of so many tokens, with the ids 10, 11, 12, ..."""
    lengths = [length for document in shape for length in document]
    ends = np.cumsum([0, *(len(document) for document in shape)])
    return EncodedCorpus(
        ids=np.arange(10, 10 + sum(lengths), dtype=np.uint16),
        sentence_bounds=np.cumsum([0, *lengths]),
        document_bounds=ends,
        draws=np.zeros(len(shape), dtype=np.uint64),
    )


shapes = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=shapes, size=st.integers(2, 20), passes=st.integers(1, 4), data=st.data())
def test_the_rows_of_each_pass_are_the_stream(
    shape: list[list[int]], size: int, passes: int, data: st.DataObject, tmp_path: Path
) -> None:
    """Joined again, the blocks of a pass are the documents with [SEP] between: none lost, none twice."""
    encoded = corpus_of(shape)
    chosen = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    documents = np.array(sorted(chosen))
    bounds = encoded.sentence_bounds[encoded.document_bounds]
    stream = []
    for document in sorted(chosen):
        stream += [*encoded.ids[bounds[document] : bounds[document + 1]].tolist(), SEP]
    Stream.of(documents, encoded).save(tmp_path / "stream.npy")
    opened = Stream.open(tmp_path / "stream.npy")
    blocks = Blocks(opened.slots, size, passes)
    packed = [
        pack_blocks(task, blocks=blocks, stream=tmp_path / "stream.npy") for task in block_tasks(blocks)
    ]
    instances = np.concatenate([one.instances for one in packed])
    input_ids, lengths = assemble_blocks(instances, opened, encoded.ids, specials=SPECIALS)
    ends = np.cumsum([0, *lengths.tolist()])
    rows = [input_ids[start:end].tolist() for start, end in pairwise(ends.tolist())]
    assert all(row[0] == CLS and row[-1] == SEP for row in rows)
    found = [slot for row in rows for slot in row[1:-1]]
    assert found == stream[:-1] * passes
    for row, instance in zip(rows, instances, strict=True):
        owners = [
            int(np.searchsorted(bounds, token - 10, side="right")) - 1 for token in row if token not in (1, 2)
        ]
        assert (instance["first_document"], instance["second_document"]) == (owners[0], owners[-1])


@given(slots=st.integers(1, 500), size=st.integers(1, 40), passes=st.integers(1, 10))
def test_all_blocks_but_the_outer_ones_are_full(slots: int, size: int, passes: int) -> None:
    """Each pass has at most two shorter blocks, its first and its last, and begins at another place."""
    blocks = Blocks(slots, size, passes)
    start, end = blocks.bounds(np.arange(blocks.count))
    firsts = np.flatnonzero(start == 0)
    assert len(firsts) == passes
    for first, behind in pairwise([*firsts.tolist(), blocks.count]):
        assert (end[first : behind - 1] == start[first + 1 : behind]).all()
        assert end[behind - 1] == slots
        assert ((end - start)[first + 1 : behind - 1] == size).all()
    if slots >= size >= passes:
        assert len({int(place) for place in end[firsts]}) == passes


def test_tasks_are_all_blocks_once() -> None:
    """However many blocks there are, each is in one task."""
    blocks = Blocks(10_000_000, 7, 2)
    tasks = block_tasks(blocks)
    assert len(tasks) > 2
    assert [task.start for task in tasks] == [0, *(task.end for task in tasks[:-1])]
    assert tasks[-1].end == blocks.count
