"""From shards to a model: repeatable, resumable after a kill, and opened by ``transformers``."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import AutoModelForPreTraining, AutoTokenizer, BertConfig, BertForPreTraining

from bertpipe.artifacts import open_artifact, read_manifest
from bertpipe.checkpoints import load_weights, open_model
from bertpipe.errors import ArtifactError, CheckpointError, ConfigError, ResourceError, StoppedError
from bertpipe.model import PretrainingModel, TokenBatch
from bertpipe.model.encoder import EncoderLayer
from bertpipe.pretraining.config import PretrainConfig
from bertpipe.progress import Silent
from bertpipe.reports.sources import read_curves
from bertpipe.stages import pretrain
from bertpipe.vocab import Tokenizer

Make = Callable[..., Any]


class StopAt(Silent):
    """Asks to stop, as a user would, after the update with a given number."""

    def __init__(self, step: int) -> None:
        self._left = step

    def advance(self, amount: float, **figures: float | str) -> None:
        self._left -= round(amount)
        if amount and not self._left:
            os.kill(os.getpid(), signal.SIGTERM)


def weights_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_second_run_writes_the_same_bytes(
    tmp_path: Path, shards: Path, pretrained: Path, pretrain_settings: Make, own_side_files: Path
) -> None:
    """Every file, also with other intervals; the progress is deleted when the work is done."""
    settings = pretrain_settings(runtime={"log_interval": 1, "checkpoint_steps": 3})
    summary = pretrain.run(settings, shards=shards, init=None, out=tmp_path / "again")
    assert content_of(tmp_path / "again") == content_of(pretrained)
    assert summary.resumed_from_step == 0
    assert [path.name for path in (own_side_files / "work" / "pretrain").iterdir() if path.is_dir()] == []


def test_the_output_is_whole_and_says_what_it_is(pretrained: Path, shards: Path) -> None:
    """Manifest, curve and figures fit together; intervals and threads are not in them."""
    manifest = open_artifact(pretrained, stage="pretrain")
    assert manifest.inputs == {"shards": read_manifest(shards).content_hash()}
    assert manifest.settings.keys() == {"pretrain", "model", "masking"}
    curves = read_curves(pretrained)
    assert curves["step"] == [5, 10]
    figures = json.loads((pretrained / "metrics.json").read_text())
    assert figures["total_steps"] == 10 and figures["sequences"] == 80
    assert figures["validation_mlm_loss"] == pytest.approx(curves["validation_mlm_loss"][-1], rel=1e-5)
    assert 80 * 8 < figures["tokens"] <= 80 * 32


def test_computing_layers_again_changes_nothing(
    tmp_path: Path, shards: Path, pretrained: Path, pretrain_settings: Make
) -> None:
    """``runtime.gradient_checkpointing`` runs each layer twice an update, to the same bytes."""
    calls = []
    for name, again in (("plain", False), ("again", True)):
        settings = pretrain_settings(runtime={"gradient_checkpointing": again})
        training: list[nn.Module] = []

        def count(module: nn.Module, _: object, seen: list[nn.Module] = training) -> None:
            if isinstance(module, EncoderLayer) and module.training:
                seen.append(module)

        with register_module_forward_pre_hook(count):
            pretrain.run(settings, shards=shards, init=None, out=tmp_path / name)
        assert content_of(tmp_path / name) == content_of(pretrained)
        calls.append(len(training))
    assert calls[1] == 2 * calls[0] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch.compile warns of its own doings
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_layers_learn_the_same(tmp_path: Path, shards: Path, pretrain_settings: Make) -> None:
    """Without dropout, which is drawn otherwise: the same figures within rounding, the same names."""
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    figures, graphs = [], []
    for name, compiles in (("plain", False), ("compiled", True)):
        torch._dynamo.utils.counters.clear()
        settings = pretrain_settings(model=shape | dropout, compile=compiles)
        figures.append(pretrain.run(settings, shards=shards, init=None, out=tmp_path / name).figures)
        graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert graphs[0] == 0 < graphs[1]
    assert figures[1]["validation_loss"] == pytest.approx(figures[0]["validation_loss"], rel=1e-4)
    tensors = [load_file(tmp_path / name / "model.safetensors") for name in ("plain", "compiled")]
    assert tensors[0].keys() == tensors[1].keys()


def test_the_seed_changes_the_model(
    tmp_path: Path, shards: Path, pretrained: Path, pretrain_settings: Make
) -> None:
    """Weights, order, masks and dropout follow it."""
    pretrain.run(pretrain_settings(seed=4), shards=shards, init=None, out=tmp_path / "out")
    assert weights_of(tmp_path / "out") != weights_of(pretrained)


def test_transformers_opens_the_output(pretrained: Path) -> None:
    """AutoModel and AutoTokenizer give the logits that our model gives."""
    text = "the film was great and the dinner was cold."
    theirs, loading = AutoModelForPreTraining.from_pretrained(
        pretrained, attn_implementation="eager", output_loading_info=True
    )
    assert not any(loading.values())
    encoded = AutoTokenizer.from_pretrained(pretrained)(text, text, return_tensors="pt")
    saved = open_model(pretrained)
    ours = PretrainingModel(saved.shape, predicts_next_sentence=True)
    load_weights(ours, saved, architecture=saved.architecture)
    ids = encoded["input_ids"][0].numpy()
    plain = Tokenizer.load(pretrained).encode([text]).ids
    assert ids[1 : len(plain) + 1].tolist() == plain.tolist()
    batch = TokenBatch.of(ids, lengths=np.array([len(ids)]), first_segment_lengths=np.array([len(plain) + 2]))
    with torch.no_grad():
        logits, next_logits = ours.double().eval()(batch, batch.read_at(np.arange(len(ids))))
        expected = theirs.double().eval()(**encoded)
    assert torch.allclose(logits, expected.prediction_logits[0], rtol=0, atol=1e-11)
    assert next_logits is not None
    assert torch.allclose(next_logits, expected.seq_relationship_logits, rtol=0, atol=1e-11)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    precision: str, tmp_path: Path, shards: Path, pretrain_settings: Make
) -> None:
    """Stopped after update 3, which has no checkpoint of its own interval."""
    settings = pretrain_settings(precision=precision, micro_batch_size=3)
    pretrain.run(settings, shards=shards, init=None, out=tmp_path / "unbroken")
    with pytest.raises(StoppedError):
        pretrain.run(settings, shards=shards, init=None, out=tmp_path / "out", progress=StopAt(3))
    assert not (tmp_path / "out").exists()
    summary = pretrain.run(settings, shards=shards, init=None, out=tmp_path / "out")
    assert summary.resumed_from_step == 3
    assert content_of(tmp_path / "out") == content_of(tmp_path / "unbroken")


def test_a_changed_setting_does_not_meet_old_progress(
    tmp_path: Path, shards: Path, pretrain_settings: Make
) -> None:
    """Another learning rate starts over; the first run's progress is still there for the first one."""
    first = pretrain_settings()
    with pytest.raises(StoppedError):
        pretrain.run(first, shards=shards, init=None, out=tmp_path / "out", progress=StopAt(3))
    other = pretrain.run(
        pretrain_settings(learning_rate=1e-3), shards=shards, init=None, out=tmp_path / "other"
    )
    assert other.resumed_from_step == 0
    assert pretrain.run(first, shards=shards, init=None, out=tmp_path / "out").resumed_from_step == 3


