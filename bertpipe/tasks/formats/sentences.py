"""Sentences of tagged words, and the file that holds those of one split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertpipe.errors import TaskDataError


@dataclass(frozen=True)
class Sentence:
    """Words in their order, with a tag each.

    Attributes:
        id: as the data names it, else its number in the file.
        words: what is tagged: words, or single characters.
        tags: one a word; none where the data has no tags.
        place: file and line of its first word, for messages.
        glued: true where a word follows the one before without a space; empty: none does.
    """

    id: str
    words: tuple[str, ...]
    tags: tuple[str, ...] | None
    place: str
    glued: tuple[bool, ...] = ()

    @property
    def target(self) -> list[str] | None:
        """Return the tags, as JSON."""
        return None if self.tags is None else list(self.tags)

    @property
    def texts(self) -> list[list[str]]:
        """Return the words by the text that they stand in: those that are glued share one."""
        if not self.glued:
            return [[word] for word in self.words]
        found: list[list[str]] = []
        for word, glued in zip(self.words, self.glued, strict=True):
            if glued:
                found[-1].append(word)
            else:
                found.append([word])
        return found


def sentence_file(folder: Path, split: str, files: Mapping[str, str], endings: Sequence[str]) -> Path:
    """Return the file of one split, which may be packed with gzip.

    Args:
        folder: of the task.
        split: such as ``dev``.
        files: names that differ from the split's.
        endings: that a file with the split's name may have.

    Raises:
        TaskDataError: the folder or the file does not exist.
    """
    if not folder.is_dir():
        raise TaskDataError(f"{folder} does not exist", hint="name the folder of the task's data with --data")
    names = [files[split]] if split in files else [f"{split}.{ending}" for ending in endings]
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    raise TaskDataError(
        f"{folder / names[0]} does not exist",
        hint=f"looked for {', '.join(names)}, each also with .gz; other names go under tasks.<name>.files",
    )
