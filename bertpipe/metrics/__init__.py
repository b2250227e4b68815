"""Scores with signatures: one module per kind of task, free of torch."""

from bertpipe.metrics.calibration import Calibration, calibrate
from bertpipe.metrics.constant import is_constant
from bertpipe.metrics.intervals import Difference, Interval, Scorer, difference, intervals
from bertpipe.metrics.scores import LOWER_IS_BETTER, Score, ScoreReport
from bertpipe.metrics.summary import Summary, summarize

__all__ = [
    "LOWER_IS_BETTER",
    "Calibration",
    "Difference",
    "Interval",
    "Score",
    "ScoreReport",
    "Scorer",
    "Summary",
    "calibrate",
    "difference",
    "intervals",
    "is_constant",
    "summarize",
]
