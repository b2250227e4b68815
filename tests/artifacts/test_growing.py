"""Work that was killed goes on with what was whole, and with nothing else."""

from pathlib import Path

import numpy as np
import pytest

from bertpipe.artifacts import growing
from bertpipe.artifacts.growing import GrowingFiles, growing_files


class KilledError(Exception):
    """What a signal would do, without one."""


def work(folder: Path, items: list[int], *, kill_at: int | None = None) -> tuple[list[int], GrowingFiles]:
    """Append items that are not there yet; return those that were worked on."""
    worked: list[int] = []
    with growing_files(folder, ["a", "b"]) as files:
        total = files.state.get("total", 0)
        for item in items[files.items :] if not files.is_complete else []:
            files.append("a", np.full(item, item, dtype=np.int64))
            if item == kill_at:
                raise KilledError
            files.append("b", bytes([item]))
            worked.append(item)
            total += item
            files.finish_item({"total": total})
        if not files.is_complete:
            files.complete()
    return worked, files


@pytest.mark.parametrize("seconds", [0.0, 1000.0])
def test_what_was_recorded_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Whenever it is killed, the files end as if it had not been."""
    monkeypatch.setattr(growing, "_SECONDS_BETWEEN_RECORDS", seconds)
    items = [3, 1, 4, 5, 9]
    work(tmp_path / "whole", items)
    with pytest.raises(KilledError):
        work(tmp_path / "killed", items, kill_at=4)
    worked, files = work(tmp_path / "killed", items)
    assert worked == ([4, 5, 9] if seconds == 0 else items)
    assert (files.items, files.state, files.is_complete) == (5, {"total": 22}, True)
    for name in ("a", "b"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_complete_work_is_left_alone(tmp_path: Path) -> None:
    """Nothing is done a second time, and the state is there to be read."""
    work(tmp_path, [3, 1])
    content = (tmp_path / "a").read_bytes()
    worked, files = work(tmp_path, [3, 1])
    assert (worked, files.state) == ([], {"total": 4})
    assert (tmp_path / "a").read_bytes() == content


def test_sizes_are_known_from_the_start(tmp_path: Path) -> None:
    """The length of a file counts what an earlier run has written."""
    work(tmp_path, [3, 1])
    with growing_files(tmp_path, ["a", "b"]) as files:
        assert (files.size_bytes("a"), files.size_bytes("b")) == (32, 2)
