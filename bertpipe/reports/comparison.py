"""What pre-training gave: the same task from two starts, each with several seeds."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from bertpipe.metrics import Summary, summarize

PRETRAINED, RANDOM = "pretrained", "random"


class Facts(BaseModel):
    """Base of what is read and written as JSON here: frozen, and without NaN."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


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
        baseline: scores of the best constant answer.
        train_examples: number of labelled examples that it was fine-tuned on; unset where unknown.
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


class Run(Scored):
    """Scores that are told by where their model started, or by its name where it is not one of ours."""

    initialization: str


class Start(Facts):
    """The runs that began alike, in the order of their seeds.

    Attributes:
        initialization: what they started from.
        runs: at least one.
        summaries: mean and spread of each score.
        collapsed: number of runs that answer the same for everything.
    """

    initialization: str
    runs: list[Run]
    summaries: dict[str, Summary]
    collapsed: int


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
    """

    task: str
    primary: str
    starts: list[Start]
    gain: Gain | None


def compare(runs: Sequence[Run]) -> Comparison:
    """Compare the runs of one task, which agree in task and primary score; their order is free."""
    first = runs[0]
    assert all((run.task, run.primary) == (first.task, first.primary) for run in runs)
    names = sorted({run.initialization for run in runs}, key=lambda name: (name != PRETRAINED, name))
    starts = [_start(name, [run for run in runs if run.initialization == name]) for name in names]
    return Comparison(
        task=first.task, primary=first.primary, starts=starts, gain=_gain(starts, first.primary)
    )


def _start(initialization: str, runs: Sequence[Run]) -> Start:
    runs = sorted(runs, key=lambda run: run.seed or 0)
    return Start(
        initialization=initialization,
        runs=runs,
        summaries={name: summarize([run.scores[name] for run in runs]) for name in runs[0].scores},
        collapsed=sum(run.constant_prediction for run in runs),
    )


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
