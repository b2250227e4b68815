"""From a model and labelled data to a model with a head."""

import json
import math
import os
import signal
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForMultipleChoice,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

from bertpipe.artifacts import open_artifact, read_manifest
from bertpipe.checkpoints import load_weights, open_model
from bertpipe.errors import CheckpointError, ConfigError, StoppedError, TaskDataError
from bertpipe.model import SequenceModel
from bertpipe.model.encoder import EncoderLayer
from bertpipe.progress import Silent
from bertpipe.stages import finetune, pretrain
from bertpipe.tasks.inputs import encode_texts
from bertpipe.tasks.kinds import ClassificationDescription
from bertpipe.vocab import Tokenizer

Make = Callable[..., Any]
FILMS = "film-reviews"


class StopAt(Silent):
    """Asks to stop after the update with a given number."""

    def __init__(self, step: int) -> None:
        self._left = step

    def advance(self, amount: float, **figures: float | str) -> None:
        self._left -= round(amount)
        if amount and not self._left:
            os.kill(os.getpid(), signal.SIGTERM)


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def tune(made: Path, pretrained: Path, tmp_path: Path) -> Make:
    """Fine-tune the pre-trained model into a folder of the test; return the summary."""

    def run(
        settings: finetune.FinetuneSettings,
        name: str = "out",
        *,
        task: str = FILMS,
        model: Path = pretrained,
        data: Path | None = None,
        progress: Silent | None = None,
    ) -> finetune.FinetuneSummary:
        return finetune.run(
            settings,
            model=model,
            task_name=task,
            data=data or made / "tasks" / task,
            out=tmp_path / name,
            progress=progress,
        )

    return run


def test_a_second_run_writes_the_same_bytes(tune: Make, finetune_settings: Make, tmp_path: Path) -> None:
    """Every file is the same."""
    tune(finetune_settings(), "one")
    tune(finetune_settings(), "two")
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


class Recorder(Silent):
    """Keeps the facts for the run log, and what was told."""

    def __init__(self) -> None:
        self.facts: dict[str, float | str] = {}
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def record(self, **facts: float | str) -> None:
        self.facts.update(facts)


def test_watching_changes_no_byte(tune: Make, finetune_settings: Make, tmp_path: Path) -> None:
    """Speed goes to the run log, figures to TensorBoard, and neither into the model's folder."""
    settings, recorder = finetune_settings(dropout=0.1), Recorder()
    runtime = {"log_interval": 2, "tensorboard": str(tmp_path / "board")}
    watched = settings.model_copy(update={"runtime": settings.runtime.model_copy(update=runtime)})
    tune(settings, "plain")
    tune(watched, "watched", progress=recorder)
    assert content_of(tmp_path / "plain") == content_of(tmp_path / "watched")
    assert {"peak_flops", "mfu", "tokens_per_second", "evaluate_seconds"} <= recorder.facts.keys()
    assert len(list(tmp_path.glob("board/finetune/*/events.out.tfevents.*"))) == 1


def test_computing_layers_again_changes_nothing(tune: Make, finetune_settings: Make, tmp_path: Path) -> None:
    """``runtime.gradient_checkpointing`` runs each layer twice an update, with the same dropout."""
    calls = []
    for name, again in (("plain", False), ("again", True)):
        settings = finetune_settings(dropout=0.1, epochs=1)
        runtime = settings.runtime.model_copy(update={"gradient_checkpointing": again})
        training: list[nn.Module] = []

        def count(module: nn.Module, _: object, seen: list[nn.Module] = training) -> None:
            if isinstance(module, EncoderLayer) and module.training:
                seen.append(module)

        with register_module_forward_pre_hook(count):
            tune(settings.model_copy(update={"runtime": runtime}), name)
        calls.append(len(training))
    assert content_of(tmp_path / "plain") == content_of(tmp_path / "again")
    assert calls[1] == 2 * calls[0] > 0


SLOWER_BELOW = {
    "head_learning_rate": 0.02,
    "layer_decay": 0.5,
    "frozen_layers": 1,
    "class_weights": {"positive": 2.0},
}


@pytest.mark.parametrize("changes", [{}, {"precision": "bf16"}, SLOWER_BELOW], ids=["fp32", "bf16", "rates"])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    changes: dict[str, Any], tune: Make, finetune_settings: Make, tmp_path: Path
) -> None:
    """Stopped in the second epoch of four updates each, between two checkpoints."""
    settings = finetune_settings(**changes)
    tune(settings, "unbroken")
    with pytest.raises(StoppedError):
        tune(settings, progress=StopAt(6))
    assert tune(settings).resumed_from_step == 6
    assert content_of(tmp_path / "out") == content_of(tmp_path / "unbroken")