def command(shards: Path, out: Path, *, steps: int) -> list[str]:
    settings = {
        "pretrain.total_steps": steps,
        "pretrain.batch_size": 8,
        "pretrain.evaluate_steps": 50,
        "model.hidden_size": 16,
        "model.num_hidden_layers": 2,
        "model.num_attention_heads": 2,
        "runtime.threads": 1,
        "runtime.device": "cpu",
        "runtime.checkpoint_steps": 10,
    }
    options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    paths = ["--shards", str(shards), "--out", str(out)]
    return [sys.executable, "-m", "bertpipe", "pretrain", *paths, *options, "--json", "--quiet"]


def kill_when_there_is_a_checkpoint(arguments: list[str], *, cwd: Path, work: Path) -> None:
    with subprocess.Popen(arguments, cwd=cwd, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list(work.glob("work/pretrain/*/step-*")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_killed_command_goes_on_to_the_same_bytes(
    tmp_path: Path, shards: Path, own_side_files: Path
) -> None:
    """SIGKILL in the middle of a real command: nothing half done, and the rerun ends bit-identical."""
    arguments = command(shards, tmp_path / "out", steps=200)
    kill_when_there_is_a_checkpoint(arguments, cwd=tmp_path, work=own_side_files)
    assert not (tmp_path / "out").exists()
    again = subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert json.loads(again.stdout)["resumed_from_step"] > 0
    unbroken = command(shards, tmp_path / "unbroken", steps=200)
    whole = subprocess.run(unbroken, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert json.loads(whole.stdout)["resumed_from_step"] == 0
    assert content_of(tmp_path / "out") == content_of(tmp_path / "unbroken")


@pytest.mark.slow
def test_two_processes_write_one_model(tmp_path: Path, shards: Path) -> None:
    """As torchrun starts them: one result on stdout, one output, and the figures of one process."""
    no_dropout = ["--set", "model.hidden_dropout_prob=0.0", "--set", "model.attention_probs_dropout_prob=0.0"]
    shares = ["--set", "runtime.parallel=fsdp"]
    figures = []
    for name, launcher, options in (
        ("one", [], []),
        ("two", ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"], shares),
    ):
        python, m, *rest = command(shards, tmp_path / name, steps=3)
        arguments = [python, m, *launcher, *rest, *no_dropout, *options]
        done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        figures.append(json.loads(done.stdout)["figures"])
        open_artifact(tmp_path / name, stage="pretrain")
    assert figures[1] == pytest.approx(figures[0], rel=1e-5)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], rtol=0, atol=1e-5) for name in one)


def test_going_on_from_our_own_model(
    tmp_path: Path, shards: Path, pretrained: Path, pretrain_settings: Make
) -> None:
    """A second phase starts where the first ended: its first held-out loss is near the last one."""
    settings = pretrain_settings(model={}, total_steps=1, warmup_steps=0, learning_rate=1e-9)
    summary = pretrain.run(settings, shards=shards, init=pretrained, out=tmp_path / "out")
    last = json.loads((pretrained / "metrics.json").read_text())["validation_loss"]
    assert summary.figures["validation_loss"] == pytest.approx(last, rel=1e-5)
    manifest = read_manifest(tmp_path / "out")
    assert manifest.inputs["init"] == read_manifest(pretrained).content_hash()


def test_going_on_from_a_hugging_face_model(tmp_path: Path, shards: Path, pretrain_settings: Make) -> None:
    """Its weights are taken and trained on: they are moved a little, and are not drawn anew."""
    tokenizer = Tokenizer.load(shards / "tokenizer")
    theirs = BertForPreTraining(
        BertConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=20,
            max_position_embeddings=64,
        )
    )
    theirs.save_pretrained(tmp_path / "theirs")
    tokenizer.save(tmp_path / "theirs")
    settings = pretrain_settings(model={}, total_steps=2, learning_rate=1e-4)
    pretrain.run(settings, shards=shards, init=tmp_path / "theirs", out=tmp_path / "out")
    trained = BertForPreTraining.from_pretrained(tmp_path / "out").state_dict()
    for name, before in theirs.state_dict().items():
        assert torch.allclose(trained[name], before, rtol=0, atol=3e-4), name
    name = "bert.encoder.layer.0.output.dense.weight"
    assert not torch.equal(trained[name], theirs.state_dict()[name])


