"""Signatures: what a score needs to be compared."""

import bertpipe
from bertpipe.metrics import Score, ScoreReport


def test_signature_names_everything_in_order() -> None:
    """Scores times 100 with one digit, then split, number, extra facts and version."""
    report = ScoreReport(
        task="film-reviews",
        split="test",
        n=1060,
        scores={"accuracy": 0.7412, "macro_f1": 0.7386},
        primary="accuracy",
        extra={"norm": "none"},
    )
    expected = (
        f"film-reviews|accuracy=74.1|macro_f1=73.9|split:test|n:1060|norm:none|version:{bertpipe.__version__}"
    )
    assert report.signature() == expected


def test_correlations_are_scaled_and_squared_errors_are_not() -> None:
    """A correlation reads like a share; a squared error keeps its own unit."""
    assert Score("spearman", 0.6547).shown() == "65.5"
    assert Score("pearson", -0.0001).shown() == "0.0"
    assert Score("mean_squared_error", 1.23456).shown() == "1.235"
