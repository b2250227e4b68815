"""The yardstick of utilisation: a product of known size, over measured time."""

from collections.abc import Callable, Iterator

import pytest
import torch

from bertpipe.training import peak
from bertpipe.training.peak import measured_peak

CPU = torch.device("cpu")


def clock_of(durations: Iterator[float]) -> Callable[[], float]:
    """Return a clock by which one product after another takes the given seconds."""
    now = 0.0
    begins = True

    def read() -> float:
        nonlocal now, begins
        if not begins:
            now += next(durations)
        begins = not begins
        return now

    return read


def test_the_fastest_of_five_counts() -> None:
    """A product of width 512 is 2 x 512^3 operations; neither start-up nor a busy neighbour shows."""
    durations = iter([0.15, 0.09, 0.07, 0.1, 0.08])
    assert measured_peak(CPU, "fp32", clock=clock_of(durations)) == pytest.approx(2 * 512**3 / 0.07)
    assert next(durations, None) is None


def test_fast_devices_get_larger_products() -> None:
    """512 takes a millisecond, so 1024 is tried, which takes too long for 2048."""
    durations = iter([0.15, *[0.001] * 4, 0.1, 0.1, 0.004, 0.1, 0.03, *[0.2] * 3])
    expected = 2 * 1024**3 / 0.004
    assert measured_peak(CPU, "fp32", clock=clock_of(durations)) == pytest.approx(expected)


def test_short_products_are_repeated_for_a_while() -> None:
    """The quiet moment of a busy machine may come after the first few products."""
    durations = iter([*[0.02] * 7, 0.0199, 0.9])
    assert measured_peak(CPU, "fp32", clock=clock_of(durations)) == pytest.approx(2 * 512**3 / 0.0199)


def test_the_largest_product_need_not_be_the_fastest() -> None:
    """Where a larger one is slower for its size, the smaller one's rate is the peak."""
    durations = iter([*[0.0016] * 94, *[0.1] * 5])
    assert measured_peak(CPU, "fp32", clock=clock_of(durations)) == pytest.approx(2 * 512**3 / 0.0016)


def test_products_grow_no_further_than_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a large model the smaller product is the yardstick; without room for any there is none."""

    def peak_with_room_for(widest: int) -> float:
        def operands(width: int, *_: object) -> tuple[torch.Tensor, torch.Tensor]:
            if width > widest:
                raise torch.OutOfMemoryError
            return torch.ones(1), torch.ones(1)

        monkeypatch.setattr(peak, "_operands", operands)
        return measured_peak(CPU, "fp32", clock=clock_of(iter([0.15, *[0.001] * 4, 0.1, 0.1])))

    assert peak_with_room_for(512) == pytest.approx(2 * 512**3 / 0.001)
    assert peak_with_room_for(0) == 0.0


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_measuring_draws_no_random_numbers(precision: str) -> None:
    """Weights and dropout of a run are the same whether its speed is watched or not."""
    before = torch.get_rng_state()
    slow = clock_of(iter([1.0] * 5))
    assert measured_peak(CPU, precision, clock=slow) > 0  # type: ignore[arg-type]
    assert torch.equal(torch.get_rng_state(), before)
