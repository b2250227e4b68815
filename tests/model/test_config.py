"""Shapes by name, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from bertpipe.model import ModelConfig, ModelShape
from bertpipe.model.config import PRESETS

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}


@pytest.mark.parametrize(
    ("preset", "layers", "width", "heads"),
    [
        ("tiny", 2, 128, 2),
        ("mini", 4, 256, 4),
        ("small", 4, 512, 8),
        ("medium", 8, 512, 8),
        ("base", 12, 768, 12),
        ("large", 24, 1024, 16),
    ],
)
def test_presets_are_the_published_shapes(preset: Any, layers: int, width: int, heads: int) -> None:
    """Devlin et al. 2019, section 3; names of the smaller ones as Google published them (L-2_H-128_A-2)."""
    config = ModelConfig(preset=preset)
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (
        layers,
        width,
        heads,
    )
    assert config.feed_forward_size == 4 * width and config.max_position_embeddings == 512
    assert preset in PRESETS and len(PRESETS) == 6


def test_a_preset_gives_only_what_is_not_set() -> None:
    """A narrower mini keeps mini's layers; no preset, or none on purpose, is base."""
    config = ModelConfig(preset="mini", hidden_size=64, hidden_dropout_prob=0.0)
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (4, 64, 4)
    for plain in (ModelConfig(), ModelConfig(preset=None)):
        assert {name: getattr(plain, name) for name in BASE} == BASE


def test_a_preset_is_written_as_the_shape_that_it_stands_for() -> None:
    """Two ways to say the same are the same, in a manifest and in a fingerprint."""
    said = ModelConfig(num_hidden_layers=2, hidden_size=128, num_attention_heads=2)
    assert ModelConfig(preset="tiny").model_dump() == said.model_dump()
    assert "preset" not in said.model_dump()
    assert ModelShape(**ModelConfig(preset="tiny").model_dump(), vocab_size=9).hidden_size == 128


@pytest.mark.parametrize("preset", ["tinny", 3, ["tiny"], {"tiny": 1}])
def test_an_unknown_preset_is_refused(preset: Any) -> None:
    """The message has the known names, whatever kind of value stands there."""
    with pytest.raises(ValidationError, match="'tiny', 'mini', 'small', 'medium', 'base' or 'large'"):
        ModelConfig.model_validate({"preset": preset})


def test_heads_are_compared_with_the_width_once_both_are_known() -> None:
    """Width alone may be right for a model to start from; a shape has to be right."""
    assert ModelConfig(hidden_size=16).hidden_size == 16
    message = "num_attention_heads = 12 does not divide hidden_size = 16"
    with pytest.raises(ValidationError, match=message):
        ModelShape(hidden_size=16, vocab_size=9)
    with pytest.raises(ValidationError, match="num_attention_heads = 2 does not divide hidden_size = 25"):
        ModelConfig(preset="tiny", hidden_size=25)
