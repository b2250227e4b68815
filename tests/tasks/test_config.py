"""Settings of fine-tuning that do not go together."""

from typing import Any

import pytest

from bertpipe.tasks import FinetuneConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features_hidden_size": 12}, "features_hidden_size = 12 has no meaning without features"),
        ({"features": "last", "frozen_layers": 1}, "frozen_layers = 1 has no meaning with features = last"),
        ({"features": "last", "layer_decay": 0.9}, r"layer_decay = 0\.9 has no meaning with features = last"),
    ],
)
def test_a_setting_without_effect_is_refused(changes: dict[str, Any], message: str) -> None:
    """Whoever sets it expects something of it."""
    with pytest.raises(ValueError, match=message):
        FinetuneConfig(**changes)
    assert FinetuneConfig(features="last", features_hidden_size=12).feature_shape is not None
