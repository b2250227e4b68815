"""A tag for each word: named entities, parts of speech (Devlin et al. 2019, section 5.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bertpipe.errors import TaskDataError
from bertpipe.metrics import ScoreReport, classification, is_constant
from bertpipe.metrics.entities import OUTSIDE, PREFIXES, Scheme, fits, scheme_of
from bertpipe.metrics.tagging import Metric, TagScorer
from bertpipe.model import TokenBatch
from bertpipe.tasks.class_weights import ClassWeights, constant_loss, resolved, weight_of
from bertpipe.tasks.formats import Sentence
from bertpipe.tasks.heads import Head
from bertpipe.tasks.inputs import IGNORE
from bertpipe.tasks.shares import softmax
from bertpipe.tasks.tagged import TaggingDescription, read_tagged, tags_of
from bertpipe.tasks.task import Judgement, Prediction, Task
from bertpipe.tasks.words import WordInputs, encode_words
from bertpipe.training import Term
from bertpipe.vocab import Tokenizer

_OF_ENTITIES: tuple[Metric, ...] = ("entity_f1", "entity_precision", "entity_recall", "accuracy")
_OF_WORDS: tuple[Metric, ...] = ("accuracy",)


@dataclass(frozen=True)
class Tagging(Task[TaggingDescription, Sentence, WordInputs]):
    """Choose one of some tags, known by name, for each word.

    Attributes:
        scheme: how the tags name entities.
        weights: how much a word with each tag weighs in the loss; empty: all alike.
    """

    scheme: Scheme = "none"
    weights: tuple[float, ...] = ()

    @classmethod
    def read(cls, folder: Path, split: str, description: TaggingDescription) -> list[Sentence]:
        """Return the sentences of one split."""
        return read_tagged(folder, split, description)

    @classmethod
    def learn(cls, name: str, description: TaggingDescription, examples: Sequence[Sentence]) -> Self:
        """Take the tags from the training examples, in sorted order, with those that the scheme adds.

        Raises:
            TaskDataError: an example has no tags, or all words have the same.
        """
        sentences = [tags_of(example) for example in examples]
        found = {tag for tags in sentences for tag in tags}
        if len(found) < 2:
            raise TaskDataError(
                f"all words of the {len(examples)} training examples of {name} have the tag {min(found)!r}",
                hint="a tagger needs at least two tags",
            )
        scheme = description.scheme or scheme_of(sentences)
        return cls(name, description, tuple(sorted(found | _added(found, scheme))), scheme)._checked()

    @classmethod
    def restore(
        cls, name: str, description: TaggingDescription, *, labels: tuple[str, ...], config: Mapping[str, Any]
    ) -> Self:
        """Return the task of a fine-tuned model; where it does not tell the scheme, its tags do."""
        scheme = description.scheme or config.get("tagging_scheme") or scheme_of([[t] for t in labels])
        return cls(name, description, labels, scheme)._checked()

    def _checked(self) -> Self:
        stray = next((label for label in self.labels if not fits(label, self.scheme)), None)
        if stray is not None:
            raise TaskDataError(
                f"the tag {stray!r} of {self.name} does not belong to the scheme {self.scheme}",
                hint=f"leave tasks.{self.name}.scheme unset, and the tags tell it",
            )
        if self.scheme == "none" and any(metric.startswith("entity") for metric in self._metrics):
            raise TaskDataError(
                f"the tags of {self.name} name no entities, so there is no score {self._metrics[0]}",
                hint=f"set tasks.{self.name}.metrics to [accuracy]",
            )
        return self

    @property
    def head(self) -> Head:
        """Return a score a tag for every token."""
        return Head("BertForTokenClassification", outputs=len(self.labels))

    @property
    def facts(self) -> dict[str, Any]:
        """Return the scheme, which labels alone do not tell."""
        return {"tagging_scheme": self.scheme}

    def check(self, examples: Sequence[Sentence]) -> None:
        """See that the model knows every tag."""
        self._numbers(examples)

    def encode(
        self, examples: Sequence[Sentence], tokenizer: Tokenizer, *, max_seq_length: int
    ) -> WordInputs:
        """Return a sequence a sentence, or several that overlap where it is long."""
        return encode_words(examples, tokenizer, max_seq_length=max_seq_length)

    def targets(self, examples: Sequence[Sentence], inputs: WordInputs) -> list[NDArray[np.int64]]:
        """Return the number of each word's tag at its piece, -100 elsewhere, int64 ``[tokens]``."""
        labels = np.full(int(inputs.lengths.sum()), IGNORE)
        opens = inputs.opens_piece
        labels[inputs.word_tokens[opens]] = self._numbers(examples)[opens]
        return np.split(labels, np.cumsum(inputs.lengths)[:-1])

    def counted(self, targets: NDArray[np.int64]) -> float:
        """Return how many tokens have a tag, or their weight."""
        return float(weight_of(targets, self.weights).sum())

    def term(self, outputs: Tensor, targets: Tensor, tokens: TokenBatch) -> Term:
        """Return the cross-entropy of the tokens that have a tag."""
        weight = outputs.new_tensor(self.weights) if self.weights else None
        return Term(
            loss=functional.cross_entropy(
                outputs, targets, weight=weight, ignore_index=IGNORE, reduction="sum"
            ),
            correct=(outputs.argmax(-1) == targets).sum(),
            asked=(targets != IGNORE).sum() if self.weights else None,
        )

    def baseline_loss(self, targets: NDArray[np.int64], *, width: int = 1) -> float:
        """Return the entropy of the tags, as they weigh."""
        return constant_loss(targets, self.weights)

    def weighted(self, weights: ClassWeights, examples: Sequence[Sentence]) -> Self:
        """Return the task with weights of the tags."""
        counts = np.bincount(self._numbers(examples), minlength=len(self.labels))
        return replace(self, weights=resolved(weights, labels=self.labels, counts=counts))

    def predictions(
        self, examples: Sequence[Sentence], inputs: WordInputs, outputs: Sequence[NDArray[np.float32]]
    ) -> list[dict[str, Any]]:
        """Return the best tag of each word, and how probable it is."""
        shares = softmax(np.concatenate(outputs)[inputs.word_tokens])  # [W, C]
        tags = [
            self.labels[best] if opens else inside(self.labels[best])
            for best, opens in zip(shares.argmax(axis=1).tolist(), inputs.opens_piece.tolist(), strict=True)
        ]
        best_shares = [round(share, 6) for share in shares.max(axis=1).astype(np.float64).tolist()]
        ends = np.cumsum([len(example.words) for example in examples]).tolist()
        return [
            {"prediction": tags[start:end], "tag_probabilities": best_shares[start:end]}
            for start, end in zip([0, *ends], ends, strict=False)
        ]

    def judge(
        self, examples: Sequence[Sentence], predictions: Sequence[Prediction], *, split: str
    ) -> Judgement:
        """Return the scores that the description asks for."""
        gold = [tags_of(example) for example in examples]
        predicted = [[str(tag) for tag in prediction["prediction"]] for prediction in predictions]
        scorer = TagScorer.of(
            gold,
            predicted,
            metrics=self._metrics,
            labels=self.labels,
            strict=self.scheme if self.description.strict else None,
        )
        flat_gold, flat_predicted = _flat(gold), _flat(predicted)
        report = ScoreReport(
            task=self.name,
            split=split,
            n=len(gold),
            scores=scorer(np.arange(len(gold))),
            primary=self._metrics[0],
            extra={"words": str(len(flat_gold)), **self._mode},
        )
        return Judgement(
            report=report,
            scorer=scorer,
            baseline={"majority_accuracy": classification.majority_accuracy(flat_gold)},
            constant_prediction=is_constant(flat_gold, flat_predicted),
            pairs=list(zip(flat_gold, flat_predicted, strict=True)),
            classes=scorer.by_type,
        )

    @property
    def _metrics(self) -> tuple[Metric, ...]:
        return self.description.metrics or (_OF_WORDS if self.scheme == "none" else _OF_ENTITIES)

    @property
    def _mode(self) -> dict[str, str]:
        """Return how entities are counted, for the signature."""
        if self.scheme == "none":
            return {}
        return {"scheme": self.scheme, "mode": "strict" if self.description.strict else "conlleval"}

    def _numbers(self, examples: Sequence[Sentence]) -> NDArray[np.int64]:
        """Return the number of each word's tag, int64 ``[W]``."""
        known = {label: number for number, label in enumerate(self.labels)}
        numbers = []
        for example in examples:
            for word, tag in zip(example.words, tags_of(example), strict=True):
                if tag not in known:
                    raise TaskDataError(
                        f"{example.place}: unknown tag {tag!r} of {word!r}, "
                        f"the model knows {', '.join(self.labels)}",
                        hint="the data is of another task, or the tag is missing in the training data",
                    )
                numbers.append(known[tag])
        return np.array(numbers, dtype=np.int64)


def inside(tag: str) -> str:
    """Return the tag of what goes on where a word with this tag has begun: ``B-PER`` goes on as ``I-PER``."""
    prefix, dash, kind = tag.partition("-")
    return f"I-{kind}" if dash and prefix in ("B", "S") else tag


def _added(tags: set[str], scheme: Scheme) -> set[str]:
    """Return every tag that the scheme has for the types that occur."""
    if scheme == "none":
        return set()
    kinds = {tag.partition("-")[2] for tag in tags - {OUTSIDE} if fits(tag, scheme)}
    return {OUTSIDE} | {f"{prefix}-{kind}" for kind in kinds for prefix in PREFIXES[scheme]}


def _flat(sentences: Sequence[Sequence[str]]) -> list[str]:
    return [tag for tags in sentences for tag in tags]
