"""Scores of tagged words: token accuracy, and F1 of entities or of tags.

Where a score is undefined its value is 0.0, as in seqeval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from bertpipe.metrics.entities import Entity, Scheme, Tags, entities, strict_entities

Metric = Literal[
    "entity_f1", "entity_precision", "entity_recall", "entity_macro_f1", "char_macro_f1", "accuracy"
]
Source = Literal["entities", "tags", "words"]

_MATCHED, _PREDICTED, _GOLD = range(3)


@dataclass(frozen=True)
class Counts:
    """What was right, sentence by sentence, so that any selection of them is scored by sums.

    Attributes:
        classes: what is counted: tags, or types of entities.
        of_sentences: matched, predicted and gold ones of each class, int32 ``[N, C, 3]``.
    """

    classes: tuple[str, ...]
    of_sentences: NDArray[np.int32]

    def summed(self, numbers: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return matched, predicted and gold ones of each class, int64 ``[C, 3]``.

        Args:
            numbers: of the sentences to count, some perhaps more than once; unset: all.
        """
        chosen = self.of_sentences if numbers is None else self.of_sentences[numbers]
        total: NDArray[np.int64] = chosen.sum(axis=0, dtype=np.int64)
        return total


def token_counts(gold: Sequence[Tags], predicted: Sequence[Tags]) -> Counts:
    """Count the words that are right, as one class: its precision is the accuracy."""
    counts = np.empty((len(gold), 1, 3), dtype=np.int32)
    for row, right, given in zip(counts, gold, predicted, strict=True):
        row[0] = sum(map(str.__eq__, right, given)), len(given), len(right)
    return Counts(("words",), counts)


def tag_counts(gold: Sequence[Tags], predicted: Sequence[Tags], labels: Sequence[str]) -> Counts:
    """Count how often each tag was given, was right, and should have been given."""
    number = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(gold), len(labels), 3), dtype=np.int32)
    for row, right, given in zip(counts, gold, predicted, strict=True):
        for one, other in zip(right, given, strict=True):
            row[number[one], _GOLD] += 1
            row[number[other], _PREDICTED] += 1
            row[number[one], _MATCHED] += one == other
    return Counts(tuple(labels), counts)


def entity_counts(gold: Sequence[Tags], predicted: Sequence[Tags], *, strict: Scheme | None = None) -> Counts:
    """Count the entities of each type that were found, are right, and are there.

    Args:
        gold: the right tags of each sentence.
        predicted: the model's.
        strict: count only what is well-formed in this scheme; unset: as conlleval.
    """

    def found(tags: Tags) -> set[Entity]:
        return entities(tags) if strict is None else strict_entities(tags, strict)

    pairs = [(found(right), found(given)) for right, given in zip(gold, predicted, strict=True)]
    types = sorted({entity[0] for pair in pairs for entity in pair[0] | pair[1]})
    number = {name: index for index, name in enumerate(types)}
    counts = np.zeros((len(pairs), len(types), 3), dtype=np.int32)
    for row, (right, given) in zip(counts, pairs, strict=True):
        for column, chosen in ((_MATCHED, right & given), (_PREDICTED, given), (_GOLD, right)):
            for name, _, _ in chosen:
                row[number[name], column] += 1
    return Counts(tuple(types), counts)


def precision(counts: NDArray[np.int64]) -> float:
    """Return the share of what was predicted that is right, for counts ``[C, 3]``."""
    matched, predicted, _ = counts.sum(axis=0).tolist()
    return matched / predicted if predicted else 0.0


def recall(counts: NDArray[np.int64]) -> float:
    """Return the share of what is there that was found, for counts ``[C, 3]``."""
    matched, _, gold = counts.sum(axis=0).tolist()
    return matched / gold if gold else 0.0


def f1(counts: NDArray[np.int64]) -> float:
    """Return the harmonic mean of precision and recall over all classes, for counts ``[C, 3]``."""
    matched, predicted, gold = counts.sum(axis=0).tolist()
    return 2 * matched / (predicted + gold) if predicted + gold else 0.0


def macro_f1(counts: NDArray[np.int64], *, of_nothing: float | None = None) -> float:
    """Return the mean of the classes' F1, for counts ``[C, 3]``.

    Args:
        counts: as ``Counts.summed`` gives them.
        of_nothing: F1 of a class that neither occurs nor is predicted; unset: it does not count.
    """
    scores = [f1(row[None]) if row.any() else of_nothing for row in counts]
    counted = [score for score in scores if score is not None]
    return float(np.mean(counted)) if counted else 0.0


def by_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Return precision, recall, F1 and the number in the data of each class."""
    return {
        name: {
            "precision": precision(row[None]),
            "recall": recall(row[None]),
            "f1": f1(row[None]),
            "support": int(row[_GOLD]),
        }
        for name, row in zip(counts.classes, counts.summed(), strict=True)
    }


# What each score is computed from, and how.
SCORES: Mapping[Metric, tuple[Source, Callable[[NDArray[np.int64]], float]]] = {
    "entity_f1": ("entities", f1),
    "entity_precision": ("entities", precision),
    "entity_recall": ("entities", recall),
    "entity_macro_f1": ("entities", macro_f1),
    # As KLUE does it: O is one of the tags, and one that does not occur at all has an F1 of 1.
    "char_macro_f1": ("tags", partial(macro_f1, of_nothing=1.0)),
    "accuracy": ("words", precision),
}


@dataclass(frozen=True)
class TagScorer:
    """The scores of some of the sentences.

    Attributes:
        counts: by what they count.
        metrics: the scores to give.
    """

    counts: Mapping[Source, Counts]
    metrics: tuple[Metric, ...]

    @classmethod
    def of(
        cls,
        gold: Sequence[Tags],
        predicted: Sequence[Tags],
        *,
        metrics: tuple[Metric, ...],
        labels: Sequence[str],
        strict: Scheme | None = None,
    ) -> Self:
        """Count what the scores need.

        Args:
            gold: the right tags of each sentence.
            predicted: the model's.
            metrics: the scores to give.
            labels: every tag that can occur.
            strict: count only entities that are well-formed in this scheme; unset: as conlleval.
        """
        counted: dict[Source, Callable[[], Counts]] = {
            "entities": lambda: entity_counts(gold, predicted, strict=strict),
            "tags": lambda: tag_counts(gold, predicted, labels),
            "words": lambda: token_counts(gold, predicted),
        }
        needed = {SCORES[metric][0] for metric in metrics}
        return cls({source: count() for source, count in counted.items() if source in needed}, metrics)

    def __call__(self, numbers: NDArray[np.int64]) -> dict[str, float]:
        """Return the scores of a selection of the sentences, some perhaps more than once, int64 ``[N]``."""
        summed = {source: counts.summed(numbers) for source, counts in self.counts.items()}
        return {name: score(summed[source]) for name in self.metrics for source, score in [SCORES[name]]}

    @property
    def by_type(self) -> dict[str, dict[str, float]]:
        """Return precision, recall, F1 and the number in the data of each type of entities."""
        return by_class(self.counts["entities"]) if "entities" in self.counts else {}
