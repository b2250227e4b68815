"""Any number of labels an example, for one text or two."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from bertpipe.errors import TaskDataError
from bertpipe.metrics import ScoreReport, is_constant, multi_label
from bertpipe.model import TokenBatch
from bertpipe.tasks.class_weights import entropy
from bertpipe.tasks.formats import Record, field, optional_field
from bertpipe.tasks.heads import Head
from bertpipe.tasks.inputs import Inputs
from bertpipe.tasks.shares import named_shares, sigmoid
from bertpipe.tasks.task import Judgement, Prediction, Task, unlabelled
from bertpipe.tasks.texts import TextExample, TextsDescription, encode_examples, read_texts
from bertpipe.training import Term
from bertpipe.vocab import Tokenizer

_METRICS = {
    "micro_f1": multi_label.micro_f1,
    "macro_f1": multi_label.macro_f1,
    "subset_accuracy": multi_label.subset_accuracy,
}


class MultiLabelDescription(TextsDescription):
    """Any number of labels for one text or two."""

    kind: Literal["multi_label"]
    target: str = Field("labels", description="Field of the labels: a list, or a text with separators.")
    separator: str | None = Field(
        None, min_length=1, description="What stands between the labels of a text; unset: they are a list."
    )
    columns: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        strict=False,
        description="Fields that hold 1 where the label of that name applies, else 0; instead of target.",
    )
    threshold: float = Field(0.5, gt=0, lt=1, description="Probability from which on a label is predicted.")

    @model_validator(mode="after")
    def _labels_stand_in_one_place(self) -> Self:
        if self.columns is not None and self.model_fields_set & {"target", "separator"}:
            raise ValueError("the labels stand in columns, or in target, but not in both")
        return self


@dataclass(frozen=True)
class MultiLabel(Task[MultiLabelDescription, TextExample, Inputs]):
    """Decide for each label whether it applies."""

    @classmethod
    def read(cls, folder: Path, split: str, description: MultiLabelDescription) -> list[TextExample]:
        """Return the examples of one split; a target is a list of labels where the data says so."""

        def target(record: Record) -> Any:
            if description.columns is None:
                return _listed(optional_field(record, description.target), description.separator)
            return _marked(record, description.columns)

        return read_texts(folder, split, description, target=target)

    @classmethod
    def learn(cls, name: str, description: MultiLabelDescription, examples: Sequence[TextExample]) -> Self:
        """Take the labels from the columns, else from the training examples, in sorted order.

        Raises:
            TaskDataError: an example does not say its labels, or all have the same.
        """
        found = [frozenset(_labels(example, description)) for example in examples]
        if len(set(found)) < 2:
            raise TaskDataError(
                f"all {len(examples)} training examples of {name} have the labels {sorted(found[0])}",
                hint="there is nothing to tell apart",
            )
        return cls(name, description, tuple(sorted(description.columns or frozenset().union(*found))))

    @property
    def head(self) -> Head:
        """Return a score a label for the pooled ``[CLS]``."""
        return Head("BertForSequenceClassification", outputs=len(self.labels))

    @property
    def facts(self) -> dict[str, Any]:
        """Return the kind in Hugging Face's words."""
        return {"problem_type": "multi_label_classification"}

    def check(self, examples: Sequence[TextExample]) -> None:
        """See that the model knows every label."""
        self._marks(examples)

    def encode(self, examples: Sequence[TextExample], tokenizer: Tokenizer, *, max_seq_length: int) -> Inputs:
        """Return one sequence an example."""
        return encode_examples(examples, tokenizer, max_seq_length=max_seq_length)

    def targets(self, examples: Sequence[TextExample], inputs: Inputs) -> list[NDArray[np.float32]]:
        """Return 1 for each label that applies, else 0, float32 ``[1, C]`` an example."""
        return list(self._marks(examples).astype(np.float32)[:, None])

    def counted(self, targets: NDArray[Any]) -> int:
        """Return the number of decisions: the loss is averaged over examples and labels."""
        return targets.size

    def term(self, outputs: Tensor, targets: Tensor, tokens: TokenBatch) -> Term:
        """Return the binary cross-entropy of each decision."""
        is_predicted = outputs.sigmoid() >= self.description.threshold
        return Term(
            loss=functional.binary_cross_entropy_with_logits(outputs, targets, reduction="sum"),
            correct=(is_predicted == targets.bool()).sum(),
        )

    def baseline_loss(self, targets: NDArray[Any], *, width: int = 1) -> float:
        """Return the mean entropy of the labels, each of which applies or does not."""
        shares = targets.mean(axis=0, dtype=np.float64)
        return float(np.mean([entropy(np.array([share, 1 - share])) for share in shares]))

    def predictions(
        self, examples: Sequence[TextExample], inputs: Inputs, outputs: Sequence[NDArray[np.float32]]
    ) -> list[dict[str, Any]]:
        """Return the labels whose probability reaches the threshold, and the probability of each."""
        found = []
        for shares in sigmoid(np.concatenate(outputs)):
            applies = shares >= self.description.threshold
            labels = [label for label, does in zip(self.labels, applies, strict=True) if does]
            found.append({"prediction": labels, "probabilities": named_shares(self.labels, shares)})
        return found

    def judge(
        self, examples: Sequence[TextExample], predictions: Sequence[Prediction], *, split: str
    ) -> Judgement:
        """Return micro and macro F1 and the share of examples with every label right."""
        gold = self._marks(examples)
        predicted = np.array([self._row(prediction["prediction"]) for prediction in predictions])

        def scorer(numbers: NDArray[np.int64]) -> dict[str, float]:
            return {name: score(gold[numbers], predicted[numbers]) for name, score in _METRICS.items()}

        report = ScoreReport(
            task=self.name,
            split=split,
            n=len(gold),
            scores=scorer(np.arange(len(gold))),
            primary="micro_f1",
            extra={"labels": ",".join(self.labels), "threshold": f"{self.description.threshold:g}"},
        )
        return Judgement(
            report=report,
            scorer=scorer,
            baseline={"micro_f1": multi_label.constant_micro_f1(gold)},
            constant_prediction=is_constant(map(tuple, gold.tolist()), map(tuple, predicted.tolist())),
        )

    def _marks(self, examples: Sequence[TextExample]) -> NDArray[np.bool_]:
        """Return which labels apply, bool ``[N, C]``.

        Raises:
            TaskDataError: an example does not say its labels, or has one that the model does not know.
        """
        rows = []
        for example in examples:
            labels = _labels(example, self.description)
            unknown = next((label for label in labels if label not in self.labels), None)
            if unknown is not None:
                raise TaskDataError(
                    f"{example.place}: unknown label {unknown!r}, the model knows {', '.join(self.labels)}",
                    hint="the data is of another task, or the label is missing in the training data",
                )
            rows.append(self._row(labels))
        return np.array(rows)

    def _row(self, labels: Sequence[str]) -> list[bool]:
        return [label in labels for label in self.labels]


