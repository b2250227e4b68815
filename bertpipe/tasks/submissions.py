"""Files as GLUE's leaderboard takes them: an index and a prediction a line, under a header."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from pydantic import Field, field_validator

from bertpipe.tasks.task import Example
from bertpipe.tasks.texts import TextsDescription


class SubmittedDescription(TextsDescription):
    """A task that a leaderboard scores, or may."""

    submission: dict[str, str] = Field(
        default_factory=dict,
        description="File that a leaderboard takes, such as CoLA.tsv, or files by split, such as "
        "{test: MNLI-m.tsv}; unset: none is written.",
    )

    @field_validator("submission", mode="before")
    @classmethod
    def _one_file_is_that_of_test(cls, value: Any) -> Any:
        return {"test": value} if isinstance(value, str) else value

    @field_validator("submission")
    @classmethod
    def _is_a_name(cls, files: dict[str, str]) -> dict[str, str]:
        bad = [name for name in files.values() if not name.endswith(".tsv") or "/" in name]
        if bad:
            raise ValueError(f"{bad[0]!r} is no name of a .tsv file")
        return files

    def of_split(self, split: str) -> Self:
        """Return the same, with the file of one split alone."""
        files = {split: self.submission[split]} if split in self.submission else {}
        return self.model_copy(update={"submission": files})

    def submitted(self, examples: Sequence[Example], answers: Iterable[str]) -> dict[str, str]:
        """Return the file's content by its name; nothing where none is asked for."""
        lines = [f"{one.id}\t{answer}\n" for one, answer in zip(examples, answers, strict=True)]
        return {name: "".join(["index\tprediction\n", *lines]) for name in self.submission.values()}
