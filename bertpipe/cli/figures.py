"""Numbers as people read them: durations, shares, rates."""

from collections.abc import Mapping

_SMALL = 1e-3
_VALIDATION = "validation_"


def short(value: object) -> str:
    """Return a value with thousands apart, or with four digits."""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.2e}" if abs(value) < _SMALL else f"{value:,.4g}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(short(item) for item in value)
    return str(value)


def duration(seconds: float) -> str:
    """Return seconds, minutes or hours, never 60 of the smaller one."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def described(figures: Mapping[str, float | str]) -> list[list[str]]:
    """Return what figures say, each as it is read; those of validation in a second list."""
    running = [_said(name, value) for name, value in figures.items() if not name.startswith(_VALIDATION)]
    held_out = [_said(name, value) for name, value in figures.items() if name.startswith(_VALIDATION)]
    return [group for group in (running, held_out) if group]


def _said(name: str, value: float | str) -> str:
    words = name.replace("_", " ")
    if isinstance(value, str):
        return f"{words} {value}"
    if name.endswith("_per_second"):
        return f"{short(value)} {words.removesuffix(' per second')}/s"
    if name == "mfu":
        return f"MFU {_percent(value)}"
    if name.endswith(("_accuracy", "_share")):
        return f"{words.removesuffix(' share')} {_percent(value)}"
    # A fixed number of digits: what moves on a screen is the value, not its width.
    return f"{words} {value:.3f}" if name.endswith("loss") else f"{words} {short(value)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
