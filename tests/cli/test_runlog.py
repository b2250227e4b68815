"""The journal: each line a JSON object, whole, and nothing where nothing ran."""

import json
from pathlib import Path
from typing import Any

import pytest

from bertpipe.cli.display import Display
from bertpipe.cli.runlog import Journal, journal_path, keeping_journal

OUT = Path("models/pretrained")


@pytest.fixture(autouse=True)
def side_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BERTPIPE_WORK", str(tmp_path / "side"))
    return tmp_path / "side"


def entries() -> list[dict[str, Any]]:
    lines = journal_path("pretrain", OUT).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_run_is_kept_as_it_goes() -> None:
    """Figures with their step, phases with their seconds, notes, and at the end the facts of the run."""
    now = 10.0
    with keeping_journal("pretrain", OUT) as journal:
        shown = Display(journal, clock=lambda: now)
        with shown.phase("train", total=8, unit="steps", done=3) as phase:
            phase.advance(1)
            now = 12.5
            phase.advance(1, loss=2.5, mfu=0.5)
            phase.doing("evaluate")
            phase.advance(0, validation_loss=3.5)
            shown.note("careful")
        journal.finish({"device": "cpu"})
    times = [entry.pop("time") for entry in entries()]
    assert times == sorted(times)
    where = {"event": "figures", "phase": "train", "steps": 5, "total": 8, "seconds": 2.5}
    kept = [{name: value for name, value in entry.items() if name != "time"} for entry in entries()]
    assert kept[0].pop("version")
    assert kept == [
        {"event": "run", "stage": "pretrain", "out": "models/pretrained"},
        {**where, "loss": 2.5, "mfu": 0.5},
        {**where, "validation_loss": 3.5},
        {"event": "note", "note": "careful"},
        {"event": "phase", "phase": "train", "seconds": 2.5},
        {"event": "done", "device": "cpu"},
    ]


def test_why_a_run_failed_is_kept() -> None:
    """The last line is the error, which goes on; a later run adds to the same file."""
    for _ in range(2):
        with pytest.raises(ValueError, match="it is late"), keeping_journal("pretrain", OUT) as journal:
            with Display(journal).phase("train", total=1, unit="steps"):
                pass
            raise ValueError("it is late")
    assert [entry["event"] for entry in entries()] == ["run", "phase", "failed"] * 2
    assert entries()[-1]["error"] == "it is late"


def test_a_command_that_is_refused_leaves_no_trace(side_files: Path) -> None:
    """Before its first phase a run has no journal."""
    with pytest.raises(ValueError, match="no"), keeping_journal("pretrain", OUT) as journal:
        Display(journal).note("something")
        raise ValueError("no")
    assert not side_files.exists()


def test_figures_that_are_no_numbers_stay_json() -> None:
    """A loss that is not finite is null: NaN is not JSON."""
    journal = Journal("pretrain", OUT)
    with Display(journal).phase("train", total=1, unit="steps") as phase:
        phase.advance(1, loss=float("nan"), norm=float("inf"))
    figures = entries()[1]
    assert figures["loss"] is None and figures["norm"] is None


@pytest.mark.parametrize(
    ("out", "name"),
    [
        ("models/pretrained", "models-pretrained.jsonl"),
        ("/models/pretrained", "models-pretrained.jsonl"),
        ("../models", "..-models.jsonl"),
        ("/".join("folder" for _ in range(100)), f"{'-'.join(['folder'] * 100)[-60:]}.jsonl"),
    ],
)
def test_every_output_has_a_journal_below_the_side_folder(out: str, name: str, side_files: Path) -> None:
    """The name is one part of a path, and none too long for a file system."""
    assert journal_path("pretrain", Path(out)) == side_files / "log" / "pretrain" / name