def test_settings_that_conflict_with_the_start_are_named(
    tmp_path: Path, shards: Path, pretrained: Path, pretrain_settings: Make
) -> None:
    """With both values; the same value said again is no conflict."""
    settings = pretrain_settings(model={"num_hidden_layers": 3})
    with pytest.raises(ConfigError, match=r"model\.num_hidden_layers = 3 conflicts with .*, which has 2"):
        pretrain.run(settings, shards=shards, init=pretrained, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_width_alone_is_compared_with_the_start(
    tmp_path: Path, shards: Path, pretrained: Path, pretrain_settings: Make
) -> None:
    """The default number of heads, which does not divide it, is not meant; without a start it is."""
    once = {"total_steps": 1, "warmup_steps": 0}
    settings = pretrain_settings(model={"hidden_size": 16}, **once)
    pretrain.run(settings, shards=shards, init=pretrained, out=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"hidden_size = 32 conflicts with .*, which has 16"):
        other = pretrain_settings(model={"hidden_size": 32}, **once)
        pretrain.run(other, shards=shards, init=pretrained, out=tmp_path / "out")
    with pytest.raises(ConfigError, match="num_attention_heads = 12 does not divide hidden_size = 16"):
        pretrain.run(settings, shards=shards, init=None, out=tmp_path / "new")


def test_the_shape_is_written_in_full(tmp_path: Path, shards: Path, pretrain_settings: Make) -> None:
    """A preset and the same sizes one by one are the same model, with the same manifest."""
    sizes = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 32}
    for name, model in (("one", sizes), ("two", {"preset": "tiny", "hidden_size": 8})):
        settings = pretrain_settings(model=model, total_steps=1, warmup_steps=0)
        pretrain.run(settings, shards=shards, init=None, out=tmp_path / name)
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")
    written = read_manifest(tmp_path / "one").settings["model"]
    assert {name: written[name] for name in sizes} == sizes and "preset" not in written


