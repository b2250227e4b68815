"""How exactly numbers are computed, and how 16 bits are kept from running out of range."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor

from bertpipe.errors import TrainingDivergedError

Precision = Literal["fp32", "bf16", "fp16"]

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

# Gradients that overflow without being scaled up at all are no matter of scaling.
SCALE_FLOOR = 1.0


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass: 16 bits keep weights, gradients and optimizer in fp32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=DTYPES[precision])


class LossScaler:
    """Moves the weights by gradients that are finite, and by no others.

    With fp16 small gradients vanish, so the loss is multiplied before the backward pass and the
    gradients are divided after it (Micikevicius et al. 2018, section 3.2). The factor is found by
    trying: it halves where a gradient overflows, and that update is left out; it doubles after
    2000 updates without. With fp32 and bf16 nothing is scaled.

    An update is ``backward`` for each micro-batch, ``unscale``, clipping, ``step``.
    """

    def __init__(self, precision: Precision, device: torch.device) -> None:
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    @property
    def scale(self) -> float | None:
        """Return the factor; none where nothing is scaled."""
        return self._scaler.get_scale() if self._scaler.is_enabled() else None

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a scalar loss, scaled."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Bring the gradients back to their size, to be clipped; once an update."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer, *, is_finite: bool) -> bool:
        """Move the weights unless a gradient is not finite; adapt the factor.

        Args:
            optimizer: whose gradients are unscaled and clipped.
            is_finite: whether the loss and the norm of the gradients are, over all processes.

        Returns:
            Whether the weights have moved.

        Raises:
            TrainingDivergedError: with fp16, gradients overflow whatever the factor.
        """
        if not self._scaler.is_enabled():
            if is_finite:
                optimizer.step()
            return is_finite
        before = self._scaler.get_scale()
        self._scaler.step(optimizer)
        self._scaler.update()
        after = self._scaler.get_scale()
        if after < SCALE_FLOOR:
            raise TrainingDivergedError(
                f"with fp16 the gradients overflow update after update: the loss scale fell to {after:g}",
                hint="bf16 or fp32 instead of fp16, a lower learning rate or a longer warm-up usually help; "
                "progress up to the last checkpoint is kept",
            )
        return after >= before

    def state(self) -> dict[str, float]:
        """Return what a checkpoint has to keep; nothing where nothing is scaled."""
        if not self._scaler.is_enabled():
            return {}
        values = self._scaler.state_dict()
        return {"scale": float(values["scale"]), "good_updates": float(values["_growth_tracker"])}

    def restore(self, state: Mapping[str, float]) -> None:
        """Go on from ``state()`` of a checkpoint; from one without, as at the start."""
        if self._scaler.is_enabled() and state:
            changes = {"scale": state["scale"], "_growth_tracker": int(state["good_updates"])}
            self._scaler.load_state_dict(self._scaler.state_dict() | changes)
