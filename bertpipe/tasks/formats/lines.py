"""Lines of a text file, plain or packed with gzip, and blocks of them between blank lines."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from bertpipe.errors import TaskDataError

_GZIP = b"\x1f\x8b"

# A line with its number, from 1.
Line = tuple[int, str]


def read_lines(path: Path) -> list[str]:
    r"""Return the lines of a file without their ends, ``\n`` or ``\r\n``.

    Nothing else is taken off: a space, or what else Unicode calls a line's end, may be a word.

    Raises:
        TaskDataError: the file is damaged, or not UTF-8.
    """
    content = _unpacked(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TaskDataError(
            f"{path}:{line}: not valid UTF-8", hint="convert it, for example with iconv -t utf-8"
        ) from None
    return [line.removesuffix("\r") for line in text.split("\n")]


def blocks(path: Path) -> Iterator[list[Line]]:
    """Yield the lines that stand together: blank ones, of spaces and tabs at most, stand between.

    Raises:
        TaskDataError: as ``read_lines``.
    """
    block: list[Line] = []
    for number, line in enumerate([*read_lines(path), ""], start=1):
        if line.strip(" \t"):
            block.append((number, line))
        elif block:
            yield block
            block = []


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise TaskDataError(
            f"{path}: damaged gzip data: {error}", hint="fetch or compress the file again"
        ) from None
