"""What came out: tables, curves and comparisons, read from the outputs of the stages."""

from bertpipe.reports.comparison import Comparison, Run, compare
from bertpipe.reports.page import page, terminal_tables
from bertpipe.reports.sources import Report
from bertpipe.reports.tables import Table, markdown
from bertpipe.reports.timings import read_log, timings_table

__all__ = [
    "Comparison",
    "Report",
    "Run",
    "Table",
    "compare",
    "markdown",
    "page",
    "read_log",
    "terminal_tables",
    "timings_table",
]
