"""Tagging from a pre-trained model to scores, by the stages that know nothing of it."""

import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModel,
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertForTokenClassification,
)

from bertpipe.artifacts import open_artifact
from bertpipe.checkpoints import open_model
from bertpipe.configs import RuntimeConfig
from bertpipe.errors import CheckpointError, ConfigError, StoppedError, TaskDataError
from bertpipe.progress import Silent
from bertpipe.reports.sources import read_runs
from bertpipe.stages import eval as eval_stage
from bertpipe.stages import finetune
from bertpipe.stages.eval import EvalConfig, EvalSettings
from bertpipe.tasks import TaskDescription
from bertpipe.tasks.kinds import TaggingDescription
from bertpipe.vocab import Tokenizer

Make = Callable[..., Any]
TASK = "praise"
TASKS: dict[str, TaskDescription] = {TASK: TaggingDescription(kind="tagging")}
FINE, POOR, THINGS = (
    ("fine", "great", "lovely"),
    ("poor", "dull", "awful"),
    ("film", "book", "house", "river"),
)


class StopAt(Silent):
    """Asks to stop after the update with a given number."""

    def __init__(self, step: int) -> None:
        self._left = step

    def advance(self, amount: float, **figures: float | str) -> None:
        self._left -= round(amount)
        if amount and not self._left:
            os.kill(os.getpid(), signal.SIGTERM)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of sentences in which what is praised or blamed, and how, is an entity."""
    folder = tmp_path_factory.mktemp("praise")
    draws = random.Random("tagged words")
    for split, size in (("train", 30), ("dev", 12), ("test", 10)):
        lines = []
        for _ in range(size):
            for _ in range(draws.randint(1, 3)):
                kind, words = draws.choice([("FINE", FINE), ("POOR", POOR)])
                first, second = draws.choice(words), draws.choice(THINGS)
                lines += ["the\tO", f"{first}\tB-{kind}", f"{second}\tI-{kind}", "was\tO", ".\tO"]
            lines.append("")
        (folder / f"{split}.conll").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def tagger(
    data: Path, pretrained: Path, finetune_settings: Make, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return an output of ``finetune``."""
    out = tmp_path_factory.mktemp("tagger") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTPIPE_WORK", str(tmp_path_factory.mktemp("side")))
        settings = finetune_settings(epochs=20, learning_rate=1e-2).model_copy(update={"tasks": TASKS})
        finetune.run(settings, model=pretrained, task_name=TASK, data=data, out=out)
    return out


@pytest.fixture
def score(data: Path, tmp_path: Path) -> Make:
    """Evaluate a model into a folder of the test; return the summary."""

    def run(model: Path, name: str = "out", *, folder: Path = data, **changes: Any) -> eval_stage.EvalSummary:
        settings = EvalSettings(
            eval=EvalConfig(**({"split": "test"} | changes)),
            tasks=TASKS,
            runtime=RuntimeConfig(threads=1, device="cpu"),
        )
        return eval_stage.run(settings, model=model, task_name=TASK, data=folder, out=tmp_path / name)

    return run


def test_tags_are_learned(tagger: Path) -> None:
    """The words tell them, so that in the end most entities of dev are found."""
    metrics = json.loads((tagger / "metrics.json").read_text())
    assert metrics["dev"]["entity_f1"] > 0.6
    assert metrics["last"]["validation_task_accuracy"] == pytest.approx(metrics["dev"]["accuracy"])
    assert open_artifact(tagger, stage="finetune").counts["train_examples"] == 30
    assert open_model(tagger).labels == ("B-FINE", "B-POOR", "I-FINE", "I-POOR", "O")


def test_every_word_is_answered(tagger: Path, score: Make, tmp_path: Path) -> None:
    """In windows of eight tokens, too; the scores are those of the predictions, type by type."""
    for name, changes in (("whole", {}), ("windows", {"max_seq_length": 8, "batch_size": 3})):
        summary = score(tagger, name, **changes)
        found = rows(tmp_path / name / "predictions.jsonl")
        assert all(len(p["prediction"]) == len(p["target"]) == len(p["tag_probabilities"]) for p in found)
        pairs = [pair for p in found for pair in zip(p["target"], p["prediction"], strict=True)]
        assert summary.scores["accuracy"] == sum(a == b for a, b in pairs) / len(pairs)
        confusion = (tmp_path / name / "confusion.tsv").read_text().splitlines()
        assert confusion[1:] == [f"{gold}\t{predicted}" for gold, predicted in pairs]
        scores = json.loads((tmp_path / name / "scores.json").read_text())
        assert summary.scores["entity_f1"] > 0.6 and scores["classes"].keys() == {"FINE", "POOR"}


def test_the_report_reads_the_scores(tagger: Path, score: Make, tmp_path: Path) -> None:
    """As those of any other task."""
    summary = score(tagger, f"scores/{TASK}/pretrained-1")
    (run,) = read_runs(tmp_path / "scores").values()
    assert run.scores == summary.scores and run.primary == "entity_f1"


def test_transformers_answers_alike(tagger: Path, score: Make, data: Path, tmp_path: Path) -> None:
    """AutoModel and AutoTokenizer give the tags that we predict."""
    theirs, loading = AutoModelForTokenClassification.from_pretrained(tagger, output_loading_info=True)
    assert not any(loading.values())
    tokenizer = AutoTokenizer.from_pretrained(tagger)
    score(tagger, max_seq_length=40)
    blocks = (data / "test.conll").read_text().strip().split("\n\n")
    for block, prediction in zip(blocks, rows(tmp_path / "out" / "predictions.jsonl"), strict=True):
        words = [line.split("\t")[0] for line in block.splitlines()]
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            best = theirs.eval()(**encoded).logits[0].argmax(-1).tolist()
        first = [encoded.word_ids().index(word) for word in range(len(words))]
        assert [theirs.config.id2label[best[place]] for place in first] == prediction["prediction"]


