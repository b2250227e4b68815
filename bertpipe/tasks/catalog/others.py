"""Other sets of texts: the sample data, and SICK."""

from collections.abc import Mapping

from bertpipe.tasks.kinds import ClassificationDescription, RegressionDescription, TaskDescription

_SICK = {"train": "SICK_train.txt", "dev": "SICK_trial.txt", "test": "SICK_test_annotated.txt"}

OTHERS: Mapping[str, TaskDescription] = {
    "film-reviews": ClassificationDescription(kind="classification"),
    "product-reviews": RegressionDescription(kind="regression", target="score"),
    # Marelli et al. 2014: the two tasks of SemEval-2014 over the same pairs.
    "sick-entailment": ClassificationDescription(
        kind="classification",
        files=_SICK,
        id="pair_ID",
        texts=("sentence_A", "sentence_B"),
        target="entailment_judgment",
        metrics=("accuracy",),
    ),
    "sick-relatedness": RegressionDescription(
        kind="regression",
        files=_SICK,
        id="pair_ID",
        texts=("sentence_A", "sentence_B"),
        target="relatedness_score",
        metrics=("pearson", "spearman", "mean_squared_error"),
    ),
}
