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