def test_a_tagger_of_transformers_can_be_scored(score: Make, shards: Path, tmp_path: Path) -> None:
    """Its labels tell the scheme."""
    tokenizer = Tokenizer.load(shards / "tokenizer")
    labels = dict(enumerate(["O", "B-FINE", "I-FINE", "B-POOR", "I-POOR"]))
    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=20,
        id2label=labels,
    )
    BertForTokenClassification(config).save_pretrained(tmp_path / "theirs")
    tokenizer.save(tmp_path / "theirs")
    assert "|scheme:iob2|" in score(tmp_path / "theirs").signature


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("the\nfine\n", r"test\.conll:1: no tags"),
        (
            "the\tO\nfilm\tB-THING\n",
            r"test\.conll:1: unknown tag 'B-THING' of 'film', the model knows B-FINE",
        ),
        ("the\tO\nfilm\n", r"test\.conll:2: 1 column, the first line has 2"),
        ("", r"test\.conll holds no examples"),
    ],
)
def test_what_cannot_be_scored_is_told(
    content: str, message: str, tagger: Path, score: Make, tmp_path: Path
) -> None:
    """By its place, and nothing is written."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.conll").write_text(content)
    with pytest.raises(TaskDataError, match=message):
        score(tagger, folder=tmp_path / "data")
    assert not (tmp_path / "out").exists()


def test_a_classifier_is_no_tagger(finetuned: Callable[[str], Path], score: Make) -> None:
    """It has one answer for a whole sentence."""
    with pytest.raises(
        CheckpointError, match="holds a BertForSequenceClassification, praise needs a BertForTok"
    ):
        score(finetuned("film-reviews"))


@pytest.fixture(scope="module")
def on_features(
    data: Path, pretrained: Path, finetune_settings: Make, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return an output of ``finetune`` with a frozen encoder."""
    out = tmp_path_factory.mktemp("features") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTPIPE_WORK", str(tmp_path_factory.mktemp("side")))
        settings = finetune_settings(epochs=12, learning_rate=2e-2, features="last", features_hidden_size=12)
        settings = settings.model_copy(update={"tasks": TASKS})
        finetune.run(settings, model=pretrained, task_name=TASK, data=data, out=out)
    return out


def test_tags_are_learned_from_features(
    on_features: Path, pretrained: Path, score: Make, tmp_path: Path
) -> None:
    """By the BiLSTM alone: every weight of the encoder is as it was, and the scores are those of eval."""
    before, after = (load_file(folder / "model.safetensors") for folder in (pretrained, on_features))
    frozen = [name for name in after if name.startswith("bert.")]
    assert frozen and all(torch.equal(before[name], after[name]) for name in frozen)
    assert {name.split(".")[0] for name in after} == {"bert", "features", "classifier"}
    metrics = json.loads((on_features / "metrics.json").read_text())
    assert metrics["dev"]["entity_f1"] > 0.6
    assert score(on_features, split="dev").scores == metrics["dev"]


def test_a_model_on_features_says_what_it_is(on_features: Path, score: Make) -> None:
    """Hugging Face has no such class, so none is claimed; its BertModel opens the encoder all the same."""
    config = json.loads((on_features / "config.json").read_text())
    assert config["architectures"] == ["BertFeaturesForTokenClassification"]
    assert config["bertpipe_features"] == {"layers": "last", "hidden_size": 12}
    theirs, loading = AutoModel.from_pretrained(on_features, output_loading_info=True)
    assert all(name.startswith("pooler.") for name in loading["missing_keys"])
    assert all(name.startswith(("features.", "classifier.")) for name in loading["unexpected_keys"])
    stored = load_file(on_features / "model.safetensors")
    assert torch.equal(
        theirs.state_dict()["embeddings.word_embeddings.weight"],
        stored["bert.embeddings.word_embeddings.weight"],
    )


def test_features_go_with_answers_a_token_and_enough_layers(
    made: Path, data: Path, pretrained: Path, finetune_settings: Make, tmp_path: Path
) -> None:
    """One answer for a sentence, or four layers of two, is told before the work."""

    def tune(features: str, task: str, folder: Path) -> None:
        settings = finetune_settings(features=features).model_copy(update={"tasks": TASKS})
        finetune.run(settings, model=pretrained, task_name=task, data=folder, out=tmp_path / "out")

    with pytest.raises(ConfigError, match=r"features = last, but the task has one answer for a whole"):
        tune("last", "film-reviews", made / "tasks" / "film-reviews")
    with pytest.raises(ConfigError, match="features = concat_last_four, but the model has 2 layers, not 4"):
        tune("concat_last_four", TASK, data)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_stopped_run_on_features_goes_on_to_the_same_bytes(
    data: Path, pretrained: Path, finetune_settings: Make, tmp_path: Path
) -> None:
    """Stopped after the second of five updates, with dropout."""
    settings = finetune_settings(epochs=1, features="weighted_all", features_hidden_size=8, dropout=0.1)
    settings = settings.model_copy(update={"tasks": TASKS})

    def tune(name: str, progress: Silent | None = None) -> finetune.FinetuneSummary:
        return finetune.run(
            settings, model=pretrained, task_name=TASK, data=data, out=tmp_path / name, progress=progress
        )

    tune("unbroken")
    with pytest.raises(StoppedError):
        tune("out", StopAt(2))
    assert tune("out").resumed_from_step == 2
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("unbroken", "out"))
    assert one == two