def _listed(target: Any, separator: str | None) -> Any:
    """Return the labels of a text as a list; what else there is stays as it is."""
    if separator is None or not isinstance(target, str):
        return target
    return [label.strip() for label in target.split(separator) if label.strip()]


def _marked(record: Record, columns: Sequence[str]) -> list[str] | None:
    """Return the columns that hold 1; none where the data has no such columns.

    Raises:
        TaskDataError: one of them is missing, or holds something else.
    """
    if all(optional_field(record, name) is None for name in columns):
        return None
    marks = {name: field(record, name) for name in columns}
    for name, mark in marks.items():
        if mark not in (0, 1, "0", "1"):
            raise TaskDataError(f"{record.place}: {name!r} must be 0 or 1, found {mark!r}")
    return [name for name, mark in marks.items() if mark in (1, "1")]


def _labels(example: TextExample, description: MultiLabelDescription) -> list[str]:
    """Return the names of an example's labels; an example may have none.

    Raises:
        TaskDataError: the data does not say them, or one is no label.
    """
    target = example.target
    if target is None:
        raise unlabelled(example.place, ", ".join(description.columns or (description.target,)))
    if not isinstance(target, list):
        raise TaskDataError(
            f"{example.place}: {description.target!r} is no list of labels: {target!r}",
            hint="where labels stand in a text, tasks.<name>.separator says what stands between them",
        )
    for label in target:
        if isinstance(label, bool) or not isinstance(label, str | int) or not str(label).strip():
            raise TaskDataError(f"{example.place}: {description.target!r} holds what is no label: {label!r}")
    return [str(label) for label in target]
