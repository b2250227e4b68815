"""How a model lies over the processes: a copy in each (DDP), or a share in each (FSDP2)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Generic, Literal

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from bertpipe.training.problem import B, Problem, Term
from bertpipe.training.world import ALONE, World

Parallel = Literal["ddp", "fsdp"]


@dataclass(frozen=True)
class Layout(Generic[B]):
    """A problem laid out over the processes.

    Attributes:
        world: the processes.
        terms: the problem's, by a forward pass after whose backward pass the gradients are averaged
            over the processes.
        held_back: the context of passes whose gradients wait for those of a later one.
        is_sharded: whether each process holds only a share of the weights.
    """

    world: World
    terms: Callable[[B], Mapping[str, Term]]
    held_back: Callable[[], AbstractContextManager[object]] = nullcontext
    is_sharded: bool = False


def alone(problem: Problem[B]) -> Layout[B]:
    """Return the layout of a single process."""
    return Layout(ALONE, problem.terms)


def lay_out(problem: Problem[B], world: World, *, parallel: Parallel, device: torch.device) -> Layout[B]:
    """Lay a problem out, its model already on the device; all processes get the first one's weights.

    A sharded model has other parameters afterwards: build the optimizer after this.
    """
    if world.is_alone:
        return alone(problem)
    if parallel == "ddp":
        network = DistributedDataParallel(_AsModule(problem), gradient_as_bucket_view=True)
        return Layout(world, network, network.no_sync)
    problem.model.load_state_dict(dict(world.shared(problem.model.state_dict())))
    root = _shard(problem.model, world, device)
    return Layout(world, problem.terms, lambda: _not_reducing(root), is_sharded=True)


class _AsModule(nn.Module, Generic[B]):
    """Model and loss as one module: DDP hooks into the call of a module."""

    def __init__(self, problem: Problem[B]) -> None:
        super().__init__()
        self.model = problem.model
        self._terms = problem.terms

    def forward(self, batch: B) -> Mapping[str, Term]:
        """Return the problem's terms."""
        return self._terms(batch)


def _shard(model: nn.Module, world: World, device: torch.device) -> FSDPModule:
    """Shard each layer of a list of layers by itself, and what is left with the whole."""
    mesh = init_device_mesh(device.type, (world.size,))
    for stack in [part for part in model.modules() if isinstance(part, nn.ModuleList)]:
        for layer in stack:
            fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)


@contextmanager
def _not_reducing(root: FSDPModule) -> Iterator[None]:
    root.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        root.set_requires_gradient_sync(True)


@contextmanager
def unsharded(model: nn.Module) -> Iterator[None]:
    """Give each process all weights for a while, so that each may do as many passes as it likes."""
    parts = [part for part in model.modules() if isinstance(part, FSDPModule)]
    for part in parts:
        part.set_reshard_after_forward(False, recurse=False)
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            # The root keeps its weights between forward and backward pass, as fully_shard sets it up.
            part.set_reshard_after_forward(part is not model, recurse=False)
            part.reshard()


def whole(tensor: Tensor) -> Tensor:
    """Return all of a tensor, of which this process may have a share; every process has to ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Lay a whole tensor out as ``parameter`` is; each process keeps all of one of another shape, a count."""
    placed = tensor.to(parameter.device)
    if not isinstance(parameter, DTensor) or parameter.shape != tensor.shape:
        return placed
    return distribute_tensor(placed, parameter.device_mesh, parameter.placements, src_data_rank=None)


@torch.no_grad()
def gather_model(model: nn.Module) -> None:
    """Give each process the whole trained model, to be read and written: its layout is at an end."""
    for part in model.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            if isinstance(parameter, DTensor):
                setattr(part, name, nn.Parameter(whole(parameter)))
