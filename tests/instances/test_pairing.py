"""Documents are paired in step, and each as if it were alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.instances import pairing as module
from bertpipe.instances.encoded import EncodedCorpus
from bertpipe.instances.pairing import Objective, Pairing, _Pairer, pair_tasks
from bertpipe.instances.partners import SplitDocuments

shapes = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=12), min_size=2, max_size=8)


def pairer_of(shape: list[list[int]], objective: Objective) -> _Pairer:
    """Documents of sentences of so many tokens."""
    sentence_bounds = np.cumsum([0, *(length for document in shape for length in document)])
    document_bounds = np.cumsum([0, *map(len, shape)])
    encoded = EncodedCorpus(
        np.zeros(sentence_bounds[-1], dtype=np.uint16),
        sentence_bounds,
        document_bounds,
        draws=np.zeros(len(shape), dtype=np.uint64),
    )
    documents = SplitDocuments.of(np.arange(len(shape)), encoded.token_counts())
    return _Pairer(Pairing(objective, 24, 0.2, seed=3), encoded, documents, "train")


@pytest.mark.parametrize("objective", ["nsp", "sop", "none"])
@given(shape=shapes)
def test_a_document_is_paired_as_if_alone(objective: Objective, shape: list[list[int]]) -> None:
    """What else is worked on in the same step changes nothing, nor in which task a use falls."""
    pairer = pairer_of(shape, objective)
    uses = np.arange(2 * len(shape))
    together = pairer.pairs(uses)
    alone = [pairer.pairs(uses[number : number + 1]) for number in uses]
    assert together.instances.tolist() == np.concatenate([paired.instances for paired in alone]).tolist()
    assert together.cut == sum(paired.cut for paired in alone)
    assert together.truncated_tokens == sum(paired.truncated_tokens for paired in alone)


@given(shape=shapes)
def test_each_use_of_a_document_is_another_draw(shape: list[list[int]]) -> None:
    """All that differs is drawn anew: a long document is not cut the same way twice."""
    pairer = pairer_of([[5] * 60, *shape], "nsp")
    first, second = pairer.pairs(np.array([0])), pairer.pairs(np.array([1 + len(shape)]))
    assert first.instances.tolist() != second.instances.tolist()


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40), st.integers(1, 12), st.integers(1, 2000))
def test_tasks_cover_all_uses_once(token_counts: list[int], dupe_factor: int, tokens_a_task: int) -> None:
    """One task begins where another ends, none is empty, and none is much larger than asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TOKENS_A_TASK", tokens_a_task)
        tasks = pair_tasks(np.array(token_counts), dupe_factor=dupe_factor)
    bounds = [task.start for task in tasks] + [tasks[-1].end]
    assert bounds == sorted(set(bounds))
    assert [task.end for task in tasks] == bounds[1:]
    assert (bounds[0], bounds[-1]) == (0, len(token_counts) * dupe_factor)
    uses = token_counts * dupe_factor
    assert all(sum(uses[task.start : task.end]) <= tokens_a_task + 2 * max(token_counts) for task in tasks)


@pytest.mark.parametrize("objective", ["nsp", "sop", "none"])
def test_a_long_document_is_paired_in_stretches(
    objective: Objective, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one ends no sentence is lost, and there are hardly more pairs, or shorter ones."""
    shape = [[20] * 1000, [20] * 3]
    whole = pairer_of(shape, objective).pairs(np.array([0])).instances
    monkeypatch.setattr(module, "_SENTENCES_A_STRETCH", 100)
    cut = pairer_of(shape, objective).pairs(np.array([0])).instances
    assert cut.tolist() != whole.tolist() or objective == "none"
    assert abs(len(cut) / len(whole) - 1) < 0.05
    lengths = [rows["first_length"].astype(int).sum() for rows in (cut, whole)]
    assert abs(lengths[0] / lengths[1] - 1) < 0.05
    # Each stretch begins where the one before it ends.
    starts = np.sort(cut["first_start"])
    assert np.diff(starts).max() <= 80
    assert (starts[0] <= 20, starts[-1] >= 20_000 - 80) == (True, True)
