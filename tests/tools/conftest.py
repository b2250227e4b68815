"""Models that were never trained: a tiny encoder with a head, drawn from a seed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bertpipe.checkpoints import write_model
from bertpipe.model import ModelShape
from bertpipe.tasks import Task
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

torch.set_num_threads(1)

TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *"abcdefghij"], lowercase=True)
SHAPE = ModelShape(
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    vocab_size=15,
    max_position_embeddings=24,
    initializer_range=1.0,
)


@pytest.fixture
def save_model(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a model for a task."""

    def save(task: Task[Any, Any, Any], name: str = "model") -> Path:
        torch.manual_seed(0)
        folder = tmp_path / name
        folder.mkdir()
        write_model(
            folder,
            task.head.build(SHAPE),
            shape=SHAPE,
            architecture=task.head.architecture,
            tokenizer=TOKENIZER,
            labels=task.labels,
            extra=task.facts,
        )
        return folder

    return save


@pytest.fixture
def write_data(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes records as a split of a task's folder."""

    def write(*records: dict[str, Any], split: str = "test", name: str = "data") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
        return folder

    return write
