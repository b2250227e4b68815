"""Loss curves in the layout that DVC plots."""

from collections.abc import Sequence
from pathlib import Path


def write_curves(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write one line an evaluation, tab-separated, with the names in the first line; no figure, no text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["\t".join(names)]
    lines += ["\t".join(_number(row[name]) if name in row else "" for name in names) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
