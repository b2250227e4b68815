"""Numbers as people read them."""

import pytest

from bertpipe.cli.figures import described, duration, short


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (59.97, "1 min 00 s"),
        (60, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7260, "2 h 01 min"),
    ],
)
def test_durations_are_told_as_people_do(seconds: float, text: str) -> None:
    """Seconds, minutes or hours, never 60 of the smaller one."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        (0.00005, "5.00e-05"),
        (True, "True"),
        ([1, 2.5], "1, 2.5"),
    ],
)
def test_values_are_short(value: object, text: str) -> None:
    """Thousands apart, four digits, small ones as powers of ten."""
    assert short(value) == text


def test_figures_say_what_they_are() -> None:
    """Shares in percent, rates by the second, losses with a fixed number of digits; validation apart."""
    figures: dict[str, float | str] = {
        "loss": 7.39,
        "mlm_accuracy": 0.0634,
        "learning_rate": 0.0001,
        "tokens_per_second": 20134,
        "mfu": 0.481,
        "data_wait_share": 0.0004,
        "validation_mlm_loss": 6.5,
        "state": "fine",
    }
    assert described(figures) == [
        [
            "loss 7.390",
            "mlm accuracy 6.3 %",
            "learning rate 1.00e-04",
            "20,134 tokens/s",
            "MFU 48.1 %",
            "data wait 0.0 %",
            "state fine",
        ],
        ["validation mlm loss 6.500"],
    ]


def test_no_figures_no_lines() -> None:
    """A phase without figures has nothing below its bar."""
    assert described({}) == []
