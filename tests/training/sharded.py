"""One of two processes with a sharded model; the first tells how far it is from a whole one.

Run by test_sharded.py, with the rank and a folder to meet in.
"""

import copy
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from bertpipe.training import OptimizerConfig
from bertpipe.training.budget import undone
from bertpipe.training.optimizers import build_optimizer
from bertpipe.training.precision import LossScaler

LAMB = OptimizerConfig(optimizer="lamb", learning_rate=0.05)
ORIGINAL = OptimizerConfig(bias_correction=False, learning_rate=0.05)
FUSED = OptimizerConfig(learning_rate=0.05)


def network() -> nn.Module:
    """Return a model; its seven rows over two processes make shards that differ in size."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 7), nn.Tanh(), nn.LayerNorm(7), nn.Linear(7, 1))


def sharded(model: nn.Module) -> nn.Module:
    """Return a copy that is spread over the processes."""
    model = copy.deepcopy(model)
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    return model


def loss_of(model: nn.Module, number: int) -> Tensor:
    """Return the loss on points that are a function of the number, the same in every process."""
    points = torch.randn(4, 8, generator=torch.Generator().manual_seed(number))
    loss: Tensor = model(points).square().mean()
    return loss


def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Do five updates."""
    for number in range(5):
        loss_of(model, number).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()


def whole(model: nn.Module) -> list[Tensor]:
    """Return copies of all weights, gathered where they are sharded."""
    tensors = (p.detach() for p in model.parameters())
    return [(t.full_tensor() if isinstance(t, DTensor) else t).clone() for t in tensors]


def difference(one: list[Tensor], other: list[Tensor]) -> float:
    """Return the largest difference of a weight."""
    return max((a - b).abs().max().item() for a, b in zip(one, other, strict=True))


def findings(rank: int) -> Iterator[tuple[str, float]]:
    """Yield what test_sharded.py asks for, by name."""
    for name, config in (("lamb", LAMB), ("original", ORIGINAL)):
        model = network()
        other = sharded(model)
        train(model, build_optimizer(model, config))
        train(other, build_optimizer(other, config))
        yield name, difference(whole(model), whole(other))
    model = sharded(network())
    optimizer = build_optimizer(model, FUSED)
    before = whole(model)
    with undone(model, optimizer):
        train(model, optimizer)
        yield "trained", difference(before, whole(model))
    yield "undone", difference(before, whole(model)) + len(optimizer.state)
    scaler = LossScaler("fp16", torch.device("cpu"))
    scaler.backward(loss_of(model, 0) * (float("inf") if rank == 1 else 1.0))
    scaler.unscale(optimizer)
    moved = scaler.step(optimizer, is_finite=False)
    yield "overflow of the other", difference(before, whole(model)) + moved
    yield "scale", scaler.scale or 0.0


def main(rank: int, folder: Path) -> None:
    """Print each finding of the first process."""
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    for name, value in findings(rank):
        if rank == 0:
            print(f"{name}: {value}")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
