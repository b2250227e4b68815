"""Line charts as SVG, in plain text: no library, and the same bytes for the same numbers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

# Okabe and Ito 2008: told apart also by those who see fewer colours.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 28, 56, 46
_POINTS_WITH_DOTS = 40


@dataclass(frozen=True)
class Series:
    """A named line through points ``(x, y)``, in order."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    """Lines over common axes.

    Attributes:
        title: what it shows.
        x_label: what is counted to the right, with its unit.
        y_label: what is measured upwards, with its unit.
        series: at least one line with at least one point.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class _Axis:
    """A linear scale: ``ticks`` are values, ``start`` and ``end`` are where low and high are drawn."""

    ticks: list[float]
    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def label(self, tick: float) -> str:
        step = self.ticks[1] - self.ticks[0]
        return f"{tick + 0.0:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def svg(charts: Sequence[Chart], *, columns: int = 2) -> str:
    """Return the charts in one picture, row by row.

    A white ground makes it readable on dark pages too.
    """
    assert charts
    width = _WIDTH * min(columns, len(charts))
    height = _HEIGHT * -(-len(charts) // columns)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" fill="#333">',
        f"<title>{escape('; '.join(chart.title for chart in charts))}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, chart in enumerate(charts):
        across, down = number % columns * _WIDTH, number // columns * _HEIGHT
        lines += [f'<g transform="translate({across} {down})">', *_panel(chart), "</g>"]
    return "\n".join([*lines, "</svg>"]) + "\n"


def nice_ticks(low: float, high: float, *, at_most: int = 6) -> list[float]:
    """Return evenly spaced round values (1, 2 or 5 times a power of ten) around ``low`` and ``high``."""
    assert math.isfinite(low) and math.isfinite(high) and low <= high and at_most >= 3
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = abs(low) / 2 or 1.0
        low, high = low - margin, high + margin
    power = 10.0 ** math.floor(math.log10((high - low) / at_most))
    for step in (power * factor for factor in (1, 2, 5, 10, 20, 50)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < at_most:
            break
    return [round(number * step, 12) for number in range(first, last + 1)]


def _panel(chart: Chart) -> Iterator[str]:
    points = [point for series in chart.series for point in series.points]
    x = _axis([x for x, _ in points], start=_LEFT, end=_WIDTH - _RIGHT)
    y = _axis([y for _, y in points], start=_HEIGHT - _BOTTOM, end=_TOP)
    middle = (x.start + x.end) / 2, (y.start + y.end) / 2
    yield f'<text x="{_LEFT}" y="22" font-size="14" font-weight="bold">{escape(chart.title)}</text>'
    yield from _grid(x, y)
    yield f'<text x="{middle[0]:.2f}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(chart.x_label)}</text>'
    yield (
        f'<text transform="translate(16 {middle[1]:.2f}) rotate(-90)" text-anchor="middle">'
        f"{escape(chart.y_label)}</text>"
    )
    legend = float(_LEFT)
    for number, series in enumerate(chart.series):
        color = _COLORS[number % len(_COLORS)]
        yield from _line(series, x, y, color=color)
        yield f'<path d="M{legend:.2f} 40h18" stroke="{color}" stroke-width="2.5"/>'
        yield f'<text x="{legend + 24:.2f}" y="44">{escape(series.name)}</text>'
        legend += 44 + 7 * len(series.name)


def _axis(values: Sequence[float], *, start: float, end: float) -> _Axis:
    ticks = nice_ticks(min(values), max(values))
    return _Axis(ticks, ticks[0], ticks[-1], start, end)


def _grid(x: _Axis, y: _Axis) -> Iterator[str]:
    for tick in y.ticks:
        height = y.place(tick)
        yield f'<path d="M{x.start} {height:.2f}H{x.end}" stroke="#ddd"/>'
        yield f'<text x="{x.start - 8}" y="{height + 4:.2f}" text-anchor="end">{y.label(tick)}</text>'
    for tick in x.ticks:
        across = x.place(tick)
        yield f'<path d="M{across:.2f} {y.start}v5" stroke="#333"/>'
        yield f'<text x="{across:.2f}" y="{y.start + 18}" text-anchor="middle">{x.label(tick)}</text>'
    yield f'<path d="M{x.start} {y.end}V{y.start}H{x.end}" stroke="#333" fill="none"/>'


def _line(series: Series, x: _Axis, y: _Axis, *, color: str) -> Iterator[str]:
    places = [(x.place(across), y.place(height)) for across, height in series.points]
    path = " ".join(f"{across:.2f},{height:.2f}" for across, height in places)
    yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.8"/>'
    if len(places) <= _POINTS_WITH_DOTS:
        for across, height in places:
            yield f'<circle cx="{across:.2f}" cy="{height:.2f}" r="2.4" fill="{color}"/>'
