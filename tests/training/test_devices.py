"""Where tensors are computed."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ConfigError
from bertpipe.progress import Silent
from bertpipe.training import autocast, prepare_device


class Recorder(Silent):
    """Keeps the facts of a run."""

    def __init__(self) -> None:
        self.facts: dict[str, float | str] = {}

    def record(self, **facts: float | str) -> None:
        self.facts.update(facts)


def test_threads_and_device_are_set_and_recorded() -> None:
    """Bits depend on both, so the run log must tell them."""
    recorder = Recorder()
    device = prepare_device(RuntimeConfig(threads=1, device="cpu"), recorder)
    assert device == torch.device("cpu") and torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    has_glibc = platform.libc_ver()[0] == "glibc"
    assert recorder.facts == {
        "device": "cpu",
        "threads": 1,
        "torch": torch.__version__,
        "keeps_freed_memory": has_glibc,
    }


@pytest.mark.parametrize("name", ["abacus", "cuda:99", "cpu:x", "meta"])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    """One line with the value, not torch's traceback."""
    with pytest.raises(ConfigError, match=f"runtime.device = '{name}'") as caught:
        prepare_device(RuntimeConfig(threads=1, device=name), Silent())
    assert "\n" not in caught.value.message


def test_memory_does_not_grow_with_the_shapes_that_were_seen() -> None:
    """Of products in bf16 those of the last shapes are kept; 400 more would take 280 MB."""
    if not (Path("/proc/self/statm").exists() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        pytest.skip("needs Linux and a processor with products in bf16")
    program = """
import torch
from bertpipe.configs import RuntimeConfig
from bertpipe.progress import Silent
from bertpipe.training import prepare_device

def pages():
    return int(open("/proc/self/statm").read().split()[1])

prepare_device(RuntimeConfig(threads=1, device="cpu"), Silent())
weights = torch.ones(256, 64, dtype=torch.bfloat16)
for rows in range(300, 900):
    torch.nn.functional.linear(torch.ones(rows, 64, dtype=torch.bfloat16), weights)
    before = pages() if rows == 499 else before if rows > 499 else 0
print(pages() - before)
"""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("CACHE_CAPACITY")}
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, env=environment, stdout=subprocess.PIPE
    )
    assert int(done.stdout) * os.sysconf("SC_PAGE_SIZE") < 100 * 2**20


def test_bf16_computes_in_half_and_fp32_does_not() -> None:
    """A product of float32 matrices is bfloat16 within the context only."""
    matrix = torch.ones(2, 2)
    with autocast("bf16", torch.device("cpu")):
        assert (matrix @ matrix).dtype == torch.bfloat16
    with autocast("fp32", torch.device("cpu")):
        assert (matrix @ matrix).dtype == torch.float32
