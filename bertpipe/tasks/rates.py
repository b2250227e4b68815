"""How fast each part of a model learns: the names of its parameters say where they stand."""

from dataclasses import dataclass

from torch import nn

from bertpipe.errors import ConfigError

_EMBEDDINGS, _LAYERS = "encoder.embeddings.", "encoder.layers."


@dataclass(frozen=True)
class Rates:
    """The rate of each parameter as a multiple of the scheduled one.

    New parts learn faster than those that are pre-trained. Of these, layers near the text hold what any
    task needs, and learn slower (Howard and Ruder 2018, section 3.2): the top layer at ``layer_decay``, the
    one below at its square, the embeddings slowest.

    Attributes:
        layers: of the encoder.
        layer_decay: a layer's rate over that of the layer above.
        new: prefixes of the parameters that did not come with the model.
        new_scale: their multiple.
    """

    layers: int
    layer_decay: float = 1.0
    new: tuple[str, ...] = ()
    new_scale: float = 1.0

    def __call__(self, name: str) -> float:
        """Return the multiple of a parameter."""
        if name.startswith(self.new):
            return self.new_scale
        depth = depth_of(name)
        return 1.0 if depth is None else self.layer_decay ** (self.layers + 1 - depth)


def freeze(model: nn.Module, *, layers: int, of: int) -> None:
    """Take the embeddings and the lowest layers out of training; nothing where ``layers`` is 0.

    What lies below everything that learns has no gradients and keeps no activations.

    Raises:
        ConfigError: the encoder has fewer layers.
    """
    if layers > of:
        raise ConfigError(
            f"finetune.frozen_layers = {layers}, but the model has {of} layers", hint="use a smaller one"
        )
    for name, parameter in model.named_parameters():
        depth = depth_of(name)
        if layers and depth is not None and depth <= layers:
            parameter.requires_grad_(False)


def depth_of(name: str) -> int | None:
    """Return where a parameter stands: 0 in the embeddings, 1 in the lowest layer; none above the encoder."""
    if name.startswith(_EMBEDDINGS):
        return 0
    return int(name.removeprefix(_LAYERS).split(".")[0]) + 1 if name.startswith(_LAYERS) else None
