"""Masks that are drawn once depend on the row's number, and can be undone."""

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.instances import Masker, MaskingConfig
from bertpipe.instances.static import StaticMasks, StoredMasks

CONTINUES = np.arange(2000) % 4 == 0


def static(split: str = "train", seed: int = 1, **settings: object) -> StaticMasks:
    values = {"mode": "static", "unit": "whole_word"} | settings
    config = MaskingConfig.model_validate(values).bounded(max_seq_length=64)
    return StaticMasks.of(Masker(config, 2000, 4, tuple(range(5)), CONTINUES), seed=seed, split=split)


def row(number: int, length: int) -> list[int]:
    return [2, *(5 + (number * 31 + position * 17) % 1995 for position in range(length)), 3]


def draw(masks: StaticMasks, rows: list[list[int]], *, first_row: int = 0) -> StoredMasks:
    flat = np.array([token for row in rows for token in row], dtype=np.uint16)
    return masks.draw(flat, np.array([len(row) for row in rows]), first_row=first_row)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.data())
def test_rows_are_masked_alike_however_they_are_divided(lengths: list[int], data: st.DataObject) -> None:
    """A shard that begins at row 5 masks it as the one that holds all rows does."""
    rows = [row(number, length) for number, length in enumerate(lengths)]
    cut = data.draw(st.integers(0, len(rows) - 1))
    whole, first, second = (
        draw(static(), rows),
        draw(static(), rows[:cut]) if cut else None,
        draw(static(), rows[cut:], first_row=cut),
    )
    parts = [part for part in (first, second) if part is not None]
    for name in ("input_ids", "positions", "ids", "counts"):
        assert (
            np.concatenate([getattr(part, name) for part in parts]).tolist() == getattr(whole, name).tolist()
        )


def test_many_rows_are_masked_as_few() -> None:
    """Rows are worked on in groups, which does not show."""
    rows = [row(number, 60) for number in range(3000)]
    together = draw(static(), rows)
    alone = draw(static(), rows[2900:2901], first_row=2900)
    start = int(together.counts[:2900].sum())
    assert together.positions[start : start + alone.counts[0]].tolist() == alone.positions.tolist()
    assert together.input_ids[2900 * 62 : 2901 * 62].tolist() == alone.input_ids.tolist()
    assert together.statistics.rows == 3000
    assert together.statistics.predictions == len(together.positions) == together.counts.sum()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_the_stored_originals_restore_the_rows(lengths: list[int]) -> None:
    """Putting them where they belong undoes the masks; types are those of the shard."""
    rows = [row(number, length) for number, length in enumerate(lengths)]
    stored = draw(static(), rows)
    restored = stored.input_ids.copy()
    starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
    restored[np.repeat(starts, stored.counts) + stored.positions] = stored.ids
    assert restored.tolist() == [token for row in rows for token in row]
    assert {stored.input_ids.dtype, stored.positions.dtype, stored.ids.dtype} == {np.dtype(np.uint16)}


def test_splits_and_seeds_have_masks_of_their_own() -> None:
    """Otherwise row 3 of one split would hide what row 3 of the other does."""
    rows = [row(0, 60)] * 20
    drawn = [
        draw(masks, rows).positions.tolist()
        for masks in (static(), static("validation"), static(seed=2), static())
    ]
    assert drawn[0] == drawn[3] and drawn[0] != drawn[1] != drawn[2] != drawn[0]


def test_the_same_text_is_hidden_anew_in_each_row() -> None:
    """With dupe_factor a text has several rows, each with masks of its own (appendix A.2)."""
    stored = draw(static(), [row(0, 60)] * 10)
    positions = np.split(stored.positions, np.cumsum(stored.counts)[:-1])
    assert len({tuple(of_row.tolist()) for of_row in positions}) == 10


def test_workers_get_the_same_masks() -> None:
    """What is drawn survives being sent to another process."""
    rows = [row(number, 40) for number in range(20)]
    masks = static(unit="span")
    sent: StaticMasks = pickle.loads(pickle.dumps(masks))
    assert draw(sent, rows).input_ids.tolist() == draw(masks, rows).input_ids.tolist()
    assert sent.settings == masks.settings
