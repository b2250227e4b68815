"""Tagged words: named entities and parts of speech."""

from collections.abc import Mapping

from bertpipe.tasks.kinds import TaggingDescription, TaskDescription

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
