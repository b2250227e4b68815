"""Progress looks right in a terminal, in a log, and with names that look like markup."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest
from rich.console import Console

from bertpipe.cli.bar import Bar
from bertpipe.cli.display import Display, open_display
from bertpipe.cli.screens import Lines, Nothing

THREE_PHASES = """
from bertpipe.cli.display import open_display

with open_display(quiet=False) as shown:
    for name in ("one", "two", "three"):
        with shown.phase(name, total=3, unit="steps") as phase:
            phase.advance(3, train_loss=0.5)
        shown.note(f"after [{name}] :smile:")
"""

FIGURES: dict[str, float | str] = {
    "loss": 5.2612,
    "mlm_loss": 4.859,
    "mlm_accuracy": 0.236,
    "nsp_loss": 0.402,
    "nsp_accuracy": 0.812,
    "gradient_norm": 1.2345,
    "learning_rate": 1e-4,
    "tokens_per_second": 20134,
    "mfu": 0.481,
    "data_wait_share": 0.0004,
    "validation_loss": 5.375,
    "validation_mlm_loss": 4.941,
    "validation_mlm_accuracy": 0.22,
}


class Clock:
    """The time in seconds, for a test to set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


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
    assert re.search(r"one ━+ 3 of 3 steps  \d\.\d s", first)
    assert "one ━" not in rest
    assert re.search(r"two ━+ 3 of 3 steps", rest) and re.search(r"three ━+ 3 of 3 steps", rest)


def test_what_is_not_counted_shows_no_count() -> None:
    """A phase that tells nothing but its end has its name and its time."""
    bar = Bar(Console(file=io.StringIO(), width=80))
    plain = Console(file=io.StringIO(), width=80)
    with Display(bar, clock=lambda: 7.0).phase("check", total=None, unit="files"):
        pass
    with plain.capture() as captured:
        plain.print(*bar._bars.get_renderables())
    assert re.fullmatch(r"check [━╸╺ ]{20} 0\.0 s", captured.get().strip())


def drawn(width: int, *, pause: str | None = None) -> list[str]:
    """Return the last lines of a bar in a terminal that is so many columns wide."""
    clock, plain = Clock(), Console(file=io.StringIO(), width=width)
    bar = Bar(Console(file=io.StringIO(), width=width))
    with Display(bar, clock=clock).phase("train", total=1_000_000, unit="steps") as phase:
        clock.now += 4000
        phase.advance(250_000, **FIGURES)
        phase.doing(pause)
        with plain.capture() as captured:
            plain.print(*bar._bars.get_renderables(), sep="\n")
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_bar_fits_80_columns() -> None:
    """Every figure is there, none is cut or torn apart, and the held-out ones start a line."""
    first, *below = drawn(80)
    assert below == [
        "  loss 5.261   mlm loss 4.859   mlm accuracy 23.6 %   nsp loss 0.402",
        "  nsp accuracy 81.2 %   gradient norm 1.234   learning rate 1.00e-04",
        "  20,134 tokens/s   MFU 48.1 %   data wait 0.0 %",
        "  validation loss 5.375   validation mlm loss 4.941",
        "  validation mlm accuracy 22.0 %",
    ]
    assert re.fullmatch(r"train [━╸╺ ]{20} 250,000 of 1,000,000 steps  3 h 20 min left", first)


def test_a_bar_uses_120_columns() -> None:
    """A wider terminal needs fewer lines."""
    assert len(drawn(120)) == 4 and max(len(line) for line in drawn(120)) <= 120


def test_a_pause_is_told() -> None:
    """While a run evaluates its bar stands still, and says why."""
    assert drawn(80, pause="evaluate")[0].endswith("250,000 of 1,000,000 steps  evaluate ...")


def test_lines_come_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """In a log a long phase tells how far it is and how long it will take; a short one only its end."""
    clock = Clock()
    shown = Display(Lines(), clock=clock)
    with shown.phase("train", total=100, unit="steps", done=20) as phase:
        for now in (105.0, 110.0, 115.0, 120.0):
            clock.now = now
            phase.advance(10, train_loss=2.5)
    assert capsys.readouterr().err.splitlines() == [
        # 20 steps of this run took 10 s, so 60 more take 30; the 20 of an earlier run do not count.
        "train: 40 of 100 steps, 30.0 s left, train loss 2.500",
        "train: 60 of 100 steps, 20.0 s left, train loss 2.500",
        "train: 20.0 s",
    ]
    assert shown.seconds_by_phase == {"train": 20.0}


def test_bytes_are_told_in_larger_units(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody counts the digits of a gigabyte."""
    clock = Clock()
    with Display(Lines(), clock=clock).phase("encode", total=4_000_000_000, unit="bytes") as phase:
        clock.now += 20
        phase.advance(1_000_000_000)
    assert capsys.readouterr().err.splitlines()[0] == "encode: 1.0 GB of 4.0 GB, 1 min 00 s left"


def test_times_of_equal_phases_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    """A phase that is opened twice, such as an evaluation, is logged with all of its time."""
    clock = Clock()
    shown = Display(Nothing(), clock=clock)
    for seconds in (3.0, 4.0):
        with shown.phase("evaluate", total=None, unit="batches") as phase:
            clock.now += seconds
            phase.advance(1)
    shown.note("seen even with --quiet")
    assert shown.seconds_by_phase == {"evaluate": 7.0}
    assert capsys.readouterr().err == "seen even with --quiet\n"


def test_a_phase_that_fails_is_measured_too(capsys: pytest.CaptureFixture[str]) -> None:
    """The error goes on, and the phase is closed."""
    clock = Clock()
    shown = Display(Lines(), clock=clock)
    with pytest.raises(KeyError), shown.phase("train", total=1, unit="steps"):
        clock.now += 2.0
        raise KeyError
    assert shown.seconds_by_phase == {"train": 2.0}


def test_without_a_terminal_there_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stderr is a file, nothing moves the cursor."""
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with open_display(quiet=False) as shown, shown.phase("x", total=1, unit="y"):
        pass
    assert log.getvalue() == "x: 0.0 s\n"


def test_without_a_terminal_no_bar_is_loaded() -> None:
    """Where nobody sees it, it need not cost the time to import it."""
    program = (
        "import sys; from bertpipe.cli.display import open_display\n"
        "with open_display(quiet=False): print('rich.progress' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
