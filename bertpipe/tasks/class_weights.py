"""How much an example of each class weighs in the loss."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from bertpipe.errors import ConfigError


def _readable(value: Any) -> Any:
    """Say in one sentence what is expected; YAML reads the name of a label such as 0 as a number."""
    if value is None or value == "balanced":
        return value
    if not isinstance(value, Mapping) or not all(_is_weight(weight) for weight in value.values()):
        raise ValueError("expected balanced, or a number above 0 for each label, such as {spam: 5.0}")
    return {str(label): weight for label, weight in value.items()}


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


ClassWeights = Annotated[Literal["balanced"] | dict[str, float], BeforeValidator(_readable)]


def resolved(weights: ClassWeights, *, labels: Sequence[str], counts: NDArray[np.int64]) -> tuple[float, ...]:
    """Return the weight of each class.

    ``balanced`` is what scikit-learn calls so: all examples / (classes x examples of the class), so that
    every class weighs alike in all, and an example 1 on the average. A class that is not named weighs 1.

    Args:
        weights: by class, or how to get them.
        labels: the classes, C of them.
        counts: how often each is right in the training examples, int64 ``[C]``; what never is weighs 1.

    Raises:
        ConfigError: a name is no class.
    """
    if isinstance(weights, Mapping):
        unknown = [name for name in weights if name not in labels]
        if unknown:
            raise ConfigError(
                f"finetune.class_weights names {unknown[0]!r}, the labels are {', '.join(labels)}",
                hint="use the names that the training data, or label_names, gives the labels",
            )
        return tuple(weights.get(label, 1.0) for label in labels)
    seen = counts > 0
    return tuple(np.where(seen, counts.sum() / (seen.sum() * np.maximum(counts, 1)), 1.0).tolist())


def weight_of(targets: NDArray[np.int64], weights: Sequence[float]) -> NDArray[np.float64]:
    """Return the weight of each target, float64 ``[N]``: 1 where there are no weights.

    Args:
        targets: numbers of classes, int64 ``[N]``; below 0 where nothing is asked, which weighs 0.
        weights: by class; empty: all alike.
    """
    found = np.array(weights)[np.maximum(targets, 0)] if weights else np.ones(len(targets))
    return np.where(targets < 0, 0.0, found)


def constant_loss(targets: NDArray[np.int64], weights: Sequence[float]) -> float:
    """Return the mean loss of the best constant answer to some targets: their entropy, as they weigh."""
    weight = weight_of(targets, weights)
    return entropy(np.bincount(np.maximum(targets, 0), weights=weight) / weight.sum())


def entropy(shares: NDArray[np.float64]) -> float:
    """Return the entropy of a distribution in nats: the loss of its best constant answer."""
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
