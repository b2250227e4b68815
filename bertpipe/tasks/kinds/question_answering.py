"""Answers that stand in a text (Devlin et al. 2019, sections 4.2 and 4.3)."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bertpipe.errors import TaskDataError
from bertpipe.metrics import ScoreReport, is_constant, squad
from bertpipe.model import TokenBatch
from bertpipe.tasks.heads import Head
from bertpipe.tasks.qa.decoding import best_spans, no_answer_differences, probabilities, texts_of
from bertpipe.tasks.qa.questions import Question
from bertpipe.tasks.qa.reading import QuestionAnsweringDescription, read_questions
from bertpipe.tasks.qa.scoring import AnswerScorer, Forced, best_text, right_answers
from bertpipe.tasks.qa.spans import span_targets
from bertpipe.tasks.qa.windows import Windows, encode_questions
from bertpipe.tasks.shares import sigmoid
from bertpipe.tasks.task import Judgement, Prediction, Task
from bertpipe.training import Term
from bertpipe.vocab import Tokenizer


@dataclass(frozen=True)
class QuestionAnswering(Task[QuestionAnsweringDescription, Question, Windows]):
    """Find the part of a text that answers a question, or see that there is none.

    Attributes:
        has_impossible: a text may hold no answer, as in SQuAD 2.0.
        no_answer_threshold: no answer is given where it scores better than the best one by more than this.
    """

    has_impossible: bool = False
    no_answer_threshold: float = 0.0

    @classmethod
    def read(cls, folder: Path, split: str, description: QuestionAnsweringDescription) -> list[Question]:
        """Return the questions of one split."""
        return read_questions(folder, split, description)

    @classmethod
    def learn(
        cls, name: str, description: QuestionAnsweringDescription, examples: Sequence[Question]
    ) -> Self:
        """See from the training questions whether some have no answer.

        Raises:
            TaskDataError: none has an answer, or one has none and the description forbids that.
        """
        unanswered = [question for question in examples if not question.answers]
        if len(unanswered) == len(examples):
            raise TaskDataError(
                f"none of the {len(examples)} training questions of {name} has an answer",
                hint="a model would learn to answer nothing",
            )
        said = description.impossible
        task = cls(name, description, has_impossible=bool(unanswered) if said is None else said)
        task.check(examples)
        return task

    @classmethod
    def restore(
        cls,
        name: str,
        description: QuestionAnsweringDescription,
        *,
        labels: tuple[str, ...],
        config: Mapping[str, Any],
    ) -> Self:
        """Return the task with the threshold of a model that has learned that there may be no answer."""
        threshold = config.get("no_answer_threshold")
        said = description.impossible
        return cls(
            name,
            description,
            has_impossible=threshold is not None if said is None else said,
            no_answer_threshold=float(threshold or 0.0),
        )

    @property
    def head(self) -> Head:
        """Return a score as start and one as end for each token."""
        return Head("BertForQuestionAnswering", outputs=2)

    @property
    def facts(self) -> dict[str, Any]:
        """Return the threshold, where there is one."""
        return {"no_answer_threshold": self.no_answer_threshold} if self.has_impossible else {}

    def check(self, examples: Sequence[Question]) -> None:
        """See that the questions have answers, or that no answer can be right."""
        if not any(question.is_labelled for question in examples):
            raise TaskDataError(
                f"{examples[0].place}: no answers, as in all {len(examples)} questions of this split",
                hint="a split without answers cannot be trained on or scored; where a text holds none, "
                "say is_impossible: true",
            )
        self._check_silence(examples)
        unanswered = next((question for question in examples if not question.answers), None)
        if unanswered is not None and not self.has_impossible:
            raise TaskDataError(
                f"{unanswered.place}: no answers, but {self.name} is a task where each question has one",
                hint="where a text may hold none, set impossible: true in the task's description and train "
                "on such questions too",
            )

    def _check_silence(self, examples: Sequence[Question]) -> None:
        """See that a question without answers has none because the data says so, not by a name mistyped.

        Raises:
            TaskDataError: its answers are missing.
        """
        for question in examples:
            if question.is_labelled:
                continue
            if question.is_impossible is False:
                raise TaskDataError(
                    f"{question.place}: no answers, but the data says that there is one",
                    hint="give its answers, or say is_impossible: true",
                )
            if not question.lists_answers and self.description.impossible is None:
                raise TaskDataError(
                    f"{question.place}: neither answers, nor is_impossible: true",
                    hint="where a text holds no answer, say so, or list none: []; other names of fields go "
                    f"under tasks.{self.name}.fields",
                )

    def encode(self, examples: Sequence[Question], tokenizer: Tokenizer, *, max_seq_length: int) -> Windows:
        """Return one window a question, or several where the text is long."""
        return encode_questions(examples, tokenizer, self.description, max_seq_length=max_seq_length)

    def targets(self, examples: Sequence[Question], inputs: Windows) -> list[NDArray[np.int64]]:
        """Return the places of the answer's first and last token, int64 ``[1, 2]`` a window."""
        return list(span_targets(examples, inputs)[:, None])

    def counted(self, targets: NDArray[np.int64]) -> int:
        """Return the number of windows whose answer is known."""
        return int((targets[:, 0] >= 0).sum())

    def term(self, outputs: Tensor, targets: Tensor, tokens: TokenBatch) -> Term:
        """Return the mean of the two cross-entropies, each over the tokens of a window."""
        grid = tokens.grid.spread(outputs)  # [B, S, 2]
        if tokens.grid.is_token is not None:
            grid = grid.masked_fill(~tokens.grid.is_token[:, :, None], -math.inf)
        return Term(
            loss=functional.cross_entropy(grid, targets, reduction="sum") / 2,
            correct=(grid.argmax(1) == targets).all(-1).sum(),
        )

    def predictions(
        self, examples: Sequence[Question], inputs: Windows, outputs: Sequence[NDArray[np.float32]]
    ) -> list[dict[str, Any]]:
        """Return the best answer, and the n best with their probabilities."""
        spans = best_spans(
            inputs,
            outputs,
            n_best=self.description.n_best,
            max_answer_length=self.description.max_answer_length,
            no_answer=self.has_impossible,
        )
        shares = probabilities(spans).round(6).tolist()
        texts = texts_of(spans, inputs)
        answers = [{"text": t, "probability": share} for t, share in zip(texts, shares, strict=True)]
        bounds = np.searchsorted(spans.example_numbers, np.arange(len(examples) + 1)).tolist()
        found: list[dict[str, Any]] = [{"n_best": answers[start:end]} for start, end in pairwise(bounds)]
        if not self.has_impossible:
            return [{"prediction": best_text(one), **one} for one in found]
        differences = no_answer_differences(spans, len(examples)).round(6).tolist()
        return [
            self._chosen({"score_diff": difference, **one})
            for difference, one in zip(differences, found, strict=True)
        ]

    def calibrated(
        self, examples: Sequence[Question], predictions: Sequence[Prediction]
    ) -> tuple[Self, list[Prediction]]:
        """Return the task with the threshold that gives the best F1, as the official search finds it."""
        if not self.has_impossible:
            return self, list(predictions)
        forced = Forced.of(examples, predictions, self.description.normalization)
        threshold = forced.best(forced.overlap, np.arange(len(examples))).value
        if threshold is None:  # none is answered
            threshold = float(forced.no_answer.min()) - 1.0
        task = replace(self, no_answer_threshold=threshold)
        return task, [task._chosen(prediction) for prediction in predictions]

    def judge(
        self, examples: Sequence[Question], predictions: Sequence[Prediction], *, split: str
    ) -> Judgement:
        """Return exact match and F1 as the official script; of SQuAD 2.0 with what it tells beside."""
        normalization = self.description.normalization
        answers = [str(prediction["prediction"]) for prediction in predictions]
        exact, overlap = squad.score_answers(
            answers,
            right_answers(examples),
            normalization=normalization,
            has_impossible=self.has_impossible,
        )
        forced = Forced.of(examples, predictions, normalization) if self.has_impossible else None
        scorer = AnswerScorer(exact, overlap, forced)
        extra = {"norm": self._rules}
        if forced is not None:
            extra |= {
                "answerable": str(int(forced.has_answer.sum())),
                "threshold": f"{self.no_answer_threshold:.3f}",
            }
        report = ScoreReport(
            task=self.name,
            split=split,
            n=len(examples),
            scores=scorer(np.arange(len(examples))),
            primary="f1",
            extra=extra,
        )
        silent = sum(not question.answers for question in examples) / len(examples)
        return Judgement(
            report=report,
            scorer=scorer,
            baseline={"f1_of_no_answers": silent} if self.has_impossible else {},
            constant_prediction=is_constant(map(tuple, right_answers(examples)), answers),
        )

    def submission(self, examples: Sequence[Question], predictions: Sequence[Prediction]) -> dict[str, str]:
        """Return the answers by id, and how probable it is that there is none."""
        ids = [question.id for question in examples]
        answers = [prediction["prediction"] for prediction in predictions]
        files = {"predictions.json": dict(zip(ids, answers, strict=True))}
        if self.has_impossible:
            differences = np.array([prediction["score_diff"] for prediction in predictions], dtype=np.float64)
            files["na_prob.json"] = dict(zip(ids, sigmoid(differences).tolist(), strict=True))
        return {
            name: json.dumps(values, ensure_ascii=False, indent=0) + "\n" for name, values in files.items()
        }

    @property
    def _rules(self) -> str:
        """Return whose rules the scores follow."""
        if self.description.normalization == "korquad":
            return "korquad-1.0"
        return "official-v2.0" if self.has_impossible else "official-v1.1"

    def _chosen(self, prediction: Prediction) -> dict[str, Any]:
        """Return a prediction with its best answer, or none where that scores better by the threshold."""
        is_silent = prediction["score_diff"] > self.no_answer_threshold
        return {**prediction, "prediction": "" if is_silent else best_text(prediction)}