def test_what_reacts_to_trouble_does_not_name_a_run(
    tmp_path: Path, shards: Path, pretrain_settings: Make
) -> None:
    """A run that stopped goes on with another reaction: the weights do not depend on it."""
    with pytest.raises(StoppedError):
        settings = pretrain_settings(on_plateau="stop")
        pretrain.run(settings, shards=shards, init=None, out=tmp_path / "out", progress=StopAt(3))
    settings = pretrain_settings(on_plateau="ignore", on_spike="ignore", save_optimizer=True)
    assert pretrain.run(settings, shards=shards, init=None, out=tmp_path / "out").resumed_from_step == 3


def test_an_unset_feed_forward_width_is_no_conflict(
    tmp_path: Path, shards: Path, pretrained: Path, pretrain_settings: Make
) -> None:
    """``intermediate_size: null`` means 4 H, which is what the saved model has."""
    settings = pretrain_settings(model={"intermediate_size": None}, total_steps=1, warmup_steps=0)
    pretrain.run(settings, shards=shards, init=pretrained, out=tmp_path / "out")


def test_shards_of_another_vocabulary_are_refused(
    tmp_path: Path, shards: Path, pretrained: Path, make_shards: Make, pretrain_settings: Make
) -> None:
    """By the tokenizer beside the shards, and by that of the model to start from."""
    other = tmp_path / "vocab"
    other.mkdir()
    tokens = Tokenizer.load(shards / "tokenizer").tokens
    Tokenizer.build([*tokens[:5], *reversed(tokens[5:])], lowercase=True).save(other)
    moved = make_shards("other-shards", vocab_folder=other)
    with pytest.raises(CheckpointError) as caught:
        pretrain.run(pretrain_settings(model={}), shards=moved, init=pretrained, out=tmp_path / "out")
    first = f"piece 5 is {tokens[5]!r} there and {tokens[-1]!r} here"
    assert f"another vocabulary than that of {pretrained}: {first}" in caught.value.message
    assert "90 of 90 pieces are in both" in caught.value.message
    assert "init_vocabulary=shared" in (caught.value.hint or "")
    mixed = tmp_path / "mixed"
    shutil.copytree(shards, mixed)
    (mixed / "manifest.json").unlink()
    shutil.copytree(moved / "tokenizer", mixed / "tokenizer", dirs_exist_ok=True)
    with pytest.raises(CheckpointError, match=r"mixed/train was encoded with another vocabulary"):
        pretrain.run(pretrain_settings(), shards=mixed, init=None, out=tmp_path / "out")


