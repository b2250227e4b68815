"""A few shards, written with pyarrow alone."""

from collections.abc import Callable

import pyarrow as pa
import pytest
import torch

from bertpipe.instances import ShardSet
from bertpipe.instances.format import ShardInfo, schema, shard_name
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

torch.set_num_threads(1)

ROWS, VOCAB_SIZE = 21, 260


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """255 words, a token each."""
    return Tokenizer.build([*SPECIAL_TOKENS, *(f"w{n}" for n in range(VOCAB_SIZE - 5))], lowercase=True)


@pytest.fixture(scope="session")
def make_shards(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Callable[[str], ShardSet]:
    """Return 21 rows in two shards: row n starts with the token 10 + n; lengths differ."""

    def make(objective: str) -> ShardSet:
        info = ShardInfo(VOCAB_SIZE, tokenizer.content_hash(), 24, objective)
        folder = tmp_path_factory.mktemp("shards")
        for number, numbers in enumerate((range(13), range(13, ROWS))):
            rows = [
                [tokenizer.cls_id, 10 + n, *range(40 + n, 46 + 2 * (n % 5) + n), tokenizer.sep_id]
                for n in numbers
            ]
            second = [[100 + n, 150 + n, tokenizer.sep_id] if objective == "nsp" else [] for n in numbers]
            columns = [
                [row + other for row, other in zip(rows, second, strict=True)],
                [len(row) for row in rows],
                [n % 2 if objective == "nsp" else -100 for n in numbers],
                list(numbers),
                list(numbers),
            ]
            arrays = [
                pa.array(column, type=field.type) for column, field in zip(columns, schema(info), strict=True)
            ]
            path = folder / shard_name(number, 2)
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema(info)) as out:
                out.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema(info)))
        return ShardSet.open(folder)

    return make
