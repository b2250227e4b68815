"""One of some endings of a context, as in SWAG (Devlin et al. 2019, section 4.4)."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from bertpipe.errors import TaskDataError
from bertpipe.metrics import ScoreReport, classification, is_constant
from bertpipe.model import TokenBatch
from bertpipe.tasks.formats import Record, optional_field, text_field
from bertpipe.tasks.formats.records import shown
from bertpipe.tasks.heads import Head
from bertpipe.tasks.inputs import Inputs, encode_texts
from bertpipe.tasks.records import RecordsDescription, id_of, read_split
from bertpipe.tasks.shares import softmax
from bertpipe.tasks.task import Examples, Judgement, Prediction, Task, unlabelled
from bertpipe.training import Term
from bertpipe.vocab import Tokenizer

_ENDING = re.compile(r"ending(\d+)")


class MultipleChoiceDescription(RecordsDescription):
    """Endings to choose from."""

    kind: Literal["multiple_choice"]
    context: tuple[str, ...] = Field(
        ("sent1",), min_length=1, strict=False, description="Fields of what goes before, joined by spaces."
    )
    beginning: str | None = Field(
        None, description="Field that every ending begins with, such as SWAG's sent2; unset: none."
    )
    endings: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        strict=False,
        description="Fields of the endings, or the one that lists them; unset: ending0, ending1 and on.",
    )
    filler: str | None = Field(
        None, description="What a field of the context holds where it has nothing to say, such as xxx."
    )
    target: str = Field("label", description="Field of the right ending's number.")
    first: Literal[0, 1] = Field(0, description="Number of the first ending.")


@dataclass(frozen=True)
class ChoiceExample:
    """A context with its endings.

    Attributes:
        id: as the data names it, else its number in the file.
        context: what goes before.
        endings: what to choose from, each whole.
        target: number of the right one, as the data counts; none where it does not say.
        place: file and line, for messages.
    """

    id: str
    context: str
    endings: tuple[str, ...]
    target: Any
    place: str


@dataclass(frozen=True)
class MultipleChoice(Task[MultipleChoiceDescription, ChoiceExample, Inputs]):
    """Choose one of some endings.

    Each is read as a sequence of its own, ``[CLS] context [SEP] ending [SEP]``, and gets one score; the
    model never sees at which place an ending stands, so a task may have any number of them.
    """

    @classmethod
    def read(cls, folder: Path, split: str, description: MultipleChoiceDescription) -> list[ChoiceExample]:
        """Return the examples of one split, all with as many endings."""
        records = read_split(folder, split, description)
        examples = [_example(record, number, description) for number, record in enumerate(records)]
        first = examples[0]
        for example in examples:
            if len(example.endings) != len(first.endings):
                raise TaskDataError(
                    f"{example.place}: {len(example.endings)} endings, but {len(first.endings)} "
                    f"at {first.place}",
                    hint="all examples of a task have the same number of endings",
                )
        return Examples(examples, records.notes)

    @classmethod
    def learn(
        cls, name: str, description: MultipleChoiceDescription, examples: Sequence[ChoiceExample]
    ) -> Self:
        """Check the training examples.

        Raises:
            TaskDataError: an example has no number of an ending, or nothing to choose from.
        """
        task = cls(name, description)
        task.check(examples)
        if len(examples[0].endings) < 2:
            raise TaskDataError(
                f"the examples of {name} have one ending each", hint="a choice needs at least two"
            )
        return task

    @property
    def head(self) -> Head:
        """Return one score a sequence for the pooled ``[CLS]``."""
        return Head("BertForMultipleChoice", outputs=1)

    def check(self, examples: Sequence[ChoiceExample]) -> None:
        """See that every example has the number of one of its endings."""
        self._places(examples)

    def encode(
        self, examples: Sequence[ChoiceExample], tokenizer: Tokenizer, *, max_seq_length: int
    ) -> Inputs:
        """Return one sequence an ending; an item is an example."""
        sequences = [(example.context, ending) for example in examples for ending in example.endings]
        return encode_texts(
            sequences, tokenizer, max_seq_length=max_seq_length, width=len(examples[0].endings)
        )

    def targets(self, examples: Sequence[ChoiceExample], inputs: Inputs) -> list[NDArray[np.int64]]:
        """Return the place of the right ending, from 0, int64 ``[1]`` an example."""
        return list(self._places(examples)[:, None])

    def term(self, outputs: Tensor, targets: Tensor, tokens: TokenBatch) -> Term:
        """Return the cross-entropy over the endings of each example."""
        scores = outputs.view(len(targets), -1)  # [items, width]
        return Term(
            loss=functional.cross_entropy(scores, targets, reduction="sum"),
            correct=(scores.argmax(-1) == targets).sum(),
        )

    def baseline_loss(self, targets: NDArray[np.int64], *, width: int = 1) -> float:
        """Return the loss of the same score for every ending: the model does not see their places."""
        return math.log(width)

    def predictions(
        self, examples: Sequence[ChoiceExample], inputs: Inputs, outputs: Sequence[NDArray[np.float32]]
    ) -> list[dict[str, Any]]:
        """Return the number of the best ending, as the data counts, and the probability of each."""
        scores = np.concatenate(outputs).reshape(-1, inputs.width)
        return [
            {
                "prediction": self.description.first + int(best),
                "probabilities": [round(float(share), 6) for share in shares],
            }
            for best, shares in zip(scores.argmax(axis=1), softmax(scores), strict=True)
        ]

    def judge(
        self, examples: Sequence[ChoiceExample], predictions: Sequence[Prediction], *, split: str
    ) -> Judgement:
        """Return the accuracy; the best constant answer is the most frequent place."""
        gold = [str(self.description.first + place) for place in self._places(examples).tolist()]
        predicted = [str(prediction["prediction"]) for prediction in predictions]
        is_right = np.array(gold) == np.array(predicted)

        def scorer(numbers: NDArray[np.int64]) -> dict[str, float]:
            return {"accuracy": float(is_right[numbers].mean())}

        endings = len(examples[0].endings)
        report = ScoreReport(
            task=self.name,
            split=split,
            n=len(gold),
            scores=scorer(np.arange(len(gold))),
            primary="accuracy",
            extra={"endings": str(endings)},
        )
        return Judgement(
            report=report,
            scorer=scorer,
            baseline={
                "majority_accuracy": classification.majority_accuracy(gold),
                "chance_accuracy": 1 / endings,
            },
            constant_prediction=is_constant(gold, predicted),
            pairs=list(zip(gold, predicted, strict=True)),
        )

    def _places(self, examples: Sequence[ChoiceExample]) -> NDArray[np.int64]:
        return np.array([_place(example, self.description) for example in examples], dtype=np.int64)


def _example(record: Record, number: int, description: MultipleChoiceDescription) -> ChoiceExample:
    beginning = text_field(record, description.beginning, may_be_empty=True) if description.beginning else ""
    return ChoiceExample(
        id=id_of(record, number, description),
        context=_context(record, description),
        endings=tuple(f"{beginning} {ending}".strip() for ending in _endings(record, description)),
        target=_number(optional_field(record, description.target)),
        place=record.place,
    )


def _context(record: Record, description: MultipleChoiceDescription) -> str:
    """Return the fields of the context that have something to say.

    Raises:
        TaskDataError: a field is missing, or all are empty.
    """
    texts = [text_field(record, name, may_be_empty=True) for name in description.context]
    context = " ".join(text for text in texts if text.strip() and text != description.filler)
    if not context:
        raise TaskDataError(
            f"{record.place}: the context is empty ({', '.join(map(repr, description.context))})"
        )
    return context


def _endings(record: Record, description: MultipleChoiceDescription) -> list[str]:
    names = description.endings or _found(record.values)
    if not names:
        raise TaskDataError(
            f"{record.place}: no fields ending0, ending1 and on, only {shown(record.values)}",
            hint="name the fields of the endings under tasks.<name>.endings in params.yaml",
        )
    listed = optional_field(record, names[0])
    if len(names) == 1 and isinstance(listed, list):
        if not listed:
            raise TaskDataError(f"{record.place}: {names[0]!r} lists no endings")
        return [text_field(Record({names[0]: text}, record.place), names[0]) for text in listed]
    return [text_field(record, name) for name in names]


def _found(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields called ``ending`` with a number, by that number."""
    numbered = {name: int(match[1]) for name in values if (match := _ENDING.fullmatch(name))}
    return tuple(sorted(numbered, key=numbered.__getitem__))


def _number(value: Any) -> Any:
    """Return a whole number that a table has as text; what else there is stays as it is."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"[0-9]{1,4}", value.strip()) else value or None
    return value


def _place(example: ChoiceExample, description: MultipleChoiceDescription) -> int:
    """Return the place of the right ending, from 0.

    Raises:
        TaskDataError: there is none, or it is not the number of an ending.
    """
    number = example.target
    if number is None:
        raise unlabelled(example.place, description.target)
    last = description.first + len(example.endings) - 1
    if isinstance(number, bool) or not isinstance(number, int) or not description.first <= number <= last:
        raise TaskDataError(
            f"{example.place}: {description.target!r} must be the number of an ending, "
            f"{description.first} to {last}, found {number!r}"
        )
    return number - description.first
