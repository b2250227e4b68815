"""Masked LM as in the paper: what is chosen, what is put in its place, and that it can be undone."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from bertpipe import randomness
from bertpipe.configs import Params
from bertpipe.configs import Settings as SettingsBase
from bertpipe.errors import ArtifactError, ConfigError
from bertpipe.instances import (
    IGNORE,
    Masked,
    Masker,
    MaskingConfig,
    Rows,
    ShardSet,
    max_predictions,
    settings_in_effect,
)
from bertpipe.instances.choosing import Places, Words, choose_spans, geometric
from bertpipe.instances.format import ShardInfo, schema, shard_name
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

VOCAB_SIZE = 50
PAD, UNK, CLS, SEP, MASK = SPECIAL = tuple(range(5))
ShardsWith = Callable[[str | None], ShardSet]
Unit = Literal["token", "whole_word", "span"]
UNITS: tuple[Unit, ...] = ("token", "whole_word", "span")
# A third of the ordinary ids continue a word, and some special ones would if they could.
CONTINUES = np.array([False, True, True, True, False] + [token % 3 == 0 for token in range(5, VOCAB_SIZE)])


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
    config = (config or MaskingConfig()).model_copy(update={"max_predictions_per_seq": most})
    continues = None if config.unit == "token" else CONTINUES
    masker = Masker(config, VOCAB_SIZE, MASK, SPECIAL, continues)
    return masker.mask(rows, np.arange(len(rows.lengths)) if numbers is None else numbers, key=key)


def many_rows(count: int = 3000, length: int = 40) -> Rows:
    tokens = np.random.Generator(np.random.PCG64(7)).integers(len(SPECIAL), VOCAB_SIZE, (count, length))
    return rows_of(tokens.tolist())


def _of(rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return rows.lengths, rows.first_segment_lengths, rows.next_sentence_labels


segments = st.lists(st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=0, max_size=40), min_size=0, max_size=8)
keys = st.integers(0, 2**128 - 1)
units = st.sampled_from(UNITS)


@given(segments, units, keys, st.integers(1, 6))
def test_labels_restore_the_original_tokens(
    segments: list[list[int]], unit: Unit, key: int, most: int
) -> None:
    """Putting the labels back where they belong undoes the corruption."""
    rows = rows_of(segments)
    before = rows.input_ids.copy()
    masked = mask(rows, config=MaskingConfig(unit=unit), key=key, most=most)
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


@given(segments, units, keys, st.floats(0.05, 0.95), st.integers(1, 30))
def test_words_are_hidden_whole_as_many_as_fit(
    segments: list[list[int]], unit: Unit, key: int, probability: float, most: int
) -> None:
    """Never more tokens than wanted, and no word is left that would still fit.

    Words by a loop over the row: ids that continue one belong to it unless a special token, or the
    beginning of the row, stands before them.
    """
    config = MaskingConfig(unit=unit, masked_lm_prob=probability)
    rows = rows_of(segments)
    hidden = mask(rows, config=config, key=key, most=most).labels != IGNORE
    ends = np.cumsum(rows.lengths)
    for end, length in zip(ends.tolist(), rows.lengths.tolist(), strict=True):
        words: list[list[bool]] = []
        before_was_special = True
        for token, is_hidden in zip(
            rows.input_ids[end - length : end], hidden[end - length : end], strict=True
        ):
            special = token in SPECIAL
            continues = unit != "token" and CONTINUES[token]
            if special or before_was_special or not continues:
                words.append([])
            words[-1].append(bool(is_hidden))
            if special:
                words.pop()
            before_was_special = special
        assert all(len(set(word)) == 1 for word in words)
        left = min(most, max(1, round(length * probability))) - sum(map(sum, words))
        assert left >= 0
        assert all(word[0] or len(word) > left for word in words)


@given(segments, units, keys)
def test_special_tokens_are_neither_chosen_nor_inserted(
    segments: list[list[int]], unit: Unit, key: int
) -> None:
    """[CLS], [SEP], [PAD], [UNK] and [MASK] stay, and only [MASK] comes in."""
    config = MaskingConfig(unit=unit, masked_lm_prob=0.9, mask_share=0.0, random_share=1.0, keep_share=0.0)
    rows = rows_of(segments)
    masked = mask(rows, config=config, key=key)
    special = np.isin(rows.input_ids, SPECIAL)
    assert (masked.labels[special] == IGNORE).all()
    assert not np.isin(masked.input_ids[~special], SPECIAL).any()


@given(segments, units, keys, st.data())
def test_a_row_is_masked_alike_in_any_batch(
    segments: list[list[int]], unit: Unit, key: int, data: st.DataObject
) -> None:
    """Its key and number decide, not the rows around it nor their order."""
    config = MaskingConfig(unit=unit, masked_lm_prob=0.4)
    numbers = np.array([10 * number + 3 for number in range(len(segments))], dtype=np.int64)
    together = mask(rows_of(segments), numbers, config=config, key=key)
    order = data.draw(st.permutations(range(len(segments))))
    shuffled = mask(rows_of([segments[i] for i in order]), numbers[list(order)], config=config, key=key)
    starts = np.cumsum([0, *(len(segment) + 2 for segment in segments)])
    start = 0
    for i in order:
        length = len(segments[i]) + 2
        alone = mask(rows_of([segments[i]]), numbers[[i]], config=config, key=key)
        for one, other in ((together, starts[i]), (shuffled, start)):
            assert one.input_ids[other : other + length].tolist() == alone.input_ids.tolist()
            assert one.labels[other : other + length].tolist() == alone.labels.tolist()
        start += length


def test_another_key_or_number_is_another_draw() -> None:
    """Each epoch and each row has its own masks."""
    rows = many_rows(50)
    assert (mask(rows, key=1).labels != mask(rows, key=2).labels).any()
    assert (mask(rows).labels != mask(rows, np.arange(50) + 50).labels).any()


def test_token_masks_are_those_of_the_released_models() -> None:
    """The draws stay as they were when the committed results were made (a hash from then)."""
    tokens = (np.arange(200 * 40) * 7919 % 45 + 5).reshape(200, 40)
    masked = mask(rows_of(tokens.tolist()), most=6)
    digest = hashlib.sha256(masked.input_ids.tobytes() + masked.labels.tobytes()).hexdigest()
    assert digest == "574efbdbca347ece71b50679ca8040848ab0bd3775e85dbde16927657826c997"


@pytest.mark.parametrize("unit", ["token", "whole_word"])
@pytest.mark.parametrize("asked", [(0.8, 0.1, 0.1), (0.2, 0.0, 0.8), (0.0, 0.7, 0.3)])
def test_shares_are_those_asked_for(unit: Unit, asked: tuple[float, float, float]) -> None:
    """[MASK], random and kept, drawn by token (4 sigma); of the random ones 1 in 45 hits the original."""
    rows = many_rows()
    mask_share, random_share, keep_share = asked
    config = MaskingConfig(unit=unit, mask_share=mask_share, random_share=random_share, keep_share=keep_share)
    masked = mask(rows, config=config)
    chosen = masked.labels != IGNORE
    seen, original = masked.input_ids[chosen], masked.labels[chosen]
    count = len(seen)
    ordinary = VOCAB_SIZE - len(SPECIAL)
    shares = {
        "mask": ((seen == MASK).mean(), mask_share),
        "random": (((seen != MASK) & (seen != original)).mean(), random_share * (1 - 1 / ordinary)),
        "keep": ((seen == original).mean(), keep_share + random_share / ordinary),
    }
    for name, (found, expected) in shares.items():
        assert abs(found - expected) <= 4 * (expected * (1 - expected) / count) ** 0.5, name


def test_a_span_is_replaced_as_one() -> None:
    """All of a span becomes [MASK], or all of it stays, half of each (Joshi et al. 2020, section 3.1)."""
    rows = many_rows(500)
    config = MaskingConfig(unit="span", mask_share=0.5, random_share=0.0, keep_share=0.5)
    masked = mask(rows, config=config, key=9)
    places = Places.of(rows.lengths, np.arange(500), ~np.isin(rows.input_ids, SPECIAL))
    chosen, span = choose_spans(
        np.full(500, 6),  # round(42 * 0.15)
        places,
        Words.of(places, CONTINUES[rows.input_ids]),
        key=randomness.key(9, "choose"),
        shares=geometric(0.2, 10),
    )
    assert chosen.tolist() == np.flatnonzero(masked.labels != IGNORE).tolist()
    became_mask = masked.input_ids[chosen] == MASK
    fates: dict[int, set[bool]] = {}
    for begin, fate in zip(span.tolist(), became_mask.tolist(), strict=True):
        fates.setdefault(begin, set()).add(fate)
    assert all(len(fate) == 1 for fate in fates.values())
    assert abs(sum(fate == {True} for fate in fates.values()) / len(fates) - 0.5) < 2 / len(fates) ** 0.5


def test_random_tokens_of_a_span_are_drawn_one_by_one() -> None:
    """A span of random tokens is not one token several times."""
    config = MaskingConfig(unit="span", mask_share=0.0, random_share=1.0, keep_share=0.0)
    masked = mask(many_rows(200), config=config)
    chosen = np.flatnonzero(masked.labels != IGNORE)
    beside = chosen[1:][np.diff(chosen) == 1]
    assert (masked.input_ids[beside] == masked.input_ids[beside - 1]).mean() < 0.1


@pytest.mark.parametrize("unit", ["token", "whole_word"])
def test_every_place_is_chosen_alike(unit: Unit) -> None:
    """No position of a row is preferred (5 sigma for the worst of 40 places)."""
    rows = many_rows()
    if unit == "whole_word":  # of one token each
        rows = Rows(np.where(CONTINUES[rows.input_ids], 5, rows.input_ids), *_of(rows))
    chosen = (mask(rows, config=MaskingConfig(unit=unit)).labels != IGNORE).reshape(3000, 42)[:, 1:-1]
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
        {"mask_share": 0.9},
        {"mask_share": 0.8, "random_share": 0.3, "keep_share": -0.1},
        {"max_predictions_per_seq": 0},
        {"mode": "sometimes"},
        {"unit": "sentence"},
        {"span_geometric_p": 0.0},
        {"span_max_words": 0},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any]) -> None:
    """Shares that are no whole, bounds and spans of nothing, what there is not."""
    with pytest.raises(ValidationError):
        MaskingConfig(**values)


class Sections(SettingsBase):
    masking: MaskingConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"masked_lm_prob": 0}, r"masking\.masked_lm_prob = 0: input should be greater than 0"),
        ({"masked_lm_prob": 1.0}, r"masking\.masked_lm_prob = 1\.0: input should be less than 1"),
        (
            {"mask_share": 0.9},
            r"masking: mask_share 0\.9 \+ random_share 0\.1 \+ keep_share 0\.1 is 1\.1, must be 1",
        ),
    ],
)
def test_the_refusal_says_what_is_possible(values: dict[str, Any], message: str) -> None:
    """A rate of nothing or everything, and shares that are no whole, in one line with the values."""
    with pytest.raises(ConfigError, match=message):
        Params({"masking": values}).read(Sections)


@pytest.fixture
def shards_with(tmp_path: Path) -> ShardsWith:
    """Return shards without rows whose schema says how they were masked."""

    def make(masking: str | None) -> ShardSet:
        info = ShardInfo(VOCAB_SIZE, "abc", 16, "nsp", masking)
        path = tmp_path / "train" / shard_name(0, 1)
        path.parent.mkdir(exist_ok=True)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema(info)):
            pass
        return ShardSet.open(path.parent)

    return make


def test_settings_that_are_not_set_come_from_the_shards(shards_with: ShardsWith) -> None:
    """With stored masks those count; without, what is asked for."""
    stored = MaskingConfig(mode="static", unit="span", masked_lm_prob=0.3).bounded(max_seq_length=16)
    shards = shards_with(stored.model_dump_json())
    assert settings_in_effect(MaskingConfig(), shards) == stored
    assert settings_in_effect(MaskingConfig(masked_lm_prob=0.3, mode="static"), shards) == stored
    assert settings_in_effect(MaskingConfig(max_predictions_per_seq=5), shards) == stored
    asked = MaskingConfig(masked_lm_prob=0.2)
    assert settings_in_effect(asked, shards_with(None)) is asked


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"masked_lm_prob": 0.2}, r"masking\.masked_lm_prob = 0\.2, but .*train was masked with 0\.3"),
        ({"mode": "dynamic"}, r"masking\.mode = 'dynamic', but .*train was masked with 'static'"),
        ({"unit": "token"}, r"masking\.unit = 'token', but .*train was masked with 'span'"),
        ({"max_predictions_per_seq": 6}, r"masking\.max_predictions_per_seq = 6, but .* with 5"),
    ],
)
def test_settings_that_contradict_the_shards_are_refused(
    asked: dict[str, Any], message: str, shards_with: ShardsWith
) -> None:
    """Training would not be what the settings say; both values are told."""
    stored = MaskingConfig(mode="static", unit="span", masked_lm_prob=0.3).bounded(max_seq_length=16)
    with pytest.raises(ConfigError, match=message):
        settings_in_effect(MaskingConfig(**asked), shards_with(stored.model_dump_json()))


def test_static_masks_are_not_made_up(shards_with: ShardsWith) -> None:
    """Shards without masks cannot be trained on as if they held some."""
    with pytest.raises(
        ConfigError, match=r"masking\.mode = 'static', but .*train was prepared with 'dynamic'"
    ):
        settings_in_effect(MaskingConfig(mode="static"), shards_with(None))


@pytest.mark.parametrize("damaged", ["", "{", '{"masked_lm_prob": 7}', '{"what": 1}'])
def test_unreadable_settings_in_shards_are_an_error(damaged: str, shards_with: ShardsWith) -> None:
    """What the schema says may be damaged as anything else."""
    with pytest.raises(ArtifactError, match="train is damaged: its masking settings"):
        settings_in_effect(MaskingConfig(), shards_with(damaged))


def test_a_tokenizer_says_where_words_begin() -> None:
    """With WordPiece, '##' continues one: 'w0 ##s' is hidden whole."""
    words = [*SPECIAL_TOKENS, "w0", "##s", "w1", "#"]
    tokenizer = Tokenizer.build(words, lowercase=True)
    masker = Masker.of(MaskingConfig(unit="whole_word"), tokenizer, max_seq_length=40)
    assert masker.continues_word is not None
    assert masker.continues_word.tolist() == [False] * 6 + [True, False, False]
    assert masker.most == 6
