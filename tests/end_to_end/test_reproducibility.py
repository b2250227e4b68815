"""The default pipeline, with the overlay of ``pipelines/quick``, under DVC in clean clones.

Takes minutes and fetches the samples through pip, so it runs with ``make reproduce`` only.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.reproducibility

REPOSITORY = Path(__file__).parents[2]
WEIGHTS = Path("models/pretrained/model.safetensors")


def clone(target: Path, *, overlay: Mapping[str, Any] | None = None) -> Path:
    """Clone what is committed, and lay the quick settings (and then ``overlay``) over its own."""
    subprocess.run(["git", "clone", "--quiet", REPOSITORY, target], check=True)
    quick = YAML(typ="safe").load(target / "pipelines/quick/params.yaml")
    set_params(target, quick)
    set_params(target, overlay or {})
    return target


def set_params(project: Path, overlay: Mapping[str, Any]) -> None:
    """Merge settings into ``params.yaml``, section by section."""
    yaml = YAML()
    params = yaml.load(project / "params.yaml")
    for section, values in overlay.items():
        params[section].update(values)
    yaml.dump(params, project / "params.yaml")


def environment(project: Path) -> dict[str, str]:
    """Let the clone's own code run, whichever copy is installed, and keep its progress in the clone."""
    inherited = {name: value for name, value in os.environ.items() if name != "BERTPIPE_WORK"}
    return {**inherited, "PYTHONPATH": str(project), "DVC_NO_ANALYTICS": "1"}


def dvc(project: Path, *arguments: str) -> str:
    """Run DVC; return what it said on stdout."""
    done = subprocess.run(
        ["dvc", *arguments], cwd=project, env=environment(project), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stages_run(output: str) -> set[str]:
    """Return the stages that DVC ran a command for, without their matrix entry."""
    lines = [line for line in output.splitlines() if line.startswith("Running stage '")]
    return {line.split("'")[1].split("@")[0] for line in lines}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone in which the pipeline has run once."""
    project = clone(tmp_path_factory.mktemp("first") / "project")
    output = dvc(project, "repro")
    assert stages_run(output) == {"samples", "vocab", "prepare", "pretrain", "finetune", "eval", "report"}
    return project


def test_two_clean_clones_agree_byte_for_byte(finished: Path, tmp_path: Path) -> None:
    """Data, weights, scores and report of a second clone, with one worker, have the same hashes."""
    second = clone(tmp_path / "project", overlay={"runtime": {"workers": 1}})
    dvc(second, "repro")
    assert (second / "dvc.lock").read_bytes() == (finished / "dvc.lock").read_bytes()


def test_a_second_repro_does_nothing(finished: Path) -> None:
    """Nothing changed, so nothing runs."""
    assert stages_run(dvc(finished, "repro")) == set()


def test_only_what_depends_on_a_setting_reruns(finished: Path) -> None:
    """A fine-tuning setting leaves pre-training alone; a runtime setting leaves everything alone."""
    set_params(finished, {"runtime": {"log_interval": 7, "workers": 2}})
    assert stages_run(dvc(finished, "repro")) == set()
    before = (finished / "params.yaml").read_bytes()
    set_params(finished, {"finetune": {"learning_rate": 0.0001}})
    assert stages_run(dvc(finished, "repro")) == {"finetune", "eval", "report"}
    (finished / "params.yaml").write_bytes(before)
    assert stages_run(dvc(finished, "repro")) == set()  # the earlier results come from the run cache


def test_deleted_outputs_come_back_from_the_cache(finished: Path) -> None:
    """Restoring outputs computes nothing: no stage runs a command."""
    wanted = json.loads((finished / "report/manifest.json").read_text())
    for output in ("data", "models", "scores", "report"):
        shutil.rmtree(finished / output)
    assert stages_run(dvc(finished, "repro")) == set()
    assert json.loads((finished / "report/manifest.json").read_text()) == wanted
    assert (finished / WEIGHTS).is_file()


def test_a_killed_pretraining_goes_on_to_the_same_weights(finished: Path, tmp_path: Path) -> None:
    """SIGKILL of the whole process group in the middle of pretrain changes no bit of the result."""
    project = clone(tmp_path / "project")
    running = subprocess.Popen(
        ["dvc", "repro", "pretrain"],
        cwd=project,
        env=environment(project),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_checkpoint(project, running)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (project / "models/pretrained").exists()
    output = subprocess.run(
        ["dvc", "repro", "pretrain"],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "going on from step" in output.stderr
    assert (project / WEIGHTS).read_bytes() == (finished / WEIGHTS).read_bytes()


def wait_for_checkpoint(project: Path, running: subprocess.Popen[bytes]) -> None:
    """Return once pretrain has written a checkpoint that is not the last step's."""
    deadline = time.monotonic() + 300
    while not list(project.glob(".bertpipe/work/pretrain/*/step-*/manifest.json")):
        assert running.poll() is None, "pretrain was over before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
