"""The tasks that are known by name."""

from collections.abc import Mapping
from typing import Any

from bertpipe.errors import ConfigError
from bertpipe.tasks.kinds import (
    KINDS,
    ClassificationDescription,
    MultipleChoiceDescription,
    QuestionAnsweringDescription,
    RegressionDescription,
    TaggingDescription,
    TaskDescription,
)
from bertpipe.tasks.task import Task

# Artetxe et al. 2020 have part of SQuAD's dev split translated, to test on.
_XQUAD_LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
_SPLITS = ("train", "dev", "test")

TAGGING: Mapping[str, TaskDescription] = {
    "broad-twitter-ner": TaggingDescription(
        kind="tagging", files={split: f"btc.{split}" for split in _SPLITS}, scheme="iob2"
    ),
    "conll-2003": TaggingDescription(
        kind="tagging", files={"train": "eng.train", "dev": "eng.testa", "test": "eng.testb"}
    ),
    "klue-ner": TaggingDescription(
        kind="tagging",
        format="klue_ner",
        files={split: f"klue-ner-v1.1_{split}.tsv" for split in _SPLITS},
        scheme="iob2",
        strict=True,
        metrics=("entity_macro_f1", "char_macro_f1", "entity_f1"),
    ),
    "ud-english-ewt-pos": TaggingDescription(
        kind="tagging", format="conllu", files={split: f"en_ewt-ud-{split}.conllu" for split in _SPLITS}
    ),
    "ud-korean-kaist-pos": TaggingDescription(
        kind="tagging", format="conllu", files={split: f"ko_kaist-ud-{split}.conllu" for split in _SPLITS}
    ),
}

_CHOICES: Mapping[str, TaskDescription] = {
    "codah": MultipleChoiceDescription(
        kind="multiple_choice",
        header=("category", "prompt", "ending0", "ending1", "ending2", "ending3", "answer"),
        context=("prompt",),
        target="answer",
    ),
    "swag": MultipleChoiceDescription(
        kind="multiple_choice", files={"dev": "val.csv"}, context=("sent1",), beginning="sent2"
    ),
}

CATALOG: Mapping[str, TaskDescription] = {
    **_CHOICES,
    "film-reviews": ClassificationDescription(kind="classification"),
    "korquad-v1.0": QuestionAnsweringDescription(
        kind="question_answering",
        files={"train": "KorQuAD_v1.0_train.json", "dev": "KorQuAD_v1.0_dev.json"},
        impossible=False,
        normalization="korquad",
    ),
    "product-reviews": RegressionDescription(kind="regression", target="score"),
    "squad-v1.1": QuestionAnsweringDescription(
        kind="question_answering",
        files={"train": "train-v1.1.json", "dev": "dev-v1.1.json"},
        impossible=False,
    ),
    "squad-v2.0": QuestionAnsweringDescription(
        kind="question_answering",
        files={"train": "train-v2.0.json", "dev": "dev-v2.0.json"},
        impossible=True,
    ),
    **{
        f"xquad-{language}": QuestionAnsweringDescription(
            kind="question_answering", files={"test": f"xquad.{language}.json"}, impossible=False
        )
        for language in _XQUAD_LANGUAGES
    },
    **TAGGING,
}


def describe(name: str, own: Mapping[str, TaskDescription]) -> TaskDescription:
    """Return what is known of a task: from the user's section ``tasks``, else from the catalog.

    Raises:
        ConfigError: neither knows the name.
    """
    known = {**CATALOG, **own}
    if name not in known:
        raise ConfigError(
            f"unknown task {name!r}, known are {', '.join(sorted(known))}",
            hint="describe your own task under tasks.<name> in params.yaml",
        )
    return known[name]


def kind_of(description: TaskDescription) -> type[Task[Any, Any, Any]]:
    """Return what can read, learn and restore a task that is so described."""
    return KINDS[description.kind]