def test_a_new_vocabulary_keeps_the_embeddings_of_shared_pieces(
    tmp_path: Path, shards: Path, pretrained: Path, make_shards: Make, pretrain_settings: Make
) -> None:
    """They go with their pieces; the user is told how many, in notes, metrics and manifest."""
    other = tmp_path / "vocab"
    other.mkdir()
    tokens = Tokenizer.load(shards / "tokenizer").tokens
    Tokenizer.build([*tokens[:5], *reversed(tokens[5:-2]), "##qq"], lowercase=True).save(other)
    moved = make_shards("shards-of-another-vocabulary", vocab_folder=other)
    told: list[str] = []

    class Told(Silent):
        def note(self, message: str) -> None:
            told.append(message)

    once = {"total_steps": 1, "warmup_steps": 0, "learning_rate": 1e-9, "init_vocabulary": "shared"}
    settings = pretrain_settings(model={}, **once)
    pretrain.run(settings, shards=moved, init=pretrained, out=tmp_path / "out", progress=Told())
    before, after = (BertForPreTraining.from_pretrained(path) for path in (pretrained, tmp_path / "out"))
    old, new = before.bert.embeddings.word_embeddings.weight, after.bert.embeddings.word_embeddings.weight
    assert len(new) == 89
    assert torch.allclose(new[:5], old[:5], rtol=0, atol=1e-7)
    assert torch.allclose(new[5:88], old[5:88].flip(0), rtol=0, atol=1e-7)
    assert not torch.allclose(new[88], old[88], rtol=0, atol=1e-3)
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (figures["kept_pieces"], figures["new_pieces"]) == (88, 1)
    (note,) = [line for line in told if "vocabulary" in line]
    assert "kept the embeddings of 88 pieces that both have, drew 1 anew, dropped 2" in note
    assert note in read_manifest(tmp_path / "out").notes
    AutoTokenizer.from_pretrained(tmp_path / "out")


def test_heads_that_a_start_lacks_are_drawn_and_told(
    tmp_path: Path, shards: Path, make_shards: Make, pretrain_settings: Make
) -> None:
    """From a masked LM, which has no pooler, to next sentences."""
    plain = make_shards("plain-shards-to-start-from", objective="none")
    once = {"total_steps": 1, "warmup_steps": 0}
    pretrain.run(pretrain_settings(**once), shards=plain, init=None, out=tmp_path / "lm")
    pretrain.run(
        pretrain_settings(model={}, **once), shards=shards, init=tmp_path / "lm", out=tmp_path / "out"
    )
    assert open_model(tmp_path / "out").architecture == "BertForPreTraining"
    assert read_manifest(tmp_path / "out").notes == [
        "lm has no weights of the pooler: they are drawn anew",
        "lm has no weights of the next-sentence head: they are drawn anew",
    ]


def moments_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "optimizer.safetensors")


def test_a_second_phase_goes_on_with_the_optimizer(
    tmp_path: Path, shards: Path, pretrain_settings: Make
) -> None:
    """Its first update moves by the moments of the first phase; its schedule starts anew."""
    first = pretrain_settings(save_optimizer=True, total_steps=4, warmup_steps=0)
    pretrain.run(first, shards=shards, init=None, out=tmp_path / "first")
    moments = moments_of(tmp_path / "first")
    weights = load_file(tmp_path / "first" / "model.safetensors")
    assert float(moments["pooler.dense.weight/step"]) == 4
    assert moments["pooler.dense.weight/exp_avg"].shape == weights["bert.pooler.dense.weight"].shape
    once = {"model": {}, "total_steps": 1, "warmup_steps": 0, "save_optimizer": True}
    for name, carries in (("with", True), ("without", False)):
        settings = pretrain_settings(carry_optimizer=carries, **once)
        pretrain.run(settings, shards=shards, init=tmp_path / "first", out=tmp_path / name)
    steps = [float(moments_of(tmp_path / name)["pooler.dense.weight/step"]) for name in ("with", "without")]
    assert steps == [5, 1]
    assert weights_of(tmp_path / "with") != weights_of(tmp_path / "without")
    rates = [read_curves(tmp_path / name)["learning_rate"] for name in ("with", "without")]
    assert rates == [[2e-3], [2e-3]]


def test_a_carried_optimizer_survives_a_stop(tmp_path: Path, shards: Path, pretrain_settings: Make) -> None:
    """It is taken at the start only: what goes on after a stop has a checkpoint of its own."""
    first = pretrain_settings(save_optimizer=True, total_steps=4)
    pretrain.run(first, shards=shards, init=None, out=tmp_path / "first")
    settings = pretrain_settings(model={}, carry_optimizer=True, total_steps=6)
    pretrain.run(settings, shards=shards, init=tmp_path / "first", out=tmp_path / "unbroken")
    with pytest.raises(StoppedError):
        pretrain.run(
            settings, shards=shards, init=tmp_path / "first", out=tmp_path / "out", progress=StopAt(3)
        )
    pretrain.run(settings, shards=shards, init=tmp_path / "first", out=tmp_path / "out")
    assert content_of(tmp_path / "out") == content_of(tmp_path / "unbroken")


