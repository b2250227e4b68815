"""The table of times, from run logs written by hand."""

import json
from pathlib import Path

from bertpipe.reports.timings import read_log, timings_table


def line(stage: str, out: str, seconds: float) -> str:
    """Return a line as the command line writes it."""
    entry = {
        "stage": stage,
        "out": out,
        "seconds": seconds,
        "phases": {"a": 1.0},
        "finished": "2026-01-01T00:00:00Z",
    }
    return json.dumps(entry)


def test_later_runs_win_and_bad_lines_are_counted(tmp_path: Path) -> None:
    """Of two runs with one output the later counts; a torn last line does not stop the table."""
    lines = [
        line("vocab", "data/vocab", 9),
        line("prepare", "data/shards", 6),
        line("vocab", "data/vocab", 2),
    ]
    (tmp_path / "runs.jsonl").write_text("\n".join([*lines, '{"stage": "pre']), encoding="utf-8")
    runs, bad = read_log(tmp_path / "runs.jsonl")
    assert [(run.stage, run.seconds) for run in runs] == [("prepare", 6), ("vocab", 2)]
    table = timings_table(runs, bad_lines=bad)
    assert table.rows == (
        ("prepare", "data/shards", "6.0 s", "75 %"),
        ("vocab", "data/vocab", "2.0 s", "25 %"),
        ("all", "", "8.0 s", "100 %"),
    )
    assert "1" in table.note


def test_runs_per_seed_are_one_row(tmp_path: Path) -> None:
    """Fine-tuning and evaluation are told with their number and their time together."""
    lines = [line(stage, f"out/{seed}", 1.5) for seed in range(3) for stage in ("finetune", "eval")]
    (tmp_path / "runs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rows = timings_table(read_log(tmp_path / "runs.jsonl")[0]).rows
    assert [row[:3] for row in rows] == [
        ("finetune", "3 runs", "4.5 s"),
        ("eval", "3 runs", "4.5 s"),
        ("all", "", "9.0 s"),
    ]


def test_a_missing_log_is_an_empty_one(tmp_path: Path) -> None:
    """Nothing has run yet: a table without runs."""
    assert read_log(tmp_path / "runs.jsonl") == ([], 0)
    assert timings_table([]).rows == (("all", "", "0.0 s", "0 %"),)
