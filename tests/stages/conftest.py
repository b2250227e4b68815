"""A tiny made-up corpus and tasks, and what the first stages make of them, once for all tests."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.corpus import CorpusConfig
from bertpipe.instances import MaskingConfig
from bertpipe.model import ModelConfig
from bertpipe.pretraining.config import PretrainConfig
from bertpipe.stages import finetune, prepare, pretrain, vocab
from bertpipe.tasks import FinetuneConfig

GOOD = ("fine", "great", "lovely", "bright", "warm")
BAD = ("poor", "dull", "awful", "grey", "cold")
THINGS = ("film", "book", "house", "river", "garden", "letter", "story", "winter", "road", "friend", "dinner")
RUNTIME = RuntimeConfig(workers=1, threads=1, device="cpu", checkpoint_steps=4)

torch.set_num_threads(1)


def sentence(draws: random.Random, words: tuple[str, ...]) -> str:
    """Return a sentence that praises or blames a thing throughout."""
    thing, other = (draws.choice(THINGS) for _ in range(2))
    first, second = (draws.choice(words) for _ in range(2))
    return f"the {thing} was {first} and the {other} was {second}."


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``corpus.txt`` and ``tasks/film-reviews``, ``tasks/product-reviews``."""
    folder = tmp_path_factory.mktemp("made")
    draws = random.Random("made up text")
    documents = [
        "\n".join(sentence(draws, (GOOD, BAD)[number % 2]) for _ in range(6)) for number in range(40)
    ]
    (folder / "corpus.txt").write_text("\n\n".join(documents) + "\n", encoding="utf-8")
    for split, size in (("train", 24), ("dev", 12), ("test", 10)):
        texts = [sentence(draws, (GOOD, BAD)[number % 2]) for number in range(size)]
        labels = [("positive", "negative")[number % 2] for number in range(size)]
        write_rows(
            folder / "tasks" / "film-reviews" / f"{split}.jsonl",
            [
                {"id": f"{split}-{n}", "text": text, "label": label}
                for n, (text, label) in enumerate(zip(texts, labels, strict=True))
            ],
        )
        write_rows(
            folder / "tasks" / "product-reviews" / f"{split}.jsonl",
            [
                {"text": text, "score": sum(word in GOOD for word in text.replace(".", "").split()) + n / 100}
                for n, text in enumerate(texts)
            ],
        )
    return folder


@pytest.fixture(scope="session")
def vocabulary(made: Path) -> Path:
    """Return an output of ``vocab``."""
    settings = vocab.VocabSettings(
        vocab=vocab.VocabConfig(size=90), corpus=CorpusConfig(sentences="lines"), runtime=RUNTIME
    )
    vocab.run(settings, corpus=[made / "corpus.txt"], out=made / "vocab")
    return made / "vocab"


@pytest.fixture(scope="session")
def make_shards(
    made: Path, vocabulary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Return a function that gives an output of ``prepare`` with the settings named.

    Its progress has a folder of its own: another process of the tests may make the same.
    """

    def make(name: str, *, vocab_folder: Path = vocabulary, **changes: Any) -> Path:
        values = {"max_seq_length": 32, "dupe_factor": 1, "validation_share": 0.1, **changes}
        settings = prepare.PrepareSettings(
            prepare=prepare.PrepareConfig(**values),
            corpus=CorpusConfig(sentences="lines"),
            masking=MaskingConfig(),
            runtime=RUNTIME,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BERTPIPE_WORK", str(tmp_path_factory.mktemp("side")))
            prepare.run(settings, corpus=[made / "corpus.txt"], vocab=vocab_folder, out=made / name)
        return made / name

    return make


@pytest.fixture(scope="session")
def shards(make_shards: Callable[..., Path]) -> Path:
    """Return an output of ``prepare``."""
    return make_shards("shards")


@pytest.fixture(scope="session")
def pretrain_settings() -> Callable[..., pretrain.PretrainSettings]:
    """Return a function that gives tiny settings of ``pretrain``, changed as named by section."""

    def make(
        *, model: dict[str, Any] | None = None, runtime: dict[str, Any] | None = None, **changes: Any
    ) -> pretrain.PretrainSettings:
        values = {
            "total_steps": 10,
            "batch_size": 8,
            "learning_rate": 2e-3,
            "warmup_steps": 2,
            "evaluate_steps": 5,
            "evaluate_sequences": 16,
            "seed": 3,
        }
        shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        return pretrain.PretrainSettings(
            pretrain=PretrainConfig(**(values | changes)),
            model=ModelConfig(**(shape | {"max_position_embeddings": 40} if model is None else model)),
            masking=MaskingConfig(),
            runtime=RUNTIME.model_copy(update=runtime or {}),
        )

    return make


@pytest.fixture(scope="session")
def pretrained(
    made: Path,
    shards: Path,
    pretrain_settings: Callable[..., pretrain.PretrainSettings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return an output of ``pretrain``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTPIPE_WORK", str(tmp_path_factory.mktemp("side")))
        pretrain.run(pretrain_settings(), shards=shards, init=None, out=made / "pretrained")
    return made / "pretrained"


@pytest.fixture(scope="session")
def finetune_settings() -> Callable[..., finetune.FinetuneSettings]:
    """Return a function that gives tiny settings of ``finetune``, changed as named."""

    def make(**changes: Any) -> finetune.FinetuneSettings:
        values = {"learning_rate": 5e-3, "batch_size": 6, "epochs": 3, "max_seq_length": 24, "seed": 1}
        return finetune.FinetuneSettings(
            finetune=FinetuneConfig(**(values | changes)), tasks={}, runtime=RUNTIME
        )

    return make


@pytest.fixture(scope="session")
def finetuned(
    made: Path,
    pretrained: Path,
    finetune_settings: Callable[..., finetune.FinetuneSettings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Path]:
    """Return a function that gives an output of ``finetune`` for a task, made once."""

    def make(task: str) -> Path:
        out = made / "finetuned" / task
        if not out.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("BERTPIPE_WORK", str(tmp_path_factory.mktemp("side")))
                finetune.run(
                    finetune_settings(epochs=30),
                    model=pretrained,
                    task_name=task,
                    data=made / "tasks" / task,
                    out=out,
                )
        return out

    return make
