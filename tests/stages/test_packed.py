"""Pre-training on packed blocks: no pairs are asked, and the model says so."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bertpipe.stages import pretrain


def test_a_model_learns_from_packed_blocks(
    make_shards: Callable[..., Path],
    pretrain_settings: Callable[..., pretrain.PretrainSettings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only hidden tokens are predicted; what comes out is a masked language model without a second head."""
    monkeypatch.setenv("BERTPIPE_WORK", str(tmp_path / "side"))
    shards = make_shards("packed", objective="packed")
    summary = pretrain.run(pretrain_settings(), shards=shards, init=None, out=tmp_path / "model")
    assert summary is not None
    assert summary.figures["validation_mlm_loss"] > 0
    assert not [name for name in summary.figures if "nsp" in name]
    config = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["BertForMaskedLM"]
