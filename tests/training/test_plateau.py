"""A masked LM that does not use the context, or whose text repeats itself."""

import math
import random
from collections.abc import Callable

import pytest

from bertpipe.training.plateau import MaskedLossDetector, usual_patience

# The default pipeline's pre-training: the unigram entropy of its text, and train_mlm_loss of its
# curves.tsv, the mean of each 500 updates. It leaves the plateau between 2,000 and 3,000.
ENTROPY = 6.756
DEMO = [6.753, 6.377, 6.262, 6.199, 6.082, 5.923, 5.782, 5.659, 5.416, 5.239, 5.047, 4.962, 4.908, 4.859]
NOISE = 0.25


def demo(step: int) -> float:
    place = min(max(step - 250, 0) / 500, len(DEMO) - 1.001)
    left, share = int(place), place % 1
    steep_start = 1.5 * math.exp(-step / 40)
    return DEMO[left] * (1 - share) + DEMO[left + 1] * share + steep_start


def told(
    curve: Callable[[int], float], *, steps: int = 7000, patience: int = 700, warmup: int = 70, seed: int = 0
) -> list[tuple[str, int]]:
    """Return what is told of a noisy curve, with the step."""
    draw = random.Random(seed)
    detector = MaskedLossDetector({}, unigram_entropy=ENTROPY, warmup_steps=warmup, patience_steps=patience)
    found = ((detector.saw(n, curve(n) + NOISE * draw.gauss(0, 1)), n) for n in range(1, steps + 1))
    return [(change, step) for change, step in found if change]


@pytest.mark.parametrize("seed", range(8))
def test_the_demo_s_plateau_begins_and_ends(seed: int) -> None:
    """It is told when 700 updates have brought little, and again when the context begins to count."""
    (begins, first), (ends, last) = told(demo, seed=seed)
    assert (begins, ends) == ("plateau", "plateau ends")
    assert 1000 < first < 2200 and 2000 < last < 3000


@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_learns_from_the_start_tells_nothing(seed: int) -> None:
    """The demo's curve in a quarter of the updates crosses the plateau without staying on it."""
    assert told(lambda step: demo(4 * step), steps=1750, seed=seed) == []


@pytest.mark.parametrize("level", [ENTROPY, 0.9 * ENTROPY + 0.14, 8.29])
def test_a_loss_that_stays_is_told_once(level: float) -> None:
    """At the entropy, at what masking makes of it, and at ln 4000 where nothing at all is learned."""
    ((change, step),) = told(lambda _: level)
    assert change == "plateau" and 770 <= step <= 870


def test_a_loss_below_what_frequencies_give_is_no_plateau() -> None:
    """A trained model that learns no more has long used the context."""
    assert told(lambda _: 0.85 * ENTROPY) == []


def test_a_loss_that_natural_text_does_not_allow_is_told_once() -> None:
    """Text of few lines is learned by heart: below an eighth of the entropy, and not again after a rise."""
    ((change, step),) = told(lambda n: 0.4 if n < 3000 or n > 4000 else 3.0)
    assert (change, step) == ("repetition", 100)
    assert told(lambda n: 1.17) == []  # where BERT large ended


def test_a_spike_far_below_is_no_plateau() -> None:
    """A loss that has long stayed low and rises for some hundred updates has not stayed high."""
    assert told(lambda step: 9.0 if 4000 <= step < 4300 else 4.0) == []


def test_the_warm_up_does_not_count() -> None:
    """With a warm-up of 2,000 updates, during which little moves, patience begins after it."""
    ((_, step),) = told(lambda _: ENTROPY, warmup=2000)
    assert 2700 <= step <= 2800


def test_a_slow_fall_is_no_plateau() -> None:
    """Falling by four percent of the entropy within the patience is progress."""
    assert told(lambda step: 10 - 0.04 * ENTROPY * step / 700, steps=6000) == []


def test_a_plateau_after_a_return_is_told_again() -> None:
    """What falls off the path and stays again is a new occurrence."""
    changes = told(lambda step: 5.0 if 2000 <= step < 3000 else 6.3)
    assert [change for change, _ in changes] == ["plateau", "plateau ends", "plateau"]


@pytest.mark.parametrize(
    ("total_steps", "patience"), [(100, 500), (7_000, 700), (50_000, 5_000), (1_000_000, 10_000)]
)
def test_patience_is_a_tenth_of_the_run_within_bounds(total_steps: int, patience: int) -> None:
    """A short run cannot be judged sooner, and a long one need not wait for days."""
    assert usual_patience(total_steps) == patience


@pytest.mark.parametrize("stop", [1, 600, 1400, 2500])
def test_its_numbers_are_all_it_has(stop: int) -> None:
    """Stopped anywhere and gone on from a copy of its numbers, it tells the same."""
    run = {"unigram_entropy": ENTROPY, "warmup_steps": 70, "patience_steps": 700}
    state: dict[str, float] = {}
    first = MaskedLossDetector(state, **run)  # type: ignore[arg-type]
    found = [(first.saw(n, demo(n)), n) for n in range(1, stop + 1)]
    second = MaskedLossDetector(dict(state), **run)  # type: ignore[arg-type]
    found += [(second.saw(n, demo(n)), n) for n in range(stop + 1, 3001)]
    whole = MaskedLossDetector({}, **run)  # type: ignore[arg-type]
    assert found == [(whole.saw(n, demo(n)), n) for n in range(1, 3001)]
    assert [change for change, _ in found if change] == ["plateau", "plateau ends"]
