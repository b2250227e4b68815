"""What the guards tell of real, tiny runs of pre-training that go wrong."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bertpipe.configs import RuntimeConfig
from bertpipe.corpus import CorpusConfig
from bertpipe.errors import TrainingDivergedError
from bertpipe.instances import MaskingConfig
from bertpipe.model import ModelConfig
from bertpipe.pretraining.config import PretrainConfig
from bertpipe.progress import Silent
from bertpipe.stages import prepare, pretrain, vocab

RUNTIME = RuntimeConfig(workers=1, threads=1, device="cpu")
WORDS = [a + b + c for a in "bdfgk" for b in "aeiou" for c in ("l", "m", "ng", "rt", "st", "x")]


class Recorder(Silent):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def sentence(draws: random.Random) -> str:
    """Return words of which each is drawn by itself: there is no context to learn."""
    return " ".join(draws.choice(WORDS) for _ in range(draws.randint(6, 12)))


def made_shards(folder: Path, lines: Sequence[str]) -> Path:
    """Return an output of ``prepare`` on documents of six lines each."""
    documents = ["\n".join(lines[start : start + 6]) for start in range(0, len(lines), 6)]
    (folder / "corpus.txt").write_text("\n\n".join(documents) + "\n", encoding="utf-8")
    corpus = CorpusConfig(sentences="lines")
    vocab.run(
        vocab.VocabSettings(vocab=vocab.VocabConfig(size=300), corpus=corpus, runtime=RUNTIME),
        corpus=[folder / "corpus.txt"],
        out=folder / "vocab",
    )
    config = prepare.PrepareConfig(max_seq_length=32, dupe_factor=1, validation_share=0.1)
    prepare.run(
        prepare.PrepareSettings(prepare=config, corpus=corpus, masking=MaskingConfig(), runtime=RUNTIME),
        corpus=[folder / "corpus.txt"],
        vocab=folder / "vocab",
        out=folder / "shards",
    )
    return folder / "shards"


@pytest.fixture(scope="module")
def random_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return shards of text without any order."""
    draws = random.Random(0)
    return made_shards(tmp_path_factory.mktemp("random"), [sentence(draws) for _ in range(4000)])


@pytest.fixture(scope="module")
def repeated_lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return shards of text of two lines, each three hundred times or so."""
    draws = random.Random(1)
    lines = [sentence(draws) for _ in range(2)]
    repeated = [draws.choice(lines) for _ in range(600)]
    return made_shards(tmp_path_factory.mktemp("repeated"), repeated)


def notes_of(shards: Path, out: Path, **changes: Any) -> list[str]:
    """Pre-train a tiny model; return what was told."""
    values = {
        "total_steps": 300,
        "batch_size": 16,
        "learning_rate": 0.01,
        "evaluate_steps": 1000,
        "evaluate_sequences": 16,
        "adam_beta2": 0.98,
        "seed": 1,
    }
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_dropout_prob": 0.0}
    settings = pretrain.PretrainSettings(
        pretrain=PretrainConfig.model_validate(values | changes),
        model=ModelConfig.model_validate(
            shape
            | {
                "attention_probs_dropout_prob": 0.0,
                "max_position_embeddings": 32,
                "initializer_range": 0.05,
            }
        ),
        masking=MaskingConfig(),
        runtime=RUNTIME,
    )
    recorder = Recorder()
    pretrain.run(settings, shards=shards, init=None, out=out, progress=recorder)
    return recorder.notes


def test_an_absurd_learning_rate_is_told(random_text: Path, tmp_path: Path) -> None:
    """At rate 3 the loss is many times that of a model that knows nothing, and the causes say so."""
    notes = notes_of(random_text, tmp_path / "model", learning_rate=3.0, total_steps=40)
    assert len([note for note in notes if note.startswith("the loss has climbed from about 6")]) == 1
    assert all("learning rate too high" in note for note in notes if "climbed" in note)


def test_an_absurd_learning_rate_may_stop_the_run(random_text: Path, tmp_path: Path) -> None:
    """With on_spike = stop it ends as divergence, and there is no model."""
    with pytest.raises(TrainingDivergedError, match=r"the loss has climbed .* at step"):
        notes_of(random_text, tmp_path / "model", learning_rate=3.0, total_steps=40, on_spike="stop")
    assert not (tmp_path / "model").exists()


def test_an_overflow_stops_the_run(random_text: Path, tmp_path: Path) -> None:
    """A rate at which float32 has no more numbers ends it, whatever the spike guard would do."""
    with pytest.raises(TrainingDivergedError, match=r"(loss|norm) is (nan|inf) at step"):
        notes_of(random_text, tmp_path / "model", learning_rate=1e38, on_spike="ignore", total_steps=40)


@pytest.mark.slow
def test_text_without_order_is_a_plateau(random_text: Path, tmp_path: Path) -> None:
    """Frequencies are all there is to learn, so the loss stays near the entropy of some two hundred words."""
    notes = notes_of(random_text, tmp_path / "model", learning_rate=0.005, plateau_steps=150)
    (told,) = [note for note in notes if "plateau" in note or "masked LM loss" in note]
    assert "about what the frequencies of the tokens alone give" in told


@pytest.mark.slow
def test_repeated_lines_are_learned_by_heart(repeated_lines: Path, tmp_path: Path) -> None:
    """They are no plateau: what is told is a loss that natural text does not allow."""
    notes = notes_of(repeated_lines, tmp_path / "model", total_steps=600)
    (told,) = [note for note in notes if "masked LM loss" in note]
    assert "natural text does not allow" in told and "the same lines or documents again and again" in told
