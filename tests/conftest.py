"""Every test stands alone: no DVC around it, and side files in a folder of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_side_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep progress and run log out of the checkout, and do as if DVC had not started the tests."""
    folder = tmp_path_factory.mktemp("side")
    monkeypatch.setenv("BERTPIPE_WORK", str(folder))
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return folder
