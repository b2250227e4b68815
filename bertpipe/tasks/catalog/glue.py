"""GLUE (Wang et al. 2019), as its download script lays it out: its nine tasks, MNLI with two sets, and AX.

The texts are raw: a quote is an ordinary character. Scores stand in the order of the leaderboard,
which takes the files that each task names.
"""

from collections.abc import Mapping

from bertpipe.tasks.kinds import ClassificationDescription, RegressionDescription, TaskDescription

_COLA = ("source", "label", "star", "sentence")  # the star marks what a linguist has marked so
_ENTAILMENT = {"0": "not_entailment", "1": "entailment"}

_MNLI = ClassificationDescription(
    kind="classification",
    files={"dev": "dev_matched.tsv", "test": "test_matched.tsv"},
    id="index",
    texts=("sentence1", "sentence2"),
    target="gold_label",
    metrics=("accuracy",),
    submission={"test": "MNLI-m.tsv"},
)

GLUE: Mapping[str, TaskDescription] = {
    "cola": ClassificationDescription(
        kind="classification",
        header={"train": _COLA, "dev": _COLA},
        id="index",
        texts=("sentence",),
        label_names={"0": "unacceptable", "1": "acceptable"},
        metrics=("matthews_correlation",),
        submission={"test": "CoLA.tsv"},
    ),
    "sst-2": ClassificationDescription(
        kind="classification",
        id="index",
        texts=("sentence",),
        label_names={"0": "negative", "1": "positive"},
        metrics=("accuracy",),
        submission={"test": "SST-2.tsv"},
    ),
    "mrpc": ClassificationDescription(
        kind="classification",
        id="index",
        texts=("#1 String", "#2 String"),
        target="Quality",
        label_names={"0": "not_equivalent", "1": "equivalent"},
        metrics=("f1", "accuracy"),
        positive="equivalent",
        submission={"test": "MRPC.tsv"},
    ),
    "sts-b": RegressionDescription(
        kind="regression",
        id="index",
        texts=("sentence1", "sentence2"),
        target="score",
        metrics=("pearson", "spearman"),
        submission={"test": "STS-B.tsv"},
        scale=(0, 5),
    ),
    # Some rows of the official file are broken, and some questions empty.
    "qqp": ClassificationDescription(
        kind="classification",
        broken_rows="skip",
        texts=("question1", "question2"),
        empty_texts="keep",
        target="is_duplicate",
        label_names={"0": "not_duplicate", "1": "duplicate"},
        metrics=("f1", "accuracy"),
        positive="duplicate",
        submission={"test": "QQP.tsv"},
    ),
    "mnli": _MNLI,
    # For a model of MNLI: text from other sources. Every average of GLUE takes this score too.
    "mnli-mismatched": _MNLI.model_copy(
        update={
            "files": {"dev": "dev_mismatched.tsv", "test": "test_mismatched.tsv"},
            "submission": {"test": "MNLI-mm.tsv"},
        }
    ),
    "qnli": ClassificationDescription(
        kind="classification",
        id="index",
        texts=("question", "sentence"),
        metrics=("accuracy",),
        submission={"test": "QNLI.tsv"},
    ),
    "rte": ClassificationDescription(
        kind="classification",
        id="index",
        texts=("sentence1", "sentence2"),
        metrics=("accuracy",),
        submission={"test": "RTE.tsv"},
    ),
    "wnli": ClassificationDescription(
        kind="classification",
        id="index",
        texts=("sentence1", "sentence2"),
        label_names=_ENTAILMENT,
        metrics=("accuracy",),
        submission={"test": "WNLI.tsv"},
    ),
    # For a model of MNLI, without labels; the answers to the same pairs came later.
    "ax": ClassificationDescription(
        kind="classification",
        files={"test": "diagnostic.tsv"},
        id="index",
        texts=("sentence1", "sentence2"),
        metrics=("matthews_correlation",),
        submission={"test": "AX.tsv"},
    ),
    "ax-full": ClassificationDescription(
        kind="classification",
        files={"test": "diagnostic-full.tsv"},
        texts=("Premise", "Hypothesis"),
        target="Label",
        metrics=("matthews_correlation",),
    ),
}
