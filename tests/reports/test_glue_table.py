"""GLUE's averages in the report."""

from bertpipe.reports.comparison import Run, compare
from bertpipe.reports.glue_table import glue_table

# One score for every task: each average of equal numbers is that number.
TASKS = {
    "cola": ("matthews_correlation",),
    "mnli": ("accuracy",),
    "mnli-mismatched": ("accuracy",),
    "mrpc": ("f1", "accuracy"),
    "qnli": ("accuracy",),
    "qqp": ("f1", "accuracy"),
    "rte": ("accuracy",),
    "sst-2": ("accuracy",),
    "sts-b": ("pearson", "spearman"),
}


def make_run(task: str, value: float, *, seed: int = 1, start: str = "pretrained") -> Run:
    return Run(
        task=task,
        kind="classification",
        split="dev",
        n=10,
        primary=TASKS[task][0],
        scores=dict.fromkeys(TASKS[task], value),
        signature=task,
        seed=seed,
        initialization=start,
        constant_prediction=False,
        baseline={},
        train_examples=5,
    )


def test_averages_by_hand() -> None:
    """Of means over seeds: RTE is 0.6, all else 0.8.

    Without WNLI the leaderboard has eight tasks, MNLI one of them: (7 x 0.8 + 0.6) / 8 = 0.775; table 1
    has nine columns: (8 x 0.8 + 0.6) / 9 = 0.7778. With WNLI nothing can be told: it was not scored.
    """
    tasks = [compare([make_run(task, 0.8)]) for task in TASKS if task != "rte"]
    tasks.append(compare([make_run("rte", 0.5), make_run("rte", 0.7, seed=2)]))
    (table,) = glue_table(tasks)
    assert table.rows == (("pretrained", "", "77.5", "77.8"),)


def test_without_all_tasks_there_is_no_average() -> None:
    """A start that lacks one has no row."""
    tasks = [compare([make_run(task, 0.8)]) for task in TASKS if task != "qnli"]
    tasks.append(compare([make_run("qnli", 0.8, start="random")]))
    assert glue_table(tasks) == []


def test_names_of_official_folders_are_those_of_the_catalog() -> None:
    """Scores of CoLA stand in the average as those of ``cola`` do."""
    runs = [make_run(task, 0.8).model_copy(update={"task": task.upper()}) for task in TASKS]
    (table,) = glue_table([compare([run]) for run in runs])
    assert table.rows == (("pretrained", "", "80.0", "80.0"),)
