"""Scores of tags, against seqeval and scikit-learn."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval import metrics as seqeval
from seqeval.scheme import IOB1, IOB2, IOBES
from sklearn.metrics import f1_score

from bertpipe.metrics.entities import PREFIXES, Scheme, entities, fits, scheme_of, strict_entities
from bertpipe.metrics.tagging import Metric, TagScorer, by_class, entity_counts

SCHEMES: dict[Scheme, Any] = {"iob1": IOB1, "iob2": IOB2, "bioes": IOBES}
ALL: tuple[Metric, ...] = (
    "entity_f1",
    "entity_precision",
    "entity_recall",
    "entity_macro_f1",
    "char_macro_f1",
    "accuracy",
)


def labels_of(scheme: Scheme) -> list[str]:
    return ["O", *(f"{prefix}-{kind}" for prefix in PREFIXES[scheme] for kind in ("X", "Y-2"))]


def tagged(scheme: Scheme) -> st.SearchStrategy[list[list[tuple[str, str]]]]:
    """Return sentences of pairs of a gold and a predicted tag, well-formed or not."""
    tag = st.sampled_from(labels_of(scheme))
    return st.lists(st.lists(st.tuples(tag, tag), min_size=1, max_size=9), min_size=1, max_size=4)


def unzipped(pairs: list[list[tuple[str, str]]]) -> tuple[list[list[str]], list[list[str]]]:
    gold, predicted = ([[pair[side] for pair in sentence] for sentence in pairs] for side in (0, 1))
    return gold, predicted


def scores_of(
    gold: list[list[str]], predicted: list[list[str]], scheme: Scheme, *, strict: bool
) -> dict[str, float]:
    scorer = TagScorer.of(
        gold, predicted, metrics=ALL, labels=labels_of(scheme), strict=scheme if strict else None
    )
    return scorer(np.arange(len(gold)))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=60)
@given(data=st.data())
def test_scores_are_those_of_seqeval(scheme: Scheme, strict: bool, data: st.DataObject) -> None:
    """Micro and macro, lenient as conlleval and strict, whatever tags stand together."""
    gold, predicted = unzipped(data.draw(tagged(scheme)))
    mode = {"mode": "strict", "scheme": SCHEMES[scheme]} if strict else {}
    found = scores_of(gold, predicted, scheme, strict=strict)
    both = (gold, predicted)
    expected = {
        "entity_f1": seqeval.f1_score(*both, zero_division=0, **mode),
        "entity_precision": seqeval.precision_score(*both, zero_division=0, **mode),
        "entity_recall": seqeval.recall_score(*both, zero_division=0, **mode),
        "accuracy": seqeval.accuracy_score(*both),
    }
    if entity_counts(*both, strict=scheme if strict else None).classes:  # seqeval: the mean of nothing
        expected["entity_macro_f1"] = seqeval.f1_score(*both, average="macro", zero_division=0, **mode)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


@given(tagged("iob2"))
def test_the_f1_of_characters_is_that_of_scikit_learn(pairs: list[list[tuple[str, str]]]) -> None:
    """Over all tags, one that does not occur counting as right: so KLUE's script calls it."""
    gold, predicted = unzipped(pairs)
    flat = [[tag for tags in side for tag in tags] for side in (gold, predicted)]
    expected = f1_score(*flat, labels=labels_of("iob2"), average="macro", zero_division=1.0)
    assert scores_of(gold, predicted, "iob2", strict=False)["char_macro_f1"] == pytest.approx(expected)


@settings(max_examples=60)
@given(tagged("iob2"))
def test_entities_of_klue_are_those_of_its_script(pairs: list[list[tuple[str, str]]]) -> None:
    """It joins all sentences to one, with O for [CLS] and [SEP] between, and takes the strict macro mean."""
    gold, predicted = unzipped(pairs)
    joined = [[tag for tags in side for tag in ("O", *tags, "O")] for side in (gold, predicted)]
    if not entity_counts(gold, predicted, strict="iob2").classes:  # seqeval: the mean of nothing
        return
    expected = seqeval.f1_score(
        [joined[0]], [joined[1]], average="macro", mode="strict", scheme=IOB2, zero_division=0
    )
    assert scores_of(gold, predicted, "iob2", strict=True)["entity_macro_f1"] == pytest.approx(expected)


@given(pairs=tagged("iob2"), draws=st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_a_selection_scores_as_if_it_were_the_data(
    pairs: list[list[tuple[str, str]]], draws: list[int]
) -> None:
    """Any sentences, some more than once: sums over sentences lose nothing."""
    gold, predicted = unzipped(pairs)
    numbers = np.array([draw % len(gold) for draw in draws])
    scorer = TagScorer.of(gold, predicted, metrics=ALL, labels=labels_of("iob2"), strict="iob2")
    chosen = [gold[n] for n in numbers], [predicted[n] for n in numbers]
    assert scorer(numbers) == scores_of(*chosen, "iob2", strict=True)


def test_entities_by_hand() -> None:
    """The same three words in each scheme, and an I that has nothing to go on with."""
    whole = {("PER", 0, 2), ("LOC", 2, 3)}
    assert (
        entities(["B-PER", "I-PER", "B-LOC"]) == whole == strict_entities(["B-PER", "I-PER", "B-LOC"], "iob2")
    )
    assert (
        entities(["I-PER", "I-PER", "I-LOC"]) == whole == strict_entities(["I-PER", "I-PER", "I-LOC"], "iob1")
    )
    assert (
        entities(["B-PER", "E-PER", "S-LOC"])
        == whole
        == strict_entities(["B-PER", "E-PER", "S-LOC"], "bioes")
    )
    assert entities(["O", "I-PER"]) == {("PER", 1, 2)}
    assert strict_entities(["O", "I-PER"], "iob2") == set()


def test_each_type_has_its_scores() -> None:
    """One of two persons found, one place too many."""
    gold, predicted = [["B-PER", "O", "B-PER", "O"]], [["B-PER", "O", "O", "B-LOC"]]
    assert by_class(entity_counts(gold, predicted)) == {
        "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0},
        "PER": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2},
    }


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["B-PER I-PER O", "B-LOC O O"], "iob2"),
        (["I-PER I-PER O", "I-PER B-PER O", "I-LOC O O"], "iob1"),
        (["B-PER E-PER O S-LOC"], "bioes"),
        (["B-PER O I-LOC", "B-LOC B-PER I-PER"], "iob2"),
        (["DET NOUN B-VERB"], "none"),
        (["O O", "O"], "none"),
    ],
)
def test_the_scheme_is_told_by_the_tags(tags: list[str], scheme: Scheme) -> None:
    """By the prefixes, and by what most entities begin with: real data has slips."""
    assert scheme_of([sentence.split() for sentence in tags]) == scheme


def test_a_tag_belongs_to_a_scheme_or_not() -> None:
    """A prefix of the scheme and a type; anything where tags name no entities."""
    assert fits("O", "iob2") and fits("I-PER", "iob1") and fits("E-PER", "bioes") and fits("NN$", "none")
    assert not fits("E-PER", "iob2") and not fits("B-", "iob2") and not fits("PER", "bioes")
