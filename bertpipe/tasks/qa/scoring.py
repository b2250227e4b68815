"""Scores of answers for any selection of the questions, and the threshold under which none is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bertpipe.metrics import squad
from bertpipe.metrics.squad import Normalization, Shares, Threshold
from bertpipe.tasks.qa.questions import Question
from bertpipe.tasks.task import Prediction


def best_text(prediction: Prediction) -> str:
    """Return the best answer that is not empty; empty where there is none."""
    for answer in prediction["n_best"]:
        if answer["text"]:
            return str(answer["text"])
    return ""


@dataclass(frozen=True)
class Forced:
    """The answers that the model gives where it must, whatever it thinks of no answer.

    Attributes:
        exact: exact match of each, ``[N]``.
        overlap: F1 of each, ``[N]``.
        has_answer: whether each question has an answer, ``[N]``.
        answered: whether the model found any text, ``[N]``.
        no_answer: how much better no answer scores, ``[N]``.
    """

    exact: Shares
    overlap: Shares
    has_answer: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    no_answer: Shares

    @classmethod
    def of(
        cls, questions: Sequence[Question], predictions: Sequence[Prediction], normalization: Normalization
    ) -> Self:
        """Score the best answers of predictions that may be none."""
        texts = [best_text(prediction) for prediction in predictions]
        exact, overlap = squad.score_answers(
            texts, right_answers(questions), normalization=normalization, has_impossible=True
        )
        return cls(
            exact,
            overlap,
            has_answer=np.array([bool(question.answers) for question in questions]),
            answered=np.array([bool(text) for text in texts]),
            no_answer=np.array([float(prediction["score_diff"]) for prediction in predictions]),
        )

    def best(self, scores: Shares, numbers: NDArray[np.int64]) -> Threshold:
        """Return the best threshold for some questions, by exact match or F1."""
        return squad.best_threshold(
            scores[numbers],
            has_answer=self.has_answer[numbers],
            answered=self.answered[numbers],
            no_answer=self.no_answer[numbers],
        )


@dataclass(frozen=True)
class AnswerScorer:
    """The scores of some of the answers.

    Attributes:
        exact: exact match of each, ``[N]``.
        overlap: F1 of each, ``[N]``.
        forced: where questions may have no answer: what would be with another threshold.
    """

    exact: Shares
    overlap: Shares
    forced: Forced | None

    def __call__(self, numbers: NDArray[np.int64]) -> dict[str, float]:
        """Return the scores of the official script, as shares."""
        scores = self._means("exact_match", "f1", numbers)
        if self.forced is not None:
            has_answer = self.forced.has_answer
            for name, asked in (("has_answer", has_answer), ("no_answer", ~has_answer)):
                if asked.any():  # the official script leaves out what nothing asks for
                    scores |= self._means(f"{name}_exact", f"{name}_f1", numbers[asked[numbers]])
            scores["best_exact"] = self.forced.best(self.forced.exact, numbers).score
            scores["best_f1"] = self.forced.best(self.forced.overlap, numbers).score
        return scores

    def _means(self, exact: str, overlap: str, numbers: NDArray[np.int64]) -> dict[str, float]:
        """Return both means; of no questions, which only a draw of them can be, 0."""
        count = max(1, len(numbers))
        return {
            exact: float(self.exact[numbers].sum() / count),
            overlap: float(self.overlap[numbers].sum() / count),
        }


def right_answers(questions: Sequence[Question]) -> list[list[str]]:
    """Return the texts of the right answers to each question."""
    return [[answer.text for answer in question.answers] for question in questions]