def test_an_optimizer_that_is_not_there_is_named(
    tmp_path: Path, shards: Path, pretrained: Path, pretrain_settings: Make
) -> None:
    """With the way out; also where there is nothing to start from."""
    settings = pretrain_settings(model={}, carry_optimizer=True)
    with pytest.raises(CheckpointError, match=r"pretrained holds no optimizer\.safetensors") as caught:
        pretrain.run(settings, shards=shards, init=pretrained, out=tmp_path / "out")
    assert "pretrain.save_optimizer = true" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="no model to start from"):
        settings = pretrain_settings(carry_optimizer=True)
        pretrain.run(settings, shards=shards, init=None, out=tmp_path / "out")


def test_a_folder_that_holds_no_shards_is_named(
    tmp_path: Path, pretrained: Path, pretrain_settings: Make
) -> None:
    """Neither one that is not there nor an output of another stage."""
    for folder, message in (
        (tmp_path / "nowhere", "nowhere does not exist"),
        (pretrained, "holds no shards"),
    ):
        with pytest.raises(ArtifactError, match=message) as caught:
            pretrain.run(pretrain_settings(), shards=folder, init=None, out=tmp_path / "out")
        assert "prepare" in (caught.value.hint or "")


def test_a_start_that_is_not_there_is_named(tmp_path: Path, shards: Path, pretrain_settings: Make) -> None:
    """A folder that does not exist, such as a name of the hub, and one that holds no model."""
    settings = pretrain_settings(model={})
    with pytest.raises(ArtifactError, match="bert-base-uncased does not exist") as caught:
        pretrain.run(settings, shards=shards, init=Path("bert-base-uncased"), out=tmp_path / "out")
    assert "hub" in (caught.value.hint or "")
    with pytest.raises(CheckpointError, match="is not a model folder"):
        pretrain.run(settings, shards=shards, init=shards / "tokenizer", out=tmp_path / "out")


