"""Sentences of tagged words: what every format of such data is read as."""

from dataclasses import dataclass


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