def test_a_task_is_learned(finetuned: Callable[[str], Path]) -> None:
    """A word decides the label, half of the examples have each: in the end most of dev is right."""
    metrics = json.loads((finetuned(FILMS) / "metrics.json").read_text())
    assert metrics["dev"]["accuracy"] > 0.7
    assert metrics["last"]["validation_task_accuracy"] == pytest.approx(metrics["dev"]["accuracy"])


def test_a_collapsed_run_is_told(tune: Make, finetune_settings: Make, tmp_path: Path) -> None:
    """At a rate of nearly zero nothing is learned: the loss stays near the entropy of the labels, log 2."""
    listener = Listener()
    summary = tune(
        finetune_settings(learning_rate=1e-12, epochs=1, initialization="random"), progress=listener
    )
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert figures["baseline_loss"] == pytest.approx(math.log(2))
    assert figures["last"]["train_loss"] == pytest.approx(math.log(2), rel=0.01)
    assert summary.below_baseline is figures["below_baseline"] is False
    (note,) = listener.notes
    assert note.startswith("this run has collapsed: ") and "is not below 0.6931, that of" in note


def test_the_loss_of_a_regression_is_compared_to_the_variance(finetuned: Callable[[str], Path]) -> None:
    """The mean squared error of the mean, over the training examples."""
    figures = json.loads((finetuned("product-reviews") / "metrics.json").read_text())
    rows = (finetuned("product-reviews").parents[1] / "tasks/product-reviews/train.jsonl").read_text()
    values = [json.loads(row)["score"] for row in rows.splitlines()]
    assert figures["baseline_loss"] == pytest.approx(statistics.pvariance(values), rel=1e-5)
    assert figures["below_baseline"] is True


