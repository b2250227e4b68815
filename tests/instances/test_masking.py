"""Masked LM as in the paper: what is chosen, what is put in its place, and that it can be undone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from bertpipe.configs import Params
from bertpipe.configs import Settings as SettingsBase
from bertpipe.errors import ConfigError
from bertpipe.instances import IGNORE, Masked, MaskingConfig, Rows, mask_rows, max_predictions

VOCAB_SIZE = 50
PAD, UNK, CLS, SEP, MASK = SPECIAL = range(5)


def rows_of(segments: list[list[int]]) -> Rows:
    """Rows of one segment each, between ``[CLS]`` and ``[SEP]``."""
    rows = [[CLS, *segment, SEP] for segment in segments]
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    flat = np.array([token for row in rows for token in row], dtype=np.int64)
    return Rows(flat, lengths, lengths.copy(), np.full(len(rows), IGNORE, dtype=np.int64))


def mask(
    rows: Rows,
    numbers: NDArray[np.int64] | None = None,
    *,
    config: MaskingConfig | None = None,
    key: int = 1,
    most: int = 1000,
) -> Masked:
    return mask_rows(
        rows,
        np.arange(len(rows.lengths)) if numbers is None else numbers,
        config=config or MaskingConfig(),
        key=key,
        vocab_size=VOCAB_SIZE,
        mask_id=MASK,
        special_ids=SPECIAL,
        max_predictions=most,
    )


def many_rows(count: int = 3000, length: int = 40) -> Rows:
    tokens = np.random.Generator(np.random.PCG64(7)).integers(len(SPECIAL), VOCAB_SIZE, (count, length))
    return rows_of(tokens.tolist())


segments = st.lists(st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=0, max_size=40), min_size=0, max_size=8)
keys = st.integers(0, 2**128 - 1)


@given(segments, keys, st.integers(1, 6))
def test_labels_restore_the_original_tokens(segments: list[list[int]], key: int, most: int) -> None:
    """Putting the labels back where they belong undoes the corruption."""
    rows = rows_of(segments)
    before = rows.input_ids.copy()
    masked = mask(rows, key=key, most=most)
    assert np.where(masked.labels == IGNORE, masked.input_ids, masked.labels).tolist() == before.tolist()
    assert rows.input_ids.tolist() == before.tolist()


@given(segments, keys, st.integers(1, 6))
def test_the_number_of_predictions_is_that_of_the_original_code(
    segments: list[list[int]], key: int, most: int
) -> None:
    """min(max_predictions_per_seq, max(1, round(len(tokens) * masked_lm_prob))), as far as there are tokens.

    The formula stands in create_pretraining_data.py of google-research/bert.
    """
    masked = mask(rows_of(segments), key=key, most=most)
    start = 0
    for segment in segments:
        length = len(segment) + 2
        chosen = int((masked.labels[start : start + length] != IGNORE).sum())
        ordinary = sum(token not in SPECIAL for token in segment)
        assert chosen == min(most, max(1, round(length * 0.15)), ordinary)
        start += length


@given(segments, keys)
def test_special_tokens_are_neither_chosen_nor_inserted(segments: list[list[int]], key: int) -> None:
    """[CLS], [SEP], [PAD], [UNK] and [MASK] stay, and only [MASK] comes in."""
    config = MaskingConfig(masked_lm_prob=0.9, mask_share=0.0, random_share=1.0, keep_share=0.0)
    rows = rows_of(segments)
    masked = mask(rows, config=config, key=key)
    special = np.isin(rows.input_ids, SPECIAL)
    assert (masked.labels[special] == IGNORE).all()
    assert not np.isin(masked.input_ids[~special], SPECIAL).any()


@given(segments, keys, st.data())
def test_a_row_is_masked_alike_in_any_batch(segments: list[list[int]], key: int, data: st.DataObject) -> None:
    """Its key and number decide, not the rows around it nor their order."""
    numbers = np.array([10 * number + 3 for number in range(len(segments))], dtype=np.int64)
    together = mask(rows_of(segments), numbers, key=key)
    order = data.draw(st.permutations(range(len(segments))))
    shuffled = mask(rows_of([segments[i] for i in order]), numbers[list(order)], key=key)
    starts = np.cumsum([0, *(len(segment) + 2 for segment in segments)])
    start = 0
    for i in order:
        length = len(segments[i]) + 2
        alone = mask(rows_of([segments[i]]), numbers[[i]], key=key)
        for one, other in ((together, starts[i]), (shuffled, start)):
            assert one.input_ids[other : other + length].tolist() == alone.input_ids.tolist()
            assert one.labels[other : other + length].tolist() == alone.labels.tolist()
        start += length


def test_another_key_or_number_is_another_draw() -> None:
    """Each epoch and each row has its own masks."""
    rows = many_rows(50)
    assert (mask(rows, key=1).labels != mask(rows, key=2).labels).any()
    assert (mask(rows).labels != mask(rows, np.arange(50) + 50).labels).any()


def test_shares_are_those_of_the_paper() -> None:
    """80 % [MASK], 10 % random, 10 % kept (4 sigma); of the random ones 1 in 45 hits the original."""
    rows = many_rows()
    masked = mask(rows)
    chosen = masked.labels != IGNORE
    seen, original = masked.input_ids[chosen], masked.labels[chosen]
    count = len(seen)
    ordinary = VOCAB_SIZE - len(SPECIAL)
    shares = {
        "mask": ((seen == MASK).mean(), 0.8),
        "random": (((seen != MASK) & (seen != original)).mean(), 0.1 * (1 - 1 / ordinary)),
        "keep": ((seen == original).mean(), 0.1 + 0.1 / ordinary),
    }
    for name, (found, expected) in shares.items():
        assert abs(found - expected) < 4 * (expected * (1 - expected) / count) ** 0.5, name


def test_every_place_is_chosen_alike() -> None:
    """No position of a row is preferred (5 sigma for the worst of 40 places)."""
    rows = many_rows()
    chosen = (mask(rows).labels != IGNORE).reshape(3000, 42)[:, 1:-1]
    share = 6 / 40  # round(42 * 0.15) of 40 tokens
    assert np.abs(chosen.mean(axis=0) - share).max() < 5 * (share * (1 - share) / 3000) ** 0.5


def test_random_tokens_are_drawn_alike_from_all_ordinary_ones() -> None:
    """Each of the 45 ids comes in as often as another (5 sigma for the worst)."""
    config = MaskingConfig(mask_share=0.0, random_share=1.0, keep_share=0.0)
    masked = mask(many_rows(), config=config)
    seen = masked.input_ids[masked.labels != IGNORE]
    share = np.bincount(seen, minlength=VOCAB_SIZE)[len(SPECIAL) :] / len(seen)
    expected = 1 / (VOCAB_SIZE - len(SPECIAL))
    assert np.abs(share - expected).max() < 5 * (expected / len(seen)) ** 0.5


@settings(max_examples=50)
@given(st.floats(0.01, 0.99), st.integers(8, 512))
def test_the_default_bound_is_the_share_rounded_up(probability: float, length: int) -> None:
    """Unset, max_predictions_per_seq lets a full row have its whole share."""
    bound = max_predictions(MaskingConfig(masked_lm_prob=probability), max_seq_length=length)
    assert bound >= 1
    assert bound - 1 < probability * length <= bound + 1e-6


@pytest.mark.parametrize(
    ("config", "length", "expected"),
    [
        (MaskingConfig(), 128, 20),  # the original's --max_predictions_per_seq for 128
        (MaskingConfig(), 512, 77),
        (MaskingConfig(masked_lm_prob=0.1), 30, 3),
        (MaskingConfig(max_predictions_per_seq=7), 128, 7),
    ],
)
def test_bounds_by_hand(config: MaskingConfig, length: int, expected: int) -> None:
    """Some bounds, by hand computation."""
    assert max_predictions(config, max_seq_length=length) == expected


@pytest.mark.parametrize(
    "values",
    [
        {"masked_lm_prob": 0.0},
        {"masked_lm_prob": 1.0},
        {"mask_share": 0.9},
        {"mask_share": 0.8, "random_share": 0.3, "keep_share": -0.1},
        {"max_predictions_per_seq": 0},
        {"mode": "static"},
        {"mode": "sometimes"},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any]) -> None:
    """A share of nothing or all, shares that are no whole, a mode that is not there yet."""
    with pytest.raises(ValidationError):
        MaskingConfig(**values)


def test_the_refusal_of_static_masks_says_why() -> None:
    """The setting is in the design, so the message says that it is not available yet."""

    class Sections(SettingsBase):
        masking: MaskingConfig

    with pytest.raises(ConfigError, match=r"masking\.mode.*static.*not available yet"):
        Params({"masking": {"mode": "static"}}).read(Sections)
