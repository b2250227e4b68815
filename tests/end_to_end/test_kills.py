"""Pre-training that is killed ends as if it had not been."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_pretraining_ends_with_the_same_bytes(processes: int, tmp_path: Path, real_data: Path) -> None:
    """SIGKILL at some instants, to all processes: weights, curve and figures are those of a whole run."""
    script = str(ROOT / "benchmarks" / "kill_pretraining.py")
    options = ["--instants", "2", "--steps", "60", "--processes", str(processes), "--folder", str(tmp_path)]
    answer = subprocess.run([sys.executable, script, *options], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "2 of 2 runs end as the unbroken one"
