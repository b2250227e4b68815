"""A loss that leaves its course, told from noise."""

import math
import random
from collections.abc import Callable, Iterator

import pytest

from bertpipe.training.spikes import SETTLING, Rise, RiseDetector

# The default pipeline's pre-training: train_loss of its curves.tsv, the mean of each 500 updates.
DEMO = [7.390, 6.980, 6.832, 6.759, 6.620, 6.436, 6.275, 6.130, 5.868, 5.691, 5.474, 5.387, 5.322, 5.261]
# Its first loss, and the standard deviation of its losses from update to update.
DEMO_START, DEMO_NOISE = 9.12, 0.28


def level(step: int) -> float:
    """Return the demo's loss without noise: its means joined by straight lines, a steep start."""
    if step < 250:
        return DEMO[0] + (DEMO_START - DEMO[0]) * math.exp(-step / 40)
    place = min((step - 250) / 500, len(DEMO) - 1.001)
    left, share = int(place), place % 1
    return DEMO[left] * (1 - share) + DEMO[left + 1] * share


def heavy_tailed(draw: random.Random) -> float:
    """Return noise of deviation 1 with tails as those of Student's t with 5 degrees of freedom."""
    chi_square = sum(draw.gauss(0, 1) ** 2 for _ in range(5))
    return draw.gauss(0, 1) / math.sqrt(chi_square / 5) * math.sqrt(3 / 5)


def demo(seed: int, *, noise: float = DEMO_NOISE) -> Iterator[float]:
    draw = random.Random(seed)
    for step in range(7000):
        yield level(step) + noise * heavy_tailed(draw)


def rises(losses: Iterator[float] | list[float]) -> list[tuple[int, Rise]]:
    """Return the rises with their updates, counted from 1."""
    detector = RiseDetector({})
    found = ((step, detector.saw(loss)) for step, loss in enumerate(losses, start=1))
    return [(step, rise) for step, rise in found if rise is not None]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", [0.01, 0.1, DEMO_NOISE, 0.6])
def test_the_demo_s_noise_is_no_spike(seed: int, noise: float) -> None:
    """Seven thousand noisy updates, of heavy tails and twice the demo's noise, tell nothing."""
    assert rises(demo(seed, noise=noise)) == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("start", "height"), [(300, 4.0), (2500, 4.0), (6000, 50.0)])
def test_a_spike_in_the_demo_is_told_once(seed: int, start: int, height: float) -> None:
    """A loss that jumps and falls back over 50 updates is told within five of them, and no more."""
    losses = list(demo(seed))
    for number in range(50):
        losses[start + number] += height * (1 - number / 50)
    ((step, rise),) = [found for found in rises(losses) if found[1].kind == "spike"]
    assert start + 3 <= step <= start + 5
    assert rise.before == pytest.approx(level(start), abs=0.4)
    assert rise.after > rise.before + 1


def test_two_spikes_are_told_apart() -> None:
    """When the loss has been back for a while, the next spike is told too."""
    losses = list(demo(1))
    for start in (3000, 3200):
        for step in range(start, start + 10):
            losses[step] += 4
    assert [step for step, _ in rises(losses)] == [3003, 3203]


def test_an_outlier_is_no_spike() -> None:
    """One batch of odd text, or two, tell nothing, however odd."""
    losses = list(demo(2))
    losses[500] += 30
    losses[2000] += 1000
    losses[2001] += 1000
    assert rises(losses) == []


def test_a_level_that_has_risen_for_good_is_told_and_then_taken_over() -> None:
    """A spike that stays is told once as such and once as a climb; later noise on it tells nothing."""
    losses = [loss + (3 if step > 3000 else 0) for step, loss in enumerate(demo(3))]
    assert [rise.kind for _, rise in rises(losses)] == ["spike", "climb"]


def test_a_slow_rise_is_told_though_the_mean_follows_it() -> None:
    """A thousandth more an update is never far from the mean; a quarter above the lowest it is told."""
    losses = [loss + 0.002 * max(0, step - 2000) for step, loss in enumerate(demo(4))]
    (step, rise), *later = rises(losses)
    assert rise.kind == "climb" and later == []
    assert rise.after == pytest.approx(1.25 * rise.before, rel=0.01)
    assert 2500 < step < 3500


@pytest.mark.parametrize("growth", [1.05, 1.5, 4.0])
def test_a_run_that_diverges_from_its_start_is_told(growth: float) -> None:
    """There is no course to leave, but the first loss to compare with: told before update 50."""
    losses = [9.0 * min(growth**step, 100.0) for step in range(300)]
    step, rise = rises(losses)[0]
    assert SETTLING < step < 50 and rise.after > rise.before * 1.25


@pytest.mark.parametrize("seed", range(20))
def test_a_trained_model_that_goes_on_is_no_climb(seed: int) -> None:
    """Its first loss may lie two deviations below the level that it stays on."""
    draw = random.Random(seed)
    losses = [1.2] + [1.8 + 0.3 * draw.gauss(0, 1) for _ in range(1000)]
    assert rises(losses) == []


def test_a_loss_near_zero_may_double() -> None:
    """What is learned by heart has a loss of hundredths, whose jumps mean nothing."""
    draw = random.Random(5)
    assert rises([0.02 * draw.lognormvariate(0, 0.8) for _ in range(3000)]) == []


@pytest.mark.parametrize("losses", [lambda: [5.0] * 500, lambda: [5.0 - 0.01 * n for n in range(400)]])
def test_a_loss_without_noise_is_no_spike(losses: Callable[[], list[float]]) -> None:
    """A deviation of zero does not make every last digit a spike."""
    assert rises(losses()) == []


@pytest.mark.parametrize("stop", [0, 1, 10, 202, 203, 230, 300])
def test_its_numbers_are_all_it_has(stop: int) -> None:
    """Stopped anywhere and gone on from a copy of its numbers, it tells the same."""
    draw = random.Random(stop)
    losses = [5 + 0.2 * draw.gauss(0, 1) + (3 if 200 < n < 240 else 0) for n in range(400)]
    state: dict[str, float] = {}
    first = RiseDetector(state)
    found = [(n, first.saw(loss)) for n, loss in enumerate(losses[:stop], start=1)]
    second = RiseDetector(dict(state))
    found += [(n, second.saw(loss)) for n, loss in enumerate(losses[stop:], start=stop + 1)]
    assert [entry for entry in found if entry[1]] == rises(losses) != []
