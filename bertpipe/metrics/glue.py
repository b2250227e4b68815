"""What GLUE's scores come to, as its leaderboard counts and as the BERT paper does.

MNLI's two sets stand as ``mnli`` (matched) and ``mnli-mismatched``; AX is no part of any average.
Scores may be shares or times 100: the averages are the same in kind.
"""

from collections.abc import Mapping
from statistics import fmean

# The scores of each task, in the leaderboard's order.
METRICS: Mapping[str, tuple[str, ...]] = {
    "cola": ("matthews_correlation",),
    "sst-2": ("accuracy",),
    "mrpc": ("f1", "accuracy"),
    "sts-b": ("pearson", "spearman"),
    "qqp": ("f1", "accuracy"),
    "mnli": ("accuracy",),
    "mnli-mismatched": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
    "wnli": ("accuracy",),
}
# What the paper shows where there are two (table 1).
_IN_THE_PAPER = {"mrpc": "f1", "qqp": "f1", "sts-b": "spearman"}

Scores = Mapping[str, Mapping[str, float]]


def leaderboard_average(scores: Scores, *, with_wnli: bool = True) -> float | None:
    """Return the mean over tasks of the mean of a task's scores; none where a score is missing.

    The two sets of MNLI are one task.

    Args:
        scores: of each task, by its name, then by that of the score.
        with_wnli: as the leaderboard has it; the paper leaves WNLI out (section 4.1).
    """
    means = _means(scores, METRICS, with_wnli=with_wnli)
    if means is None:
        return None
    mnli = (means.pop("mnli") + means.pop("mnli-mismatched")) / 2
    return fmean([mnli, *means.values()])


def paper_average(scores: Scores) -> float | None:
    """Return the mean of the nine columns of table 1 (Devlin et al. 2019); none where one is missing.

    Matched and mismatched MNLI are two of them, F1 stands for MRPC and QQP, Spearman's correlation
    for STS-B, and WNLI is left out.
    """
    shown = {name: (_IN_THE_PAPER.get(name, metrics[0]),) for name, metrics in METRICS.items()}
    means = _means(scores, shown, with_wnli=False)
    return None if means is None else fmean(means.values())


def _means(
    scores: Scores, metrics: Mapping[str, tuple[str, ...]], *, with_wnli: bool
) -> dict[str, float] | None:
    """Return the mean of the named scores of each task; none where one is missing."""
    tasks = {name: metrics[name] for name in metrics if with_wnli or name != "wnli"}
    if any(metric not in scores.get(name, {}) for name, named in tasks.items() for metric in named):
        return None
    return {name: fmean(scores[name][metric] for metric in named) for name, named in tasks.items()}
