"""TensorBoard's files: written where asked, read back as they were, and left alone when off."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from bertpipe.errors import ConfigError
from bertpipe.training.board import open_board

WORK = Path(".bertpipe/work/pretrain/0a1b2c")


def events(folder: Path) -> Iterator[Event]:
    """Yield the records of all event files: length, its checksum, an event, its checksum."""
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            yield Event.FromString(content[place + 12 : place + 12 + length])
            place += 12 + length + 4


def points(folder: Path) -> dict[tuple[str, int], float]:
    return {
        (value.tag, event.step): value.simple_value
        for event in events(folder)
        for value in event.summary.value
    }


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """Each figure is a point at its step, in the run's own folder, so that runs do not mix."""
    with open_board(str(tmp_path / "board"), work=WORK, first_step=0) as board:
        assert board is not None
        board.write("train", 50, {"loss": 2.5, "mlm_accuracy": 0.25})
        board.write("validation", 50, {"loss": 3.5})
        board.write("train", 100, {"loss": 1.5})
    assert points(tmp_path / "board" / "pretrain" / "0a1b2c") == {
        ("train/loss", 50): 2.5,
        ("train/mlm_accuracy", 50): 0.25,
        ("validation/loss", 50): 3.5,
        ("train/loss", 100): 1.5,
    }


def test_a_run_that_goes_on_says_from_where(tmp_path: Path) -> None:
    """Points after the checkpoint will be written again: TensorBoard is told to drop the first ones."""
    with open_board(str(tmp_path), work=WORK, first_step=0) as board:
        assert board is not None
        board.write("train", 150, {"loss": 9.0})
    with open_board(str(tmp_path), work=WORK, first_step=100):
        pass
    starts = [
        event.step for event in events(tmp_path / "pretrain" / "0a1b2c") if event.HasField("session_log")
    ]
    assert starts == [101]


def test_off_means_that_nothing_is_loaded_or_written(tmp_path: Path) -> None:
    """The package is an extra: training must not import it unless it is asked for."""
    program = (
        "import sys; from pathlib import Path\n"
        "import bertpipe.training\n"
        "from bertpipe.training.board import open_board\n"
        "with open_board(None, work=Path('work/a'), first_step=0) as board: assert board is None\n"
        "assert not {name for name in sys.modules if 'tensorboard' in name.lower()}"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message names the setting, the hint the extra."""
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with (
        pytest.raises(ConfigError, match=r"runtime\.tensorboard needs the package tensorboardX") as caught,
        open_board(str(tmp_path), work=WORK, first_step=0),
    ):
        pass
    assert caught.value.hint == "pip install 'bertpipe[tensorboard]'"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Before any work: one line with the setting, the place and why."""
    (tmp_path / "board").write_text("")
    for folder, reason in ((str(tmp_path / "board"), "Not a directory"), ("/proc/board", "No such file")):
        with (
            pytest.raises(ConfigError, match=rf"runtime\.tensorboard = .*board.*cannot be made: {reason}"),
            open_board(folder, work=WORK, first_step=0),
        ):
            pass