def test_a_model_larger_than_memory_is_refused_before_it_is_built(
    tmp_path: Path, shards: Path, pretrain_settings: Make
) -> None:
    """In no time, with the numbers; nothing is left behind."""
    huge = {"hidden_size": 2**16, "num_attention_heads": 2**10, "num_hidden_layers": 10_000}
    with pytest.raises(ResourceError, match=r"a model of 515,4\d\d,.* parameters needs about .* GB"):
        pretrain.run(pretrain_settings(model=huge), shards=shards, init=None, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


class RemoveAt(Silent):
    """Removes a shard after the second update."""

    def __init__(self, folder: Path) -> None:
        self._updates = 0
        self._folder = folder

    def advance(self, amount: float, **figures: float | str) -> None:
        self._updates += 1
        if self._updates == 2:
            next(self._folder.glob("train/*.arrow")).unlink()


def test_a_shard_removed_during_the_run_does_not_disturb_it(
    tmp_path: Path, shards: Path, pretrained: Path, pretrain_settings: Make
) -> None:
    """It is mapped; the bytes are those of the undisturbed run. The next start names what is missing."""
    copy = tmp_path / "copy"
    shutil.copytree(shards, copy)
    pretrain.run(pretrain_settings(), shards=copy, init=None, out=tmp_path / "out", progress=RemoveAt(copy))
    assert content_of(tmp_path / "out") == content_of(pretrained)
    with pytest.raises(ArtifactError, match=r"train holds no shards|\.arrow is missing"):
        pretrain.run(pretrain_settings(), shards=copy, init=None, out=tmp_path / "again")


def test_a_batch_larger_than_the_data_is_refused(
    tmp_path: Path, shards: Path, pretrain_settings: Make
) -> None:
    """Both numbers are told, and no progress is left behind."""
    with pytest.raises(ConfigError, match=r"pretrain\.batch_size = 100000 is larger than the data: \d+"):
        pretrain.run(pretrain_settings(batch_size=100_000), shards=shards, init=None, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_byte_in_a_shard_is_named(tmp_path: Path, shards: Path, pretrain_settings: Make) -> None:
    """The file is told before any training, and nothing is written."""
    broken = tmp_path / "broken"
    shutil.copytree(shards, broken)
    path = next((broken / "train").glob("*.arrow"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match=rf"{path.name} is damaged or was changed"):
        pretrain.run(pretrain_settings(), shards=broken, init=None, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sequences_longer_than_the_positions_are_refused(
    tmp_path: Path, shards: Path, pretrain_settings: Make
) -> None:
    """Both lengths are told."""
    settings = pretrain_settings(
        model={"hidden_size": 16, "num_attention_heads": 2, "max_position_embeddings": 31}
    )
    with pytest.raises(ConfigError, match=r"sequences of 32 tokens, model\.max_position_embeddings is 31"):
        pretrain.run(settings, shards=shards, init=None, out=tmp_path / "out")


def test_without_an_objective_the_model_is_a_masked_lm(
    tmp_path: Path, make_shards: Make, pretrain_settings: Make
) -> None:
    """No next-sentence figures, no pooler, and the class that Hugging Face has for that."""
    plain = make_shards("plain-shards", objective="none")
    summary = pretrain.run(pretrain_settings(), shards=plain, init=None, out=tmp_path / "out")
    assert open_model(tmp_path / "out").architecture == "BertForMaskedLM"
    assert not [name for name in summary.figures if "nsp" in name]


def test_sentence_order_is_called_by_its_name(
    tmp_path: Path, make_shards: Make, pretrain_settings: Make
) -> None:
    """Figures and curve say ``sop``, not ``nsp``; the head is the same one for ``transformers``."""
    swapped = make_shards("sop-shards", objective="sop")
    summary = pretrain.run(pretrain_settings(), shards=swapped, init=None, out=tmp_path / "out")
    assert {"validation_sop_loss", "validation_sop_accuracy", "train_sop_loss"} <= summary.figures.keys()
    assert not [name for name in [*summary.figures, *read_curves(tmp_path / "out")] if "nsp" in name]
    assert open_model(tmp_path / "out").architecture == "BertForPreTraining"


def test_the_unigram_entropy_of_the_text_is_in_the_figures(pretrained: Path) -> None:
    """It is the loss of guessing by frequency: below that of 85 pieces alike, above a model's in the end."""
    figures = json.loads((pretrained / "metrics.json").read_text())
    assert 2 < figures["unigram_entropy"] < math.log(85)


def test_a_time_budget_decides_the_length(tmp_path: Path, shards: Path, pretrain_settings: Make) -> None:
    """The number of updates is in the figures, and a run that is given it has the same weights."""
    settings = pretrain_settings(
        total_steps=None, warmup_steps=None, time_budget_minutes=0.05, evaluate_steps=10**6
    )
    summary = pretrain.run(settings, shards=shards, init=None, out=tmp_path / "timed")
    steps = int(summary.figures["total_steps"])
    assert summary.figures["step"] == steps > 0 and summary.figures["sequences"] == 8 * steps
    settings = pretrain_settings(total_steps=steps, warmup_steps=None, evaluate_steps=10**6)
    pretrain.run(settings, shards=shards, init=None, out=tmp_path / "counted")
    assert weights_of(tmp_path / "timed") == weights_of(tmp_path / "counted")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"total_steps": 5, "time_budget_minutes": 1.0},
            "total_steps = 5 and time_budget_minutes",
        ),
        (
            {"carry_optimizer": True, "init_vocabulary": "shared"},
            "carry_optimizer = true with",
        ),
        ({"decay_steps": 5}, "decay_steps = 5 has no meaning with schedule = linear"),
        ({"schedule": "wsd", "decay_steps": 9, "warmup_steps": 3}, "are together more than total_steps = 10"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], message: str) -> None:
    """Both are told."""
    with pytest.raises(ValueError, match=message):
        PretrainConfig.model_validate({"total_steps": 10} | changes)


def test_a_foreign_output_folder_is_refused_before_the_work(
    tmp_path: Path, shards: Path, pretrain_settings: Make
) -> None:
    """What is not ours is not overwritten."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="not an output of bertpipe"):
        pretrain.run(pretrain_settings(), shards=shards, init=None, out=tmp_path, progress=StopAt(1))


def test_a_warm_up_longer_than_the_run_is_refused() -> None:
    """Both numbers are told; unset it is one hundredth."""
    with pytest.raises(ValueError, match="warmup_steps = 11 is more than total_steps = 10"):
        PretrainConfig(total_steps=10, warmup_steps=11)
    assert PretrainConfig(total_steps=1000).plan().schedule.warmup_steps == 10
