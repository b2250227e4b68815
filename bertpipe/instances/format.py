"""What a shard looks like: its name, its columns, and what its schema says about it."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

FORMAT = "1"
ROWS_A_BATCH = 8192
IGNORE = -100  # where nothing is to be predicted

_PREFIX = "bertpipe."


@dataclass(frozen=True)
class SpecialIds:
    """What stands around segments."""

    cls_id: int
    sep_id: int


@dataclass(frozen=True)
class ShardInfo:
    """What all shards of a prepared folder have in common.

    Attributes:
        vocab_size: number of ids of the tokenizer.
        tokenizer_hash: content hash of the tokenizer.
        max_seq_length: longest row that there can be, in tokens.
        objective: what the second segment is: ``nsp``, ``sop`` or ``none``; ``packed``: rows are full blocks.
        masking: with which settings the stored masks were drawn, as JSON; none where there are no masks.
    """

    vocab_size: int
    tokenizer_hash: str
    max_seq_length: int
    objective: str
    masking: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what there is to say, by name."""
        described = {name: value for name, value in asdict(self).items() if value is not None}
        return described | ({"masking": json.loads(self.masking)} if self.masking else {})

    @property
    def has_pairs(self) -> bool:
        """Whether rows have two segments, and a label that says how they belong together."""
        return self.objective in ("nsp", "sop")

    @property
    def id_dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest type that holds every token id."""
        return id_dtype(self.vocab_size)


def id_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger]:
    """Return the smallest type that holds every id of a vocabulary: uint16 or uint32."""
    return np.dtype(np.uint16 if vocab_size <= 2**16 else np.uint32)


def shard_name(number: int, count: int) -> str:
    """Return the file name of one shard out of ``count``."""
    return f"shard-{number:05d}-of-{count:05d}.arrow"


def schema(info: ShardInfo) -> pa.Schema:
    """Return the columns, and ``info`` as metadata in a fixed order."""
    ids = pa.list_(pa.from_numpy_dtype(info.id_dtype))
    columns = [
        pa.field("input_ids", ids, nullable=False),
        pa.field("first_segment_length", pa.uint16(), nullable=False),
        pa.field("next_sentence_label", pa.int8(), nullable=False),
        pa.field("first_document", pa.uint32(), nullable=False),
        pa.field("second_document", pa.uint32(), nullable=True),
    ]
    if info.masking is not None:
        columns += [
            pa.field("masked_positions", pa.list_(pa.uint16()), nullable=False),
            pa.field("masked_ids", ids, nullable=False),
        ]
    described = {name: str(value) for name, value in asdict(info).items() if value is not None}
    metadata = {"format": FORMAT, **described}
    return pa.schema(columns, metadata={_PREFIX + name: value for name, value in metadata.items()})


def read_info(found: pa.Schema) -> ShardInfo:
    """Return what a schema says about its shard.

    Raises:
        ValueError: it is not the schema of a shard of this format.
    """
    metadata = {key.decode(): value.decode() for key, value in (found.metadata or {}).items()}
    names = ["format", *(field.name for field in fields(ShardInfo) if field.name != "masking")]
    if any(_PREFIX + name not in metadata for name in names):
        raise ValueError("its schema has no metadata of bertpipe")
    version, vocab_size, tokenizer_hash, max_seq_length, objective = (
        metadata[_PREFIX + name] for name in names
    )
    if version != FORMAT:
        raise ValueError(f"it has format {version}, this version of bertpipe reads {FORMAT}")
    masking = metadata.get(_PREFIX + "masking")
    info = ShardInfo(int(vocab_size), tokenizer_hash, int(max_seq_length), objective, masking)
    if not found.equals(schema(info)):
        raise ValueError("its columns are not those of a shard")
    return info
