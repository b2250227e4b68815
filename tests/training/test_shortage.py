"""Lacks of memory, told from other errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ResourceError
from bertpipe.progress import Silent
from bertpipe.training import run_training
from bertpipe.training.shortage import if_it_fits

Make = Callable[..., Any]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
        MemoryError(),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(error: Exception) -> None:
    """On a GPU and on a CPU; a wrong shape is no lack of memory."""

    def fail_with(problem: Exception) -> None:
        raise problem

    assert if_it_fits(lambda: fail_with(error)) is None
    with pytest.raises(RuntimeError, match="shapes"):
        if_it_fits(lambda: fail_with(RuntimeError("mat1 and mat2 shapes cannot be multiplied")))


def test_torch_says_on_a_cpu_what_is_looked_for() -> None:
    """An allocation that no machine can make is recognised."""
    assert if_it_fits(lambda: torch.empty(1 << 60)) is None


def train(problem: Any, plan: Any, work: Path) -> None:
    run_training(
        problem,
        plan,
        evaluate_steps=4,
        work=work,
        device=torch.device("cpu"),
        runtime=RuntimeConfig(),
        progress=Silent(),
    )


@pytest.mark.parametrize("at", ["placing the model", "evaluating"])
def test_memory_that_runs_out_in_any_part_of_a_run_is_told(
    at: str, tmp_path: Path, make_problem: Make, make_plan: Make
) -> None:
    """Where nothing can be cut it is one line with torch's reason; a bug there stays a bug."""

    def fail(*_: object) -> Any:
        raise error

    problem = make_problem()
    if at == "evaluating":
        problem.validation_batches = fail
    else:
        problem.model.to = fail
    error: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore")
    with pytest.raises(ResourceError) as caught:
        train(problem, make_plan(4), tmp_path)
    assert caught.value.message == (
        "out of memory while training: CUDA out of memory. Tried to allocate 2 GiB."
    )
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="shapes"):
        train(problem, make_plan(4), tmp_path)
