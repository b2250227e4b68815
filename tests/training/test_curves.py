"""Curves as files."""

from pathlib import Path

from bertpipe.training import write_curves


def test_curves_are_a_table_with_names(tmp_path: Path) -> None:
    """Steps stay whole numbers, the rest has six digits; lines end with a newline."""
    write_curves(
        tmp_path / "curves.tsv",
        [{"step": 1000000, "train_loss": 2.0}, {"step": 2000000, "train_loss": 0.123456789}],
    )
    content = (tmp_path / "curves.tsv").read_bytes()
    assert content == b"step\ttrain_loss\n1000000\t2\n2000000\t0.123457\n"


def test_a_figure_that_is_missing_is_an_empty_cell(tmp_path: Path) -> None:
    """Columns are those of all rows, whichever row has them."""
    rows = [{"step": 1, "validation_loss": 3.0}, {"step": 2, "train_loss": 2.0, "validation_loss": 1.0}]
    write_curves(tmp_path / "curves.tsv", rows)
    content = (tmp_path / "curves.tsv").read_text()
    assert content == "step\tvalidation_loss\ttrain_loss\n1\t3\t\n2\t1\t2\n"
