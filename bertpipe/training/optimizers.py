"""AdamW as BERT uses it."""

import torch
from pydantic import Field
from torch import nn

from bertpipe.configs import Settings


class OptimizerConfig(Settings):
    """Settings of AdamW; the defaults are those of the original code (appendix A.2)."""

    learning_rate: float = Field(1e-4, gt=0, description="Peak rate.")
    weight_decay: float = Field(0.01, ge=0, description="Decay; none on norms and biases.")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="Decay rate of the gradients' mean.")
    adam_beta2: float = Field(0.999, ge=0, lt=1, description="Decay rate of the squared gradients' mean.")
    adam_epsilon: float = Field(1e-6, gt=0, description="Added to the denominator.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")


def adamw(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """Return AdamW over two groups: matrices decay, norms and biases do not."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.adam_beta1, config.adam_beta2),
        eps=config.adam_epsilon,
        fused=True,
    )
