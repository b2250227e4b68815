"""Data whose examples are records with named fields: JSONL, JSON, TSV or CSV."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from bertpipe.errors import TaskDataError
from bertpipe.tasks.formats import (
    Record,
    ending,
    optional_field,
    read_json,
    read_jsonl,
    read_table,
    split_file,
)
from bertpipe.tasks.task import Description, Examples

Format = Literal["jsonl", "json", "tsv", "csv"]
Names = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]

_ALL_SPLITS = "*"
_ENDINGS: dict[str, Format] = {
    **{f".{name}": name for name in get_args(Format)},
    ".txt": "tsv",  # as NSMC and SICK
}


class RecordsDescription(Description):
    """What a file of records looks like."""

    format: Format | None = Field(None, description="Unset: by the ending of the file's name; .txt is TSV.")
    header: dict[str, Names] = Field(
        default_factory=dict,
        description="Names of a table's columns where its file has no header: a list, or lists by split, "
        "such as {train: [label, text]}.",
    )
    quotes: bool | None = Field(
        None, description="Whether double quotes enclose a table's fields; unset: in CSV, but not in TSV."
    )
    broken_rows: Literal["refuse", "skip"] = Field(
        "refuse", description="What to do with a table's rows that have too few or too many fields."
    )
    id: str | None = Field(
        "id", description="Field that names an example; unset, or not there: its number in the file."
    )

    @field_validator("header", mode="before")
    @classmethod
    def _a_list_is_for_all_splits(cls, value: Any) -> Any:
        return {_ALL_SPLITS: value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _tables_alone_have_columns(self) -> Self:
        said = {
            "header": bool(self.header),
            "quotes": self.quotes is not None,
            "broken_rows": self.broken_rows == "skip",
        }
        name = next((name for name, is_said in said.items() if is_said), None)
        if name is not None and self.format in ("jsonl", "json"):
            raise ValueError(f"{name} has no meaning with format = {self.format}, only with tsv or csv")
        return self

    def header_of(self, split: str) -> Sequence[str]:
        """Return the names of a split's columns; empty where its file tells them."""
        return self.header.get(split, self.header.get(_ALL_SPLITS, ()))


def read_split(folder: Path, split: str, description: RecordsDescription) -> Examples[Record]:
    """Return the records of one split, at least one.

    Raises:
        TaskDataError: there is no such file, it holds nothing, or a line is wrong.
    """
    endings = [e for e, name in _ENDINGS.items() if description.format in (None, name)]
    path = split_file(folder, split, description.files, endings=endings)
    broken: list[str] = []
    records = list(_reader(path, split, description, broken)(path))
    if not records:
        raise TaskDataError(f"{path} holds no examples")
    notes = [f"{split}: {len(broken)} broken rows left out, the first: {broken[0]}"] if broken else []
    return Examples(records, notes)


def _reader(
    path: Path, split: str, description: RecordsDescription, broken: list[str]
) -> Callable[[Path], Iterator[Record]]:
    match description.format or _ENDINGS.get(ending(path)):
        case "jsonl":
            return read_jsonl
        case "json":
            return read_json
        case "tsv" | "csv" as name:
            return partial(
                read_table,
                separator="," if name == "csv" else "\t",
                quotes=name == "csv" if description.quotes is None else description.quotes,
                header=description.header_of(split),
                broken=broken if description.broken_rows == "skip" else None,
            )
    raise TaskDataError(
        f"{path}: its ending does not tell the format",
        hint=f"set tasks.<name>.format to one of {', '.join(get_args(Format))}",
    )


def id_of(record: Record, number: int, description: RecordsDescription) -> str:
    """Return how the data names a record, else its number in the file, from 0."""
    own = optional_field(record, description.id) if description.id is not None else None
    return str(number if own is None else own)
