"""GLUE's averages, against those that the paper and the leaderboard print."""

import pytest

from bertpipe.metrics import glue
from bertpipe.tasks.catalog import CATALOG

# Devlin et al. 2019, table 1: MNLI matched and mismatched, QQP, QNLI, SST-2, CoLA, STS-B, MRPC, RTE; average.
TABLE_1 = {
    "before GPT": (80.6, 80.1, 66.1, 82.3, 93.2, 35.0, 81.0, 86.0, 61.7, 74.0),
    "BiLSTM+ELMo+attention": (76.4, 76.1, 64.8, 79.8, 90.4, 36.0, 73.3, 84.9, 56.8, 71.0),
    "GPT": (82.1, 81.4, 70.3, 87.4, 91.3, 45.4, 80.0, 82.3, 56.0, 75.1),
    "BERT base": (84.6, 83.4, 71.2, 90.5, 93.5, 52.1, 85.8, 88.9, 66.4, 79.6),
    "BERT large": (86.7, 85.9, 72.1, 92.7, 94.9, 60.5, 86.5, 89.3, 70.1, 82.1),
}
# The leaderboard's line of BERT large, whose score is 80.5.
BERT_LARGE = {
    "cola": {"matthews_correlation": 60.5},
    "sst-2": {"accuracy": 94.9},
    "mrpc": {"f1": 89.3, "accuracy": 85.4},
    "sts-b": {"pearson": 87.6, "spearman": 86.5},
    "qqp": {"f1": 72.1, "accuracy": 89.3},
    "mnli": {"accuracy": 86.7},
    "mnli-mismatched": {"accuracy": 85.9},
    "qnli": {"accuracy": 92.7},
    "rte": {"accuracy": 70.1},
    "wnli": {"accuracy": 65.1},
    "ax": {"matthews_correlation": 39.6},
}


@pytest.mark.parametrize(("name", "metrics"), glue.METRICS.items())
def test_every_score_of_an_average_can_be_had(name: str, metrics: tuple[str, ...]) -> None:
    """The catalog knows the task, and tells the score."""
    assert set(metrics) <= set(CATALOG[name].model_dump()["metrics"])


@pytest.mark.parametrize("row", TABLE_1.values(), ids=TABLE_1)
def test_the_papers_average_is_that_of_its_columns(row: tuple[float, ...]) -> None:
    """As close as one digit tells, 0.1; with MNLI as one column all would be lower by 0.5 or more."""
    matched, mismatched, qqp, qnli, sst, cola, sts, mrpc, rte, average = row
    scores = {
        "mnli": {"accuracy": matched},
        "mnli-mismatched": {"accuracy": mismatched},
        "qqp": {"f1": qqp},
        "qnli": {"accuracy": qnli},
        "sst-2": {"accuracy": sst},
        "cola": {"matthews_correlation": cola},
        "sts-b": {"spearman": sts},
        "mrpc": {"f1": mrpc},
        "rte": {"accuracy": rte},
    }
    found = glue.paper_average(scores)
    assert found is not None and abs(found - average) <= 0.1


def test_the_leaderboards_score_of_bert_large() -> None:
    """Tasks with two scores count once, MNLI's two sets too, WNLI does and AX does not."""
    found = glue.leaderboard_average(BERT_LARGE)
    assert found is not None and f"{found:.1f}" == "80.5"
    assert found == pytest.approx(
        (60.5 + 94.9 + 174.7 / 2 + 174.1 / 2 + 161.4 / 2 + 172.6 / 2 + 92.7 + 70.1 + 65.1) / 9
    )


def test_wnli_may_be_left_out() -> None:
    """As the paper does; the others weigh the same."""
    whole, without = (glue.leaderboard_average(BERT_LARGE, with_wnli=w) for w in (True, False))
    assert whole is not None and without is not None
    assert 9 * whole - 8 * without == pytest.approx(65.1)
    assert glue.leaderboard_average(
        {name: scores for name, scores in BERT_LARGE.items() if name != "wnli"}, with_wnli=False
    ) == pytest.approx(without)


@pytest.mark.parametrize("name", [name for name in BERT_LARGE if name != "ax"])
def test_there_is_no_average_of_less(name: str) -> None:
    """A mean over fewer tasks, or over one score of two, would be another figure."""
    without = {task: scores for task, scores in BERT_LARGE.items() if task != name}
    half = {**BERT_LARGE, name: dict(list(BERT_LARGE[name].items())[1:])}
    assert glue.leaderboard_average(without) is None
    assert glue.leaderboard_average(half) is None
    assert (glue.paper_average(without) is None) == (name != "wnli")
