"""Every test stands alone: no DVC around it, and side files in a folder of its own."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

DATA = Path(os.environ.get("BERTPIPE_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(autouse=True)
def own_side_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep progress and run log out of the checkout, and do as if DVC had not started the tests."""
    folder = tmp_path_factory.mktemp("side")
    monkeypatch.setenv("BERTPIPE_WORK", str(folder))
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data sets, or skip the test."""
    if not DATA.is_dir():
        pytest.skip(f"no data at {DATA}: set BERTPIPE_DATA")
    return DATA
