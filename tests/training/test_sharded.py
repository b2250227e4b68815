"""Optimizers, calibration and loss scale over a model that two processes share (FSDP2)."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Return what sharded.py found, by name."""
    folder = tmp_path_factory.mktemp("meeting")
    script = Path(__file__).with_name("sharded.py")
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(folder)], stdout=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return {name: float(value) for name, value in (line.split(": ") for line in outputs[0].splitlines())}


@pytest.mark.parametrize("optimizer", ["lamb", "original"])
def test_sharded_weights_move_as_whole_ones(optimizer: str, findings: dict[str, float]) -> None:
    """Five updates agree within rounding; a trust ratio from the norms of shards would be far off."""
    assert findings[optimizer] < 1e-6


def test_undone_updates_leave_no_trace(findings: dict[str, float]) -> None:
    """The weights had moved, and are back to the bit; the optimizer's state is gone."""
    assert findings["trained"] > 0.01 and findings["undone"] == 0


def test_an_overflow_in_one_process_leaves_out_the_update_in_all(findings: dict[str, float]) -> None:
    """The first process, whose own loss was fine, has not moved and has halved its scale."""
    assert findings["overflow of the other"] == 0 and findings["scale"] == 2.0**15
