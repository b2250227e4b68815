"""What a command does differently when DVC has started it."""

import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import bertpipe
from bertpipe.errors import ArtifactError

if TYPE_CHECKING:
    import psutil

_POLL_SECONDS = 1.0
_SAVING_SECONDS = 20.0
_SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh"}


def check() -> None:
    """Under DVC, make sure that the tracked code runs, and stop when the dvc process is gone.

    Raises:
        ArtifactError: ``dvc.yaml`` tracks another copy of the package than the one that runs.
    """
    if "DVC_STAGE" not in os.environ:
        return
    _check_package(Path("dvc.yaml"))
    threading.Thread(target=_watch_dvc, daemon=True).start()


def _check_package(dvc_yaml: Path) -> None:
    """Compare the package that runs with the folder that the stages' dependencies name."""
    text = dvc_yaml.read_text(encoding="utf-8") if dvc_yaml.is_file() else ""
    tracked = re.search(r"^\s*-\s+((?:\S*/)?bertpipe)/", text, flags=re.MULTILINE)
    if tracked is None:
        return
    folder, running = Path(tracked[1]).resolve(), Path(bertpipe.__file__).parent.resolve()
    if folder != running:
        raise ArtifactError(
            f"dvc.yaml tracks the code in {folder}, but the code that runs is in {running}",
            hint="install this checkout: pip install --editable .",
        )


def _watch_dvc() -> None:
    """Stop this process when dvc is gone: nobody would record what it still does.

    A stop signal that reaches the dvc process alone leaves its child running.
    """
    import psutil

    me = psutil.Process()
    dvc = next((p for p in me.parents() if p.name() not in _SHELLS), None)
    if dvc is None:
        return
    while _is_alive(dvc):
        time.sleep(_POLL_SECONDS)
    os.kill(me.pid, signal.SIGTERM)
    time.sleep(_SAVING_SECONDS)
    os._exit(128 + signal.SIGTERM)


def _is_alive(process: "psutil.Process") -> bool:
    """Return whether a process still runs; one that nobody has waited for yet does not."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