def test_the_output_says_how_it_was_made(finetuned: Callable[[str], Path], pretrained: Path) -> None:
    """Settings, inputs, counts, label names and one row of the curve an epoch."""
    out = finetuned(FILMS)
    manifest = open_artifact(out, stage="finetune")
    assert manifest.inputs["model"] == read_manifest(pretrained).content_hash()
    assert manifest.counts == {"train_examples": 24, "dev_examples": 12}
    assert manifest.settings["task"]["name"] == FILMS
    saved = open_model(out)
    assert saved.labels == ("negative", "positive")
    assert saved.extra["problem_type"] == "single_label_classification"
    lines = (out / "curves.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["step", *(str(4 * epoch) for epoch in range(1, 31))]


@pytest.mark.parametrize("task", [FILMS, "product-reviews"])
def test_transformers_answers_alike(task: str, finetuned: Callable[[str], Path]) -> None:
    """AutoModel and AutoTokenizer give the logits or the value that our model gives."""
    text = "the film was great and the dinner was bright."
    theirs, loading = AutoModelForSequenceClassification.from_pretrained(
        finetuned(task), attn_implementation="eager", output_loading_info=True
    )
    assert not any(loading.values())
    saved = open_model(finetuned(task))
    ours = SequenceModel(saved.shape, outputs=theirs.config.num_labels)
    load_weights(ours, saved, architecture="BertForSequenceClassification")
    inputs = encode_texts([(text,)], saved.tokenizer(), max_seq_length=24)
    with torch.no_grad():
        expected = theirs.double().eval()(
            **AutoTokenizer.from_pretrained(saved.folder)(text, return_tensors="pt")
        )
        logits = ours.double().eval()(inputs.batch(inputs.example_numbers))
    assert torch.allclose(logits, expected.logits, rtol=0, atol=1e-11)


def test_random_weights_ignore_the_saved_ones(
    tune: Make, finetune_settings: Make, shards: Path, pretrain_settings: Make, tmp_path: Path
) -> None:
    """From another pre-trained model of the same shape a random start ends alike, a pre-trained not."""
    pretrain.run(pretrain_settings(seed=9), shards=shards, init=None, out=tmp_path / "other")
    weights = {}
    for initialization in ("pretrained", "random"):
        settings = finetune_settings(initialization=initialization, epochs=1)
        tune(settings, f"{initialization}-one")
        tune(settings, f"{initialization}-two", model=tmp_path / "other")
        weights[initialization] = [
            (tmp_path / f"{initialization}-{which}" / "model.safetensors").read_bytes()
            for which in ("one", "two")
        ]
    assert weights["random"][0] == weights["random"][1] != weights["pretrained"][0]
    assert weights["pretrained"][0] != weights["pretrained"][1]


def test_pretrained_weights_are_where_training_starts(
    tune: Make, finetune_settings: Make, pretrained: Path, tmp_path: Path
) -> None:
    """With a rate near zero encoder and pooler are the saved ones; the head is new."""
    tune(finetune_settings(learning_rate=1e-12, epochs=1))
    before, after = SequenceModel(open_model(pretrained).shape, outputs=2), None
    load_weights(before, open_model(pretrained), architecture="BertForSequenceClassification", new=("head.",))
    after = SequenceModel(before.encoder.shape, outputs=2)
    load_weights(after, open_model(tmp_path / "out"), architecture="BertForSequenceClassification")
    for part in ("encoder", "pooler"):
        one, two = getattr(before, part).state_dict(), getattr(after, part).state_dict()
        assert all(torch.allclose(one[name], two[name], rtol=0, atol=1e-9) for name in one)


def test_a_masked_lm_gets_a_new_pooler(
    tune: Make, finetune_settings: Make, make_shards: Make, pretrain_settings: Make, tmp_path: Path
) -> None:
    """It has none, and can be fine-tuned all the same."""
    plain = make_shards("single-segment-shards", objective="none")
    pretrain.run(pretrain_settings(), shards=plain, init=None, out=tmp_path / "masked-lm")
    assert tune(finetune_settings(epochs=1), model=tmp_path / "masked-lm").train_examples == 24


def test_frozen_layers_stay_and_the_others_move(
    tune: Make, finetune_settings: Make, pretrained: Path, tmp_path: Path
) -> None:
    """Embeddings and lowest layer are bit for bit those of the pre-trained model, all else is not."""
    tune(finetune_settings(epochs=1, frozen_layers=1))
    before, after = (load_file(folder / "model.safetensors") for folder in (pretrained, tmp_path / "out"))
    frozen = ("bert.embeddings.", "bert.encoder.layer.0.")
    shared = before.keys() & after.keys()
    assert {name.rsplit(".", 2)[0] for name in shared} >= {"bert.encoder.layer.1.output", "bert.pooler"}
    for name in shared:
        assert torch.equal(before[name], after[name]) == name.startswith(frozen), name


class Listener(Silent):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def saved_for(architecture: type[Any], pretrained: Path, folder: Path, *, labels: int) -> Path:
    """Return the pre-trained model as ``transformers`` saves it for a task."""
    model = architecture.from_pretrained(pretrained, num_labels=labels)
    model.save_pretrained(folder)
    Tokenizer.load(pretrained).save(folder)
    return folder


@pytest.mark.parametrize(
    ("architecture", "new"),
    [
        (BertForSequenceClassification, ["head"]),
        (BertForMultipleChoice, ["head"]),
        (BertForTokenClassification, ["head", "pooler"]),
        (BertForQuestionAnswering, ["head", "pooler"]),
    ],
)
def test_a_model_of_another_task_is_where_training_starts(
    architecture: type[Any],
    new: list[str],
    tune: Make,
    finetune_settings: Make,
    pretrained: Path,
    tmp_path: Path,
) -> None:
    """Its encoder is taken, with its pooler where it has one; what is new is said, and learns as the head."""
    labels = 1 if architecture is BertForMultipleChoice else 2
    other = saved_for(architecture, pretrained, tmp_path / "other", labels=labels)
    listener = Listener()
    settings = finetune_settings(learning_rate=1e-9, head_learning_rate=1e-3, epochs=1)
    tune(settings, model=other, progress=listener)
    assert listener.notes[0] == f"not in {other}, so learned anew: {', '.join(new)}"
    before, after = (load_file(folder / "model.safetensors") for folder in (other, tmp_path / "out"))
    shared = {name for name in before if name.startswith("bert.")}
    assert {name for name in shared if torch.allclose(before[name], after[name], atol=1e-6)} == shared
    assert ("bert.pooler.dense.weight" in before) == ("pooler" not in new)
    assert after["classifier.weight"].shape == (2, 16)
    if "classifier.weight" in before and labels == 2:
        assert not torch.allclose(before["classifier.weight"], after["classifier.weight"], atol=1e-3)


def test_a_fine_tuned_model_is_where_another_task_starts(
    tune: Make, finetune_settings: Make, finetuned: Callable[[str], Path], tmp_path: Path
) -> None:
    """As MNLI before RTE: encoder and pooler are those of the first task, and no label is left of it."""
    tune(finetune_settings(learning_rate=1e-9, epochs=1), task="product-reviews", model=finetuned(FILMS))
    first, second = (
        load_file(folder / "model.safetensors") for folder in (finetuned(FILMS), tmp_path / "out")
    )
    shared = [name for name in first if name.startswith("bert.")]
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in shared)
    assert second["classifier.weight"].shape == (1, 16)
    assert "positive" not in (tmp_path / "out" / "config.json").read_text()


