"""Progress and results look right in a terminal, in a log, and with names that look like markup."""

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bertpipe.cli import display
from bertpipe.cli.display import Display, Lines, Nothing, open_display, print_result, print_table
from bertpipe.reports.tables import Table

THREE_PHASES = """
from bertpipe.cli.display import open_display

with open_display(quiet=False) as shown:
    for name in ("one", "two", "three"):
        with shown.phase(name, total=3, unit="steps") as phase:
            phase.advance(3, train_loss=0.5)
        shown.note(f"after [{name}] :smile:")
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time in seconds, for a test to set."""
    now = [100.0]
    monkeypatch.setattr("bertpipe.cli.display.time.monotonic", lambda: now[0])
    yield now
    monkeypatch.undo()


def in_terminal(program: str) -> str:
    """Run Python with stderr on a terminal; return what came out there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program], stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    )
    os.close(theirs)
    shown = b""
    while part := _read(ours):
        shown += part
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_each_phase_has_one_bar() -> None:
    """In a terminal the bar of a phase that is over stays as it is and is not drawn again."""
    shown = in_terminal(THREE_PHASES)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    first, rest = text.split("after [one] :smile:")
    assert re.search(r"one ━+ 3/3 steps  \d\.\d s", first)
    assert "one ━" not in rest
    assert re.search(r"two ━+ 3/3 steps", rest) and re.search(r"three ━+ 3/3 steps", rest)


def test_lines_come_every_ten_seconds(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """In a log a long phase tells how far it is and how long it will take; a short one only its end."""
    shown = Display(Lines())
    with shown.phase("train", total=100, unit="steps", done=20) as phase:
        for now in (105.0, 110.0, 115.0, 120.0):
            clock[0] = now
            phase.advance(10, train_loss=2.5)
    assert capsys.readouterr().err.splitlines() == [
        # 20 steps of this run took 10 s, so 60 more take 30; the 20 of an earlier run do not count.
        "train: 40 of 100 steps, train loss 2.5, 30.0 s left",
        "train: 60 of 100 steps, train loss 2.5, 20.0 s left",
        "train: 20.0 s",
    ]
    assert shown.seconds_by_phase == {"train": 20.0}


def test_times_of_equal_phases_add_up(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """A phase that is opened twice, such as an evaluation, is logged with all of its time."""
    shown = Display(Nothing())
    for seconds in (3.0, 4.0):
        with shown.phase("evaluate", total=None, unit="batches") as phase:
            clock[0] += seconds
            phase.advance(1)
    shown.note("seen even with --quiet")
    assert shown.seconds_by_phase == {"evaluate": 7.0}
    assert capsys.readouterr().err == "seen even with --quiet\n"


def test_a_phase_that_fails_is_measured_too(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """The error goes on, and the phase is closed."""
    shown = Display(Lines())
    with pytest.raises(KeyError), shown.phase("train", total=1, unit="steps"):
        clock[0] += 2.0
        raise KeyError
    assert shown.seconds_by_phase == {"train": 2.0}


def test_without_a_terminal_there_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stderr is a file, nothing moves the cursor."""
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with open_display(quiet=False) as shown, shown.phase("x", total=1, unit="y"):
        pass
    assert log.getvalue() == "x: 0.0 s\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 00 s"), (3599.6, "1 h 00 min"), (7260, "2 h 01 min")],
)
def test_durations_are_told_as_people_do(seconds: float, text: str) -> None:
    """Seconds, minutes or hours, never 60 of the smaller one."""
    assert display._duration(seconds) == text


def test_a_result_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers are readable, nested names are spelt out, and what looks like markup or a smiley is text."""
    values = {
        "dropped_examples": ["[/b]", ":smile:", "[red]"],
        "train_tokens": 1234567,
        "share": 0.123456,
        "rate": 0.00005,
        "whole": 2.0,
        "yes": True,
        "none": None,
        "dev": {"pearson_r": 0.5},
    }
    print_result(values, title="[bold]", as_json=False)
    shown = capsys.readouterr().out
    for part in (
        "[bold]",
        "│ dropped examples │ [/b], :smile:, [red] │",
        "│ train tokens     │ 1,234,567            │",
        "│ share            │ 0.1235               │",
        "│ rate             │ 5.00e-05             │",
        "│ whole            │ 2                    │",
        "│ yes              │ True                 │",
        "│ none             │ None                 │",
        "│ dev: pearson r   │ 0.5                  │",
    ):
        assert part in shown


def test_a_result_that_is_no_json_is_a_bug() -> None:
    """NaN would be invalid JSON for whoever reads it."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_result({"loss": float("nan")}, title="x", as_json=True)


def test_a_table_is_shown_with_its_note(capsys: pytest.CaptureFixture[str]) -> None:
    """Cells that look like markup, such as a task's name, are text."""
    print_table(Table(title="Scores", columns=("task", "score"), rows=(("[/x]", "0.5"),), note="a [note]"))
    shown = capsys.readouterr().out
    assert "Scores" in shown and "│ [/x] │   0.5 │" in shown and shown.endswith("a [note]\n")
