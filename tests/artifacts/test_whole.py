"""Outputs appear whole or not at all, and only one process writes them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bertpipe.artifacts import check_replaceable, open_artifact, replace_folder, written_whole
from bertpipe.errors import ArtifactError, BusyError

HOLD = """
import sys, time
from pathlib import Path
from bertpipe.artifacts import written_whole

with written_whole(Path(sys.argv[1]), stage="vocab", settings={}, inputs={}) as output:
    (output.folder / "started").touch()
    (output.folder / "folder").mkdir()
    (output.folder / "folder" / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


@contextmanager
def another_writer(out: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a second process that is writing ``out``."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "writing\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def write(out: Path, content: str = "new") -> None:
    with written_whole(out, stage="vocab", settings={}, inputs={}) as output:
        (output.folder / "file").write_text(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_output_appears_when_it_is_done(tmp_path: Path) -> None:
    """While it is written there is no output; then it is there with its manifest, and nothing else."""
    out = tmp_path / "a" / "b" / "out"
    with written_whole(out, stage="vocab", settings={}, inputs={}) as output:
        (output.folder / "file").write_text("new")
        assert not out.exists()
    assert names(out) == ["file", "manifest.json"]
    assert names(out.parent) == ["out"]
    open_artifact(out, stage="vocab")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """Whatever ends the work, Ctrl-C too, there is no output and no part of one."""
    out = tmp_path / "out"
    with pytest.raises(error), written_whole(out, stage="vocab", settings={}, inputs={}) as output:
        (output.folder / "folder").mkdir()
        (output.folder / "folder" / "half").write_text("half")
        raise error
    assert names(tmp_path) == []


def test_a_failure_keeps_the_old_output(tmp_path: Path) -> None:
    """An older output stays as it was until the new one is whole."""
    out = tmp_path / "out"
    write(out, "old")
    with pytest.raises(ValueError), written_whole(out, stage="vocab", settings={}, inputs={}) as output:
        (output.folder / "file").write_text("half")
        raise ValueError
    assert names(tmp_path) == ["out"]
    open_artifact(out)
    assert (out / "file").read_text() == "old"


def test_a_failing_rename_keeps_the_old_output(tmp_path: Path) -> None:
    """If the new folder cannot take its place, the old one gets it back."""
    out = tmp_path / "out"
    write(out, "old")
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "nothing", out)
    assert names(tmp_path) == ["out"]
    assert (out / "file").read_text() == "old"


def test_an_old_output_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """No file of the old output is left in the new one."""
    out = tmp_path / "out"
    with written_whole(out, stage="vocab", settings={}, inputs={}) as output:
        (output.folder / "old-file").touch()
    write(out)
    assert names(out) == ["file", "manifest.json"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
def test_a_foreign_folder_is_refused_and_untouched(tmp_path: Path, name: str) -> None:
    """A folder that we did not write is never overwritten, even with a ``manifest.json`` of its own."""
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text('{"name": "somebody else\'s"}')
    with pytest.raises(ArtifactError, match="out exists and is not an output of bertpipe") as caught:
        write(out)
    assert caught.value.hint == "name another --out, or move it away"
    assert names(tmp_path) == ["out"]
    assert (out / name).read_text() == '{"name": "somebody else\'s"}'


def test_a_file_and_a_dangling_link_are_refused(tmp_path: Path) -> None:
    """An output is a folder; what else has its name stays."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(ArtifactError, match=f"{name} exists and is not an output"):
            write(tmp_path / name)
    assert names(tmp_path) == ["file", "link"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_cannot_be_made_in_a_file(tmp_path: Path) -> None:
    """A file on the way to the output is named."""
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="file is not a folder"):
        write(tmp_path / "file" / "a" / "out")


@pytest.mark.parametrize("name", [".", "..", "sub/.."])
def test_a_folder_without_a_name_of_its_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The current folder cannot be renamed away below the user."""
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty" / "sub")
    with pytest.raises(ArtifactError, match="cannot be replaced as a whole"):
        write(Path(name))


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    """A folder made for the output beforehand is no obstacle."""
    out = tmp_path / "out"
    out.mkdir()
    check_replaceable(out, stage="vocab")
    write(out)
    assert (out / "file").read_text() == "new"


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    """After SIGKILL in the middle the next run starts clean, and nothing of the old one gets in."""
    out = tmp_path / "out"
    with another_writer(out) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert names(tmp_path) == [".out.partial"]
    write(out)
    assert names(tmp_path) == ["out"]
    assert names(out) == ["file", "manifest.json"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """While another process writes, this one stops and leaves the other's files alone."""
    out = tmp_path / "out"
    with another_writer(out) as process:
        with pytest.raises(BusyError, match=r"another process is writing .*out") as caught:
            write(out)
        assert caught.value.exit_code == 10
        assert process.poll() is None
        assert names(tmp_path / ".out.partial") == ["folder", "started"]


def test_a_folder_that_went_away_before_it_was_locked_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the other process finishes between our opening and locking, its output is not cleared."""
    out = tmp_path / "out"
    opened = os.open

    def open_then_finish(path: Path, *flags: int) -> int:
        handle = opened(path, *flags)
        if path == tmp_path / ".out.partial" and not out.exists():
            path.rename(out)
            (out / "precious").touch()
        return handle

    monkeypatch.setattr("bertpipe.artifacts.whole.os.open", open_then_finish)
    with pytest.raises(BusyError):
        write(out)
    assert names(out) == ["precious"]


def test_the_output_of_another_stage_is_refused(tmp_path: Path) -> None:
    """A wrong --out does not replace a model by a vocabulary."""
    out = tmp_path / "out"
    write(out)
    with (
        pytest.raises(ArtifactError, match="was written by 'vocab'"),
        written_whole(out, stage="pretrain", settings={}, inputs={}),
    ):
        pass
    assert (out / "file").read_text() == "new"


def test_an_output_inside_an_input_is_refused(tmp_path: Path) -> None:
    """A corpus folder that holds the vocabulary would hold other text on the next run."""
    corpus = tmp_path / "corpus"
    with pytest.raises(ArtifactError, match="lies inside"):
        check_replaceable(corpus / "vocab", stage="vocab", inputs=[tmp_path / "other", corpus])
    check_replaceable(tmp_path / "corpus-vocab", stage="vocab", inputs=[corpus])
