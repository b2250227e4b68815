"""Korean sets of texts, each as its authors lay it out and score it."""

from collections.abc import Mapping

from bertpipe.tasks.kinds import ClassificationDescription, RegressionDescription, TaskDescription

_HATE_SPEECH = {
    "train": "labeled/train.tsv",
    "dev": "labeled/dev.tsv",
    "test": "test.no_label.tsv",
}

KOREAN: Mapping[str, TaskDescription] = {
    # Moon et al. 2020: written by a data frame, so with quotes.
    "korean-hate-speech": ClassificationDescription(
        kind="classification",
        files=_HATE_SPEECH,
        quotes=True,
        texts=("comments",),
        target="hate",
        metrics=("macro_f1", "accuracy"),
    ),
    "korean-hate-speech-bias": ClassificationDescription(
        kind="classification",
        files=_HATE_SPEECH,
        quotes=True,
        texts=("comments",),
        target="bias",
        metrics=("macro_f1", "accuracy"),
    ),
    "korean-hate-speech-gender": ClassificationDescription(
        kind="classification",
        files=_HATE_SPEECH,
        quotes=True,
        texts=("comments",),
        target="contain_gender_bias",
        label_names={"False": "no_gender_bias", "True": "gender_bias"},
        metrics=("f1", "accuracy"),
        positive="gender_bias",
    ),
    # Park et al. 2021; the dev set is what can be scored by everyone.
    "klue-nli": ClassificationDescription(
        kind="classification",
        files={"train": "klue-nli-v1.1_train.json", "dev": "klue-nli-v1.1_dev.json"},
        id="guid",
        texts=("premise", "hypothesis"),
        target="gold_label",
        metrics=("accuracy",),
    ),
    "klue-sts": RegressionDescription(
        kind="regression",
        files={"train": "klue-sts-v1.1_train.json", "dev": "klue-sts-v1.1_dev.json"},
        id="guid",
        texts=("sentence1", "sentence2"),
        target="labels.real-label",
        metrics=("pearson", "f1"),
        threshold=3.0,
    ),
    # Ham et al. 2020; the column id has the same numbers again in each part of the file.
    "korsts": RegressionDescription(
        kind="regression",
        files={"train": "sts-train.tsv", "dev": "sts-dev.tsv", "test": "sts-test.tsv"},
        id=None,
        texts=("sentence1", "sentence2"),
        target="score",
        metrics=("spearman", "pearson"),
    ),
    # There is no dev set: what is reported is the test set's accuracy.
    "nsmc": ClassificationDescription(
        kind="classification",
        files={"train": "ratings_train.txt", "dev": "ratings_test.txt", "test": "ratings_test.txt"},
        quotes=True,
        texts=("document",),
        empty_texts="skip",
        label_names={"0": "negative", "1": "positive"},
        metrics=("accuracy",),
    ),
}
