"""The charts, read back as XML."""

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.reports.curves import Chart, Series, nice_ticks, svg

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = st.floats(-1e6, 1e6).map(lambda value: round(value, 4))


@given(NUMBERS, NUMBERS)
def test_ticks_are_round_and_cover_the_values(one: float, other: float) -> None:
    """Steps are 1, 2 or 5 times a power of ten, few, and the ends lie outside the values."""
    low, high = sorted((one, other))
    ticks = nice_ticks(low, high)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert ticks[0] <= low + slack and ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 7
    step = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
    assert 10 ** (math.log10(step) % 1) == pytest.approx(1) or round(
        step / 10 ** math.floor(math.log10(step) + 1e-9)
    ) in (1, 2, 5)


def test_ticks_by_hand() -> None:
    """The ticks that one would draw."""
    assert nice_ticks(0, 1000) == [0, 200, 400, 600, 800, 1000]
    assert nice_ticks(5.1, 8.9) == [5, 6, 7, 8, 9]
    assert nice_ticks(0.02, 0.31) == [0, 0.1, 0.2, 0.3, 0.4]


CHART = Chart(
    "Loss <of> A & B",
    "step",
    "nats",
    (Series("train", ((0, 9.0), (500, 6.0), (1000, 5.0))), Series("validation", ((0, 9.0), (1000, 5.5)))),
)


def test_points_stand_where_their_values_are() -> None:
    """The middle of the steps is drawn in the middle; a lower loss is drawn lower (a larger y)."""
    root = ET.fromstring(svg([CHART]))
    lines = [line.attrib["points"] for line in root.iter(f"{SVG}polyline")]
    train = [tuple(map(float, point.split(","))) for point in lines[0].split()]
    assert len(lines) == 2
    assert train[1][0] == pytest.approx((train[0][0] + train[2][0]) / 2, abs=0.01)
    assert train[0][1] < train[1][1] < train[2][1]
    assert (train[1][1] - train[0][1]) / (train[2][1] - train[1][1]) == pytest.approx(3, abs=0.01)


def test_names_and_labels_are_written_as_text() -> None:
    """Title, axis labels and legend are in the picture, also with characters that XML reserves."""
    texts = [element.text for element in ET.fromstring(svg([CHART])).iter(f"{SVG}text")]
    assert {"Loss <of> A & B", "step", "nats", "train", "validation"} <= set(texts)


def test_every_chart_has_its_place_and_all_have_a_white_ground() -> None:
    """Three charts take two rows of two, on a ground that covers them all."""
    root = ET.fromstring(svg([CHART] * 3))
    places = [group.attrib["transform"] for group in root.iter(f"{SVG}g")]
    assert len(set(places)) == 3
    ground = root.find(f"{SVG}rect")
    assert ground is not None and ground.attrib["fill"] == "#fff"
    assert (ground.attrib["width"], ground.attrib["height"]) == (root.attrib["width"], root.attrib["height"])


def test_a_single_flat_point_can_be_drawn() -> None:
    """One evaluation with the value 0 is a dot, not a division by zero."""
    root = ET.fromstring(svg([Chart("one", "step", "share", (Series("train", ((0, 0.0),)),))]))
    assert len(list(root.iter(f"{SVG}circle"))) == 1
