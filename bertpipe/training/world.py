"""The processes that train together, as torchrun starts them: one, or many on one or more machines.

Alone, every method gives back what it was given; no caller asks how many there are.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ConfigError, ResourceError

# How long a process waits for the others: longer than shards are hashed or a model is compiled,
# short enough for a machine that has vanished not to cost a night.
TIMEOUT = timedelta(minutes=30)

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """This process among those that train together.

    Attributes:
        rank: its number, from 0.
        size: how many there are.
        local_rank: its number on this machine.
        local_size: how many there are on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        """Return whether this one reports, saves and writes for all."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Return whether there are no others."""
        return self.size == 1

    def part(self, items: int) -> range:
        """Return this process's items: those of all stand one after another, alike in number within one."""
        return range(items * self.rank // self.size, items * (self.rank + 1) // self.size)

    def sums(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the sums over all processes, of numbers that all have under the same names."""
        if self.is_alone:
            return dict(values)
        numbers = torch.tensor(list(values.values()), dtype=torch.float64)
        distributed.all_reduce(numbers)
        return dict(zip(values, numbers.tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Return whether the flag is true in any process."""
        return self.sums({"flag": float(flag)})["flag"] > 0

    def gathered(self, value: T) -> list[T]:
        """Return every process's value, by rank."""
        if self.is_alone:
            return [value]
        values: list[T | None] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values  # type: ignore[return-value]

    def broadcast(self, value: T) -> T:
        """Return the first process's value."""
        if self.is_alone:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0, device=torch.device("cpu"))
        return values[0]

    def shared(self, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Yield the first process's tensors, one after another, in main memory; the others give none."""
        if self.is_alone:
            yield from tensors.items()
            return
        kinds = self.broadcast(
            {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
        )
        for name, (shape, dtype) in kinds.items():
            tensor = tensors[name].cpu().contiguous() if self.is_first else torch.empty(shape, dtype=dtype)
            distributed.broadcast(tensor, src=0)
            yield name, tensor

    def barrier(self) -> None:
        """Wait until all have come here."""
        self.any(False)


ALONE = World()


def processes_started() -> int:
    """Return how many processes were started together, on all machines.

    Raises:
        ConfigError: the environment has no number there.
    """
    return _told("WORLD_SIZE", unset=1)


def is_first_process() -> bool:
    """Return whether this process tells what all have done: alone, or the first of those of torchrun."""
    return processes_started() == 1 or os.environ.get("RANK") == "0"


@contextmanager
def open_world(runtime: RuntimeConfig) -> Iterator[World]:
    """Join the processes that torchrun has started; without torchrun there is one.

    They talk by gloo, and GPUs by NCCL. Each process of a machine has a GPU of its own.

    Raises:
        ConfigError: there are not enough GPUs, or it was something else that started them.
        ResourceError: the others cannot be reached, or one of them has ended.
    """
    if processes_started() == 1:
        yield ALONE
        return
    world = _told_by_torchrun()
    has_gpu = _take_gpu(world, runtime)
    with _losses_named(world):
        distributed.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo", timeout=TIMEOUT)
        yield world
    # Not after an error: the others may be gone, and this process is about to end.
    distributed.destroy_process_group()


def _told_by_torchrun() -> World:
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    for name in (*names, "MASTER_ADDR", "MASTER_PORT"):
        if not os.environ.get(name):
            raise ConfigError(
                f"the environment has WORLD_SIZE = {os.environ['WORLD_SIZE']}, but no {name}",
                hint="start the processes with torchrun, which sets both; for a single one unset WORLD_SIZE",
            )
    return World(*map(_told, names))


def _told(name: str, *, unset: int = 0) -> int:
    """Return a number from the environment; one that is empty is not set."""
    text = os.environ.get(name) or str(unset)
    if not text.isdecimal():
        raise ConfigError(
            f"the environment has {name} = {text!r}, which is no whole number",
            hint="start the processes with torchrun, which sets it; for a single one unset it",
        )
    return int(text)


def _take_gpu(world: World, runtime: RuntimeConfig) -> bool:
    """Make ``cuda`` mean this process's own GPU; return whether it computes on one."""
    name = runtime.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not name.startswith("cuda"):
        return False
    if name != "cuda":
        raise ConfigError(
            f"runtime.device = {name!r} is one GPU, but {world.local_size} processes run on this machine",
            hint="with 'cuda' each has its own",
        )
    count = torch.cuda.device_count()
    if not count:
        raise ConfigError(
            "runtime.device = 'cuda', but torch finds no GPU on this machine",
            hint="leave it unset to train on CPUs, or install a torch that is built for your GPUs",
        )
    if world.local_size > count:
        raise ConfigError(
            f"{world.local_size} processes run on this machine, which has {count} GPUs",
            hint=f"start torchrun with --nproc-per-node {count}",
        )
    torch.cuda.set_device(world.local_rank)
    return True


@contextmanager
def _losses_named(world: World) -> Iterator[None]:
    """Say that another process is gone; by itself the error speaks of sockets."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if not isinstance(error, distributed.DistError) and not any(
            word in text.lower() for word in ("gloo", "nccl", "connection closed", "connection reset")
        ):
            raise
        reason = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
        raise ResourceError(
            f"process {world.rank} of {world.size} has lost the others: {reason}",
            hint="the process that failed first says why; the same command goes on from the last checkpoint",
        ) from error
