"""The learning rate over a run."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
    get_linear_schedule_with_warmup,
    get_wsd_schedule,
)

from bertpipe.errors import ConfigError
from bertpipe.training.schedules import Schedule, ScheduleConfig, ScheduleKind

KINDS: tuple[ScheduleKind, ...] = ("linear", "cosine", "wsd", "constant")


def shares(schedule: Schedule) -> list[float]:
    return [schedule.share(step) for step in range(schedule.total_steps)]


def test_linear_shares_by_hand() -> None:
    """Ten updates, four of them warm-up: quarters up, then sixths down, starting at the peak."""
    assert shares(Schedule("linear", 10, 4)) == pytest.approx(
        [1 / 4, 2 / 4, 3 / 4, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    )


def test_wsd_shares_by_hand() -> None:
    """Two up, four stay, four fall to a fifth: 1 - sqrt(n / 4) of the other four fifths."""
    roots = [1 - 0.8 * root for root in (0, 0.5, 0.5**0.5, 0.75**0.5)]
    assert shares(Schedule("wsd", 10, 2, 4, 0.2)) == pytest.approx([0.5, 1, 1, 1, 1, 1, *roots])


def test_cosine_shares_by_hand() -> None:
    """Six updates fall by the cosines of 0, 30, 60, 90, 120 and 150 degrees."""
    cosines = [1, 3**0.5 / 2, 0.5, 0, -0.5, -(3**0.5) / 2]
    assert shares(Schedule("cosine", 6, 0)) == pytest.approx([(1 + cosine) / 2 for cosine in cosines])


def test_constant_stays_at_the_peak() -> None:
    """After the warm-up nothing changes."""
    assert shares(Schedule("constant", 5, 2)) == [0.5, 1, 1, 1, 1]


def transformers_shares(make: Callable[..., Any], total_steps: int, **settings: Any) -> list[float]:
    """Return the rates of a scheduler of transformers around an optimizer of rate 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer, num_warmup_steps=7, **settings)
    found = []
    for _ in range(total_steps):
        found.append(float(scheduler.get_last_lr()[0]))
        optimizer.step()
        scheduler.step()
    return found


REFERENCES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "linear": (get_linear_schedule_with_warmup, {"num_training_steps": 40}),
    "cosine": (get_cosine_with_min_lr_schedule_with_warmup, {"num_training_steps": 40, "min_lr_rate": 0.1}),
    "wsd": (
        get_wsd_schedule,
        {"num_stable_steps": 20, "num_decay_steps": 13, "decay_type": "1-sqrt", "min_lr_ratio": 0.1},
    ),
    "constant": (get_constant_schedule_with_warmup, {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_after_the_warm_up_the_shares_are_those_of_transformers(kind: ScheduleKind) -> None:
    """The warm-up differs (there the first update moves nothing), the rest is the same."""
    make, settings = REFERENCES[kind]
    expected = transformers_shares(make, 40, **settings)
    schedule = Schedule(kind, 40, 7, 13, 0.1 if kind in ("cosine", "wsd") else 0.0)
    assert shares(schedule)[7:] == pytest.approx(expected[7:], rel=1e-9)


def test_no_warm_up_starts_at_the_peak() -> None:
    """Four updates fall by quarters; the one after the last would be zero."""
    assert [Schedule("linear", 4, 0).share(step) for step in range(5)] == [1, 0.75, 0.5, 0.25, 0]


def test_warm_up_may_take_the_whole_run() -> None:
    """The last update reaches the peak, whatever would come then."""
    for kind in KINDS:
        schedule = ScheduleConfig(schedule=kind).over(total_steps=3, warmup_steps=3)
        assert shares(schedule) == [1 / 3, 2 / 3, 1]


@given(st.data())
def test_every_update_moves_and_no_rate_rises_after_the_warm_up(data: st.DataObject) -> None:
    """Shares lie above zero and the minimum, rise to one in the warm-up, then never again."""
    total = data.draw(st.integers(1, 200))
    warmup = data.draw(st.integers(0, total))
    kind = data.draw(st.sampled_from(KINDS))
    minimum = data.draw(st.floats(0, 0.9)) if kind != "constant" else 0.0
    config = ScheduleConfig(schedule=kind, minimum_share=minimum)
    found = shares(config.over(total_steps=total, warmup_steps=warmup))
    assert all(0 < share <= 1 and share >= minimum for share in found[warmup:])
    assert found[: warmup + 1] == sorted(found[: warmup + 1])
    assert found[warmup:] == sorted(found[warmup:], reverse=True)
    assert max(found) == 1


@given(st.integers(2, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))))
def test_a_fall_ends_at_the_minimum_share(case: tuple[int, int]) -> None:
    """Right after the last update the share would be the minimum, for each kind that falls."""
    total, decay = case
    for kind in ("linear", "cosine", "wsd"):
        assert Schedule(kind, total, 1, decay, 0.25).share(total) == pytest.approx(0.25, abs=1e-12)


def test_wsd_falls_over_a_tenth_unless_told() -> None:
    """Of a hundred updates ninety stay; with decay_steps as many fall as it says."""
    usual = shares(ScheduleConfig(schedule="wsd").over(total_steps=100, warmup_steps=0))
    assert usual[90] == 1 > usual[91]
    late = shares(ScheduleConfig(schedule="wsd").over(total_steps=100, warmup_steps=95))
    assert late[95] == 1 > late[96]  # the fall takes what the warm-up leaves
    told = shares(ScheduleConfig(schedule="wsd", decay_steps=30).over(total_steps=100, warmup_steps=0))
    assert told[70] == 1 > told[71]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay_steps": 5}, "decay_steps = 5 has no meaning with schedule = linear"),
        ({"schedule": "constant", "minimum_share": 0.1}, "minimum_share = 0.1 has no meaning"),
        ({"schedule": "wsd", "decay_steps": 0}, "greater than or equal to 1"),
        ({"minimum_share": 1.0}, "less than 1"),
        ({"schedule": "step"}, "'linear', 'cosine', 'wsd' or 'constant'"),
    ],
)
def test_settings_without_meaning_are_refused(settings: dict[str, Any], message: str) -> None:
    """A setting that another one makes meaningless is an error, not ignored."""
    with pytest.raises(ValidationError, match=message):
        ScheduleConfig(**settings)


def test_a_run_too_short_for_its_parts_is_refused() -> None:
    """Sixty updates of warm-up and fifty of decay do not fit into a hundred; forty do."""
    config = ScheduleConfig(schedule="wsd", decay_steps=50)
    with pytest.raises(ConfigError, match="warmup_steps = 60 and decay_steps = 50 are together more than"):
        config.over(total_steps=100, warmup_steps=60)
    with pytest.raises(ConfigError, match="warmup_steps = 101 is more than total_steps = 100"):
        ScheduleConfig().over(total_steps=100, warmup_steps=101)
    assert config.misfit(total_steps=90, warmup_steps=40) is None
