"""From shards to a model: repeatable, resumable after a kill, and opened by ``transformers``."""

import json
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
from transformers import AutoModelForPreTraining, AutoTokenizer, BertConfig, BertForPreTraining

from bertpipe.artifacts import open_artifact, read_manifest
from bertpipe.checkpoints import load_weights, open_model
from bertpipe.errors import ArtifactError, CheckpointError, ConfigError, StoppedError
from bertpipe.model import PretrainingModel, TokenBatch
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
        self._left -= 1
        if not self._left:
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
        logits, next_logits = ours.double().eval()(batch, torch.arange(len(ids)))
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
    with pytest.raises(CheckpointError, match="another vocabulary than that of"):
        pretrain.run(pretrain_settings(model={}), shards=moved, init=pretrained, out=tmp_path / "out")
    mixed = tmp_path / "mixed"
    shutil.copytree(shards, mixed)
    (mixed / "manifest.json").unlink()
    shutil.copytree(moved / "tokenizer", mixed / "tokenizer", dirs_exist_ok=True)
    with pytest.raises(CheckpointError, match=r"mixed/train was encoded with another vocabulary"):
        pretrain.run(pretrain_settings(), shards=mixed, init=None, out=tmp_path / "out")


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
        pretrain.PretrainConfig(total_steps=10, warmup_steps=11)
    assert pretrain.PretrainConfig(total_steps=1000).plan().warmup_steps == 10
