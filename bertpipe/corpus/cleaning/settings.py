"""The section ``corpus.cleaning``: which documents are left out."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bertpipe.configs import Settings

Unit = Literal["words", "characters"]


class CleaningConfig(Settings):
    """Which documents are left out; nothing, unless a switch is set.

    The switches work in the order in which they stand here, and a document counts for the first
    one that takes it. A word is what white space separates, in lower case, letters, marks and
    digits only; in scripts that do without spaces (Chinese, Japanese, Thai, ...) each letter is one.
    """

    min_characters: int | None = Field(
        None, ge=1, description="Leave out shorter documents; runs of white space count as one."
    )
    max_characters: int | None = Field(
        None, ge=1, description="Leave out longer documents; runs of white space count as one."
    )
    max_non_letter_share: float | None = Field(
        None, ge=0, lt=1, description="Leave out documents with a larger share of signs that are no letters."
    )
    decontaminate: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Leave out documents that share an n-gram with one of these task files or folders "
        "(JSON, JSON Lines, CSV, TSV: every text in them; other files: every line).",
    )
    decontamination_words: int = Field(
        13, ge=1, description="Words of such an n-gram (13: Brown et al. 2020, appendix C)."
    )
    exact_duplicates: bool = Field(
        False, description="Of documents that differ in white space only, keep the first."
    )
    near_duplicates: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Leave out a document of which at least this share of shingles (runs of words) is the "
        "same as in an earlier one that stays: the estimated Jaccard similarity; 0.8 is usual.",
    )
    shingles: Unit = Field("words", description="What near duplicates are compared by: runs of this.")
    shingle_size: int = Field(5, ge=1, description="Words or characters in a shingle.")
    permutations: int = Field(
        128, ge=16, le=1024, description="Hashes kept of a document: more estimate similarity more exactly."
    )

    @property
    def is_on(self) -> bool:
        """Whether any switch is set."""
        return bool(self.switches)

    @property
    def switches(self) -> list[str]:
        """The names of the switches that are set, in the order in which they work."""
        return [name for name in SWITCHES if getattr(self, name) not in (None, False, ())]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        shortest, longest = self.min_characters, self.max_characters
        if shortest is not None and longest is not None and shortest > longest:
            raise ValueError(f"min_characters {shortest} is more than max_characters {longest}")
        return self


SWITCHES = (
    "min_characters",
    "max_characters",
    "max_non_letter_share",
    "decontaminate",
    "exact_duplicates",
    "near_duplicates",
)
