"""Scores with signatures: one module per kind of task, free of torch."""

from bertpipe.metrics.scores import Score, ScoreReport
from bertpipe.metrics.summary import Summary, summarize

__all__ = ["Score", "ScoreReport", "Summary", "summarize"]
