"""Cleaning: which documents of a corpus are left out, and why."""

from bertpipe.corpus.cleaning.plan import CleaningPlan, CleaningReport, Keep, Removed, kept, plan_cleaning
from bertpipe.corpus.cleaning.settings import CleaningConfig

__all__ = ["CleaningConfig", "CleaningPlan", "CleaningReport", "Keep", "Removed", "kept", "plan_cleaning"]
