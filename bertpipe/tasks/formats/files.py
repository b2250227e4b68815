"""The file of a split, and its text: found by name, unpacked by content."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bertpipe.compression import unpacked
from bertpipe.errors import CorpusError, TaskDataError

# A line with its number, from 1.
Line = tuple[int, str]

_PACKED = ("", ".gz", ".bz2", ".xz", ".zst")


def split_file(folder: Path, split: str, files: Mapping[str, str], *, endings: Sequence[str]) -> Path:
    """Return the file of one split, which may be compressed.

    Args:
        folder: of the task.
        split: such as ``dev``.
        files: names by split that differ from the split's.
        endings: with which a file may be named after its split, such as ``.jsonl``.

    Raises:
        TaskDataError: the folder or the file does not exist, or there are several.
    """
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise TaskDataError(f"{folder} {problem}", hint="name the folder of the task's data with --data")
    names = [files[split]] if split in files else [split + ending for ending in endings]
    paths = [path for name in names for packed in _PACKED if (path := folder / (name + packed)).is_file()]
    if not paths:
        raise _missing(folder, split, names)
    if len(paths) > 1:
        raise TaskDataError(
            f"{folder} holds {' and '.join(path.name for path in paths)}: which one is {split}?",
            hint="leave only one of them there, or name it under tasks.<name>.files in params.yaml",
        )
    return paths[0]


def _missing(folder: Path, split: str, names: Sequence[str]) -> TaskDataError:
    others = ", ".join(Path(name).suffix for name in names[1:])
    there = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(there[:10]) + (", ..." if len(there) > 10 else "")
    return TaskDataError(
        f"{folder} has no {names[0]}{f' (or {others})' if others else ''} for the split {split!r}, "
        f"only {shown or 'nothing'}",
        hint="a task folder holds train, dev and test; other names of files go under tasks.<name>.files",
    )


def ending(path: Path) -> str:
    """Return the ending of a file's name, before that of a compression."""
    inner = path.with_suffix("") if path.suffix in _PACKED else path
    return inner.suffix.lower()


def read_text(path: Path) -> str:
    """Return the text of a file, unpacked, without a byte order mark; line ends stay as they are.

    Raises:
        TaskDataError: it is not UTF-8, holds a NUL, or its compressed data is damaged.
    """
    try:
        with path.open("rb") as stored:
            content = (unpacked(stored, where=str(path)) or stored).read()
    except CorpusError as error:
        raise TaskDataError(error.message, hint=error.hint) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskDataError(
            f"{path}:{content.count(10, 0, error.start) + 1}: not valid UTF-8",
            hint="convert it, for example with iconv -t utf-8",
        ) from None
    if "\0" in text:
        raise TaskDataError(
            f"{path}:{text.count(chr(10), 0, text.index(chr(0))) + 1}: holds a NUL character: not text",
            hint="look at the file: it is damaged, or in another encoding",
        )
    return text


def lines_of(text: str) -> Iterator[Line]:
    """Yield each line with its number, without its end, LF or CRLF.

    Other characters that ``str.splitlines`` takes for line ends may stand in a text.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, line.removesuffix("\r")


def blocks_of(text: str, *, blank: str = " \t") -> Iterator[list[Line]]:
    """Yield the lines that stand together: those that hold nothing but ``blank`` stand between."""
    block: list[Line] = []
    for number, line in lines_of(text):
        if line.strip(blank):
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block
