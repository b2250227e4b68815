"""Training: one loop for every problem, exact to resume."""

from bertpipe.training.calibration import TimeBudget
from bertpipe.training.curves import write_curves
from bertpipe.training.devices import prepare_device
from bertpipe.training.guards import GuardConfig
from bertpipe.training.loop import Plan, evaluate, train
from bertpipe.training.optimizers import OptimizerConfig, build_optimizer
from bertpipe.training.precision import Precision, autocast
from bertpipe.training.problem import UNCUT, Batch, Cut, Problem, Tally, Term
from bertpipe.training.schedules import Schedule, ScheduleConfig
from bertpipe.training.session import Outcome, run_training
from bertpipe.training.world import World, open_world

__all__ = [
    "UNCUT",
    "Batch",
    "Cut",
    "GuardConfig",
    "OptimizerConfig",
    "Outcome",
    "Plan",
    "Precision",
    "Problem",
    "Schedule",
    "ScheduleConfig",
    "Tally",
    "Term",
    "TimeBudget",
    "World",
    "autocast",
    "build_optimizer",
    "evaluate",
    "open_world",
    "prepare_device",
    "run_training",
    "train",
    "write_curves",
]
