"""Whether a model answers the same for everything: the sign of a fine-tuning that has collapsed."""

from collections.abc import Hashable, Iterable


def is_constant(gold: Iterable[Hashable], predicted: Iterable[Hashable]) -> bool:
    """Tell whether every prediction is the same although what is right is not."""
    return len(set(predicted)) <= 1 < len(set(gold))
