"""Results look right, with names that look like markup too."""

import pytest

from bertpipe.cli.results import print_result, print_table
from bertpipe.reports.tables import Table


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