def test_weights_are_for_classes(tune: Make, finetune_settings: Make) -> None:
    """A regression has none, and a classifier only those of its labels; nothing is trained before."""
    with pytest.raises(ConfigError, match="product-reviews has no classes to weigh"):
        tune(finetune_settings(class_weights="balanced"), task="product-reviews")
    with pytest.raises(ConfigError, match="class_weights names 'mixed', the labels are negative, positive"):
        tune(finetune_settings(class_weights={"mixed": 2.0}))
    with pytest.raises(ConfigError, match="frozen_layers = 3, but the model has 2 layers"):
        tune(finetune_settings(frozen_layers=3))


def test_fewer_examples_may_train(tune: Make, finetune_settings: Make) -> None:
    """As many as there are at most."""
    assert tune(finetune_settings(train_examples=10, epochs=1)).train_examples == 10
    with pytest.raises(ConfigError, match=r"train_examples = 25, but there are 24"):
        tune(finetune_settings(train_examples=25))


def test_a_draw_of_few_knows_the_labels_of_all(tune: Make, finetune_settings: Make, tmp_path: Path) -> None:
    """Two of thirty examples cannot have three labels; dev does, and the description names them."""
    data = tmp_path / "data"
    data.mkdir()
    rows = "".join(f"great film\t{n % 3}\n" for n in range(30))
    for split in ("train", "dev"):
        (data / f"{split}.tsv").write_text("text\tlabel\n" + rows)
    own = ClassificationDescription(kind="classification", label_names={"0": "a", "1": "b", "2": "c"})
    settings = finetune_settings(train_examples=2, epochs=1).model_copy(update={"tasks": {"own": own}})
    assert tune(settings, task="own", data=data).train_examples == 2
    assert open_model(tmp_path / "out").labels == ("a", "b", "c")


def test_bad_input_is_told_before_the_work(
    tune: Make, finetune_settings: Make, made: Path, tmp_path: Path
) -> None:
    """Unknown task, no data, a dev label that train does not have, a length without positions."""
    with pytest.raises(ConfigError, match="unknown task 'films'"):
        tune(finetune_settings(), task="films", data=made)
    with pytest.raises(TaskDataError, match="nowhere does not exist"):
        tune(finetune_settings(), data=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"max_seq_length = 41, but .* has positions for 40 tokens"):
        tune(finetune_settings(max_seq_length=41))
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.jsonl").write_text('{"text": "a", "label": 1}\n{"text": "b", "label": 2}\n')
    (data / "dev.jsonl").write_text('{"text": "a", "label": 3}\n')
    with pytest.raises(TaskDataError, match=r"dev\.jsonl:1: unknown label '3', the model knows 1, 2"):
        tune(finetune_settings(), data=data)
    assert not (tmp_path / "out").exists()


def test_what_was_left_out_is_told_and_kept(tune: Make, finetune_settings: Make, tmp_path: Path) -> None:
    """Of train also where not all of it is used; told while the command runs, and noted in the manifest."""
    data = tmp_path / "data"
    data.mkdir()
    rows = "".join(f"{word}\t{n % 2}\n" for n, word in enumerate(("great", "poor", "fine", "dull", "")))
    for split in ("train", "dev"):
        (data / f"{split}.tsv").write_text("text\tlabel\n" + rows)
    own = ClassificationDescription(kind="classification", empty_texts="skip")
    settings = finetune_settings(train_examples=3, epochs=1).model_copy(update={"tasks": {"own": own}})
    watch = Recorder()
    summary = tune(settings, task="own", data=data, progress=watch)
    notes = [f"{split}: 1 examples with an empty text left out" for split in ("train", "dev")]
    assert summary.train_examples == 3 and notes == [n for n in watch.notes if "left out" in n]
    assert read_manifest(tmp_path / "out").notes == notes


def test_one_process_learns_a_task(
    tune: Make, finetune_settings: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those of torchrun would all do the same, and write to the same folder."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"2 processes were started \(WORLD_SIZE\), but") as caught:
        tune(finetune_settings())
    assert caught.value.hint is not None and "without torchrun" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_model_is_refused(tune: Make, finetune_settings: Make, vocabulary: Path) -> None:
    """A tokenizer folder is not one."""
    with pytest.raises(CheckpointError, match="is not a model folder"):
        tune(finetune_settings(), model=vocabulary)


def test_cut_examples_are_counted(tune: Make, finetune_settings: Make) -> None:
    """With eight tokens none of the eleven-word sentences fits."""
    assert tune(finetune_settings(max_seq_length=8, epochs=1)).truncated_examples == 24
