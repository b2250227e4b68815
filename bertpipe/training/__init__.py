"""Training: one loop for every problem, exact to resume."""

from bertpipe.training.curves import write_curves
from bertpipe.training.devices import Precision, autocast, prepare_device
from bertpipe.training.loop import Plan, evaluate, train
from bertpipe.training.optimizers import OptimizerConfig
from bertpipe.training.problem import Batch, Problem, Tally, Term
from bertpipe.training.session import Outcome, run_training

__all__ = [
    "Batch",
    "OptimizerConfig",
    "Outcome",
    "Plan",
    "Precision",
    "Problem",
    "Tally",
    "Term",
    "autocast",
    "evaluate",
    "prepare_device",
    "run_training",
    "train",
    "write_curves",
]
