"""What pre-training gave, and which settings are best: one task from several starts, with several seeds."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from bertpipe.metrics import LOWER_IS_BETTER, Summary, summarize

PRETRAINED, RANDOM = "pretrained", "random"


class Facts(BaseModel):
    """Base of what is read and written as JSON here: frozen, and without NaN."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Confusion(Facts):
    """How often each label was answered for each: a row for each right one."""

    labels: list[str]
    counts: list[list[int]]


class ReliabilityBin(Facts):
    """The answers of about the same probability, and the share of them that is right."""

    count: int
    confidence: float
    accuracy: float


class Reliability(Facts):
    """How far the probabilities of a model can be believed."""

    expected_calibration_error: float
    brier_score: float
    bins: list[ReliabilityBin]


class Scored(Facts):
    """The scores of one fine-tuned model, as ``eval`` writes them.

    Attributes:
        task: name of the task.
        kind: what its answers are.
        split: the part of its data that was scored.
        n: number of scored examples.
        primary: the score to compare by.
        scores: all scores by name.
        signature: the scores with what one must know to compare them.
        seed: of fine-tuning; unset where the model was not fine-tuned here.
        initialization: what fine-tuning started from; unset where that is not known.
        constant_prediction: whether it answers the same for everything.
        baseline: what is reached without a model, such as by the best constant answer.
        train_examples: number of labelled examples that it was fine-tuned on; unset where unknown.
        below_baseline: whether training got below the loss of the best constant answer; unset where unknown.
        dev: scores on the dev split at the end of fine-tuning; unset where unknown.
        finetune: the settings of fine-tuning; empty where unknown.
        intervals: where 95 % of each score lie over draws of the examples; empty where that was not asked.
        classes: scores of each class; empty where there are none.
        confusion: of the labels; unset where there are none.
        calibration: of the probabilities; unset where there are none.
    """

    task: str
    kind: str
    split: str
    n: int
    primary: str
    scores: dict[str, float]
    signature: str
    seed: int | None
    initialization: str | None
    constant_prediction: bool
    baseline: dict[str, float]
    train_examples: int | None
    below_baseline: bool | None = None
    dev: dict[str, float] | None = None
    finetune: dict[str, Any] = {}
    intervals: dict[str, tuple[float, float]] = {}
    classes: dict[str, dict[str, float]] = {}
    confusion: Confusion | None = None
    calibration: Reliability | None = None

    @property
    def has_collapsed(self) -> bool:
        """Tell whether the model has learned nothing."""
        return self.constant_prediction or self.below_baseline is False


class Run(Scored):
    """Scores that are told by where their model started, or by its name where it is not one of ours.

    Attributes:
        setting: what its fine-tuning differs in from others of this task and start; empty without such.
    """

    initialization: str
    setting: str = ""

    @property
    def start(self) -> str:
        """Return what runs are averaged by."""
        return f"{self.initialization}, {self.setting}" if self.setting else self.initialization


class Start(Facts):
    """The runs that began alike, in the order of their seeds.

    Attributes:
        initialization: what they started from, and the settings where these differ.
        runs: at least one.
        summaries: mean and spread of each score.
        collapsed: number of runs that have learned nothing.
        best: the best primary score of a run.
        best_by_dev: the primary score of the run that was best on dev; unset where dev is not known.
        dev: mean and spread of the primary score on dev; unset where dev is not known.
    """

    initialization: str
    runs: list[Run]
    summaries: dict[str, Summary]
    collapsed: int
    best: float
    best_by_dev: float | None
    dev: Summary | None


class Gain(Facts):
    """Pre-trained minus random, in the primary score.

    Attributes:
        difference: of the two means.
        spread: the two sample standard deviations added, so that a difference beyond it means
            that "mean ± sd" of the two do not overlap; unset where a start has a single run.
        is_beyond_spread: whether the difference is larger; never so where no spread is known.
    """

    difference: float
    spread: float | None
    is_beyond_spread: bool


class Comparison(Facts):
    """One task from every start.

    Attributes:
        task: name of the task.
        primary: the score to compare by.
        starts: the pre-trained one first, then the others by name.
        gain: what pre-training gave; unset without a pre-trained and a random start.
        chosen: the start whose settings are best on dev; unset where settings do not differ.
    """

    task: str
    primary: str
    starts: list[Start]
    gain: Gain | None
    chosen: str | None = None


def compare(runs: Sequence[Run]) -> Comparison:
    """Compare the runs of one task, which agree in task and primary score; their order is free."""
    first = runs[0]
    assert all((run.task, run.primary) == (first.task, first.primary) for run in runs)
    names = sorted({run.start for run in runs}, key=lambda name: (not name.startswith(PRETRAINED), name))
    starts = [_start(name, [run for run in runs if run.start == name]) for name in names]
    return Comparison(
        task=first.task,
        primary=first.primary,
        starts=starts,
        gain=_gain(starts, first.primary),
        chosen=_chosen(starts, first.primary),
    )


def _start(initialization: str, runs: Sequence[Run]) -> Start:
    runs = sorted(runs, key=lambda run: run.seed or 0)
    primary = runs[0].primary
    on_dev = [run.dev[primary] for run in runs if run.dev is not None and primary in run.dev]
    knows_dev = len(on_dev) == len(runs)
    best_by_dev = on_dev.index(_best(on_dev, primary)) if knows_dev else None
    return Start(
        initialization=initialization,
        runs=runs,
        summaries={name: summarize([run.scores[name] for run in runs]) for name in runs[0].scores},
        collapsed=sum(run.has_collapsed for run in runs),
        best=_best([run.scores[primary] for run in runs], primary),
        best_by_dev=None if best_by_dev is None else runs[best_by_dev].scores[primary],
        dev=summarize(on_dev) if knows_dev else None,
    )


def _best(values: Sequence[float], primary: str) -> float:
    return min(values) if primary in LOWER_IS_BETTER else max(values)


def _chosen(starts: Sequence[Start], primary: str) -> str | None:
    """Return the start with the best mean on dev among those whose settings differ; of equals the first."""
    means = {
        start.initialization: start.dev.mean
        for start in starts
        if start.dev is not None and start.runs[0].setting
    }
    if len(means) < 2:
        return None
    best = _best(list(means.values()), primary)
    return next(name for name, mean in means.items() if mean == best)


def _gain(starts: Sequence[Start], primary: str) -> Gain | None:
    summaries = {start.initialization: start.summaries[primary] for start in starts}
    if not {PRETRAINED, RANDOM} <= summaries.keys():
        return None
    with_it, without = summaries[PRETRAINED], summaries[RANDOM]
    difference = with_it.mean - without.mean
    if with_it.sd is None or without.sd is None:
        return Gain(difference=difference, spread=None, is_beyond_spread=False)
    spread = with_it.sd + without.sd
    return Gain(difference=difference, spread=spread, is_beyond_spread=abs(difference) > spread)
