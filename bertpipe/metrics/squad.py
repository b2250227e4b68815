"""Exact match and F1 of answers, by the rules of the official scorers of SQuAD 1.1, 2.0 and KorQuAD 1.0."""

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Normalization = Literal["squad", "korquad"]
Shares = NDArray[np.float64]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_KORQUAD_SPACES = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))  # noqa: RUF001  # KorQuAD's quotes


@lru_cache(maxsize=1 << 16)
def normalize_squad(text: str) -> str:
    """Return an answer in lower case, without punctuation, English articles and extra spaces."""
    bare = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


@lru_cache(maxsize=1 << 16)
def normalize_korquad(text: str) -> str:
    """Return an answer in lower case, quotes and brackets as spaces, without other punctuation."""
    return " ".join(text.translate(_KORQUAD_SPACES).lower().translate(_NO_PUNCTUATION).split())


@dataclass(frozen=True)
class _Rules:
    """What a scorer compares: the normal form for exact match, and its units for F1."""

    normalize: Callable[[str], str]
    units: Callable[[str], Sequence[str]]


_RULES: Mapping[Normalization, _Rules] = {
    "squad": _Rules(normalize_squad, units=str.split),
    "korquad": _Rules(normalize_korquad, units=lambda normal: "".join(normal.split())),  # characters
}


def exact_match(prediction: str, answer: str, *, normalization: Normalization = "squad") -> float:
    """Return 1.0 where both are the same when normalised, else 0.0."""
    normalize = _RULES[normalization].normalize
    return float(normalize(prediction) == normalize(answer))


def f1(
    prediction: str,
    answer: str,
    *,
    normalization: Normalization = "squad",
    empty_can_match: bool = False,
) -> float:
    """Return the harmonic mean of precision and recall over the words (KorQuAD: the characters).

    Args:
        prediction: the model's answer.
        answer: a right one.
        normalization: whose rules.
        empty_can_match: two empty ones agree, as in SQuAD 2.0; in SQuAD 1.1 they share nothing.
    """
    rules = _RULES[normalization]
    predicted, right = rules.units(rules.normalize(prediction)), rules.units(rules.normalize(answer))
    if empty_can_match and not (predicted and right):
        return float(len(predicted) == len(right))
    shared = sum((Counter(predicted) & Counter(right)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(predicted), shared / len(right)
    return 2 * precision * recall / (precision + recall)


def score_answers(
    predictions: Sequence[str],
    answers: Sequence[Sequence[str]],
    *,
    normalization: Normalization,
    has_impossible: bool,
) -> tuple[Shares, Shares]:
    """Return exact match and F1 of each question, each by its best right answer, both ``[N]``.

    Args:
        predictions: an answer a question; empty where the model gives none.
        answers: the right ones; none where the question has no answer.
        normalization: whose rules.
        has_impossible: by the rules of SQuAD 2.0, where no answer may be right.
    """
    exact, overlap = np.zeros(len(predictions)), np.zeros(len(predictions))
    for number, (prediction, right) in enumerate(zip(predictions, answers, strict=True)):
        known = _with_content(right, normalization) if has_impossible else right
        exact[number] = max(exact_match(prediction, answer, normalization=normalization) for answer in known)
        overlap[number] = max(
            f1(prediction, answer, normalization=normalization, empty_can_match=has_impossible)
            for answer in known
        )
    return exact, overlap


def _with_content(answers: Sequence[str], normalization: Normalization) -> Sequence[str]:
    """Return the answers of which something is left when normalised, else the empty answer."""
    normalize = _RULES[normalization].normalize
    return [answer for answer in answers if normalize(answer)] or [""]


@dataclass(frozen=True)
class Threshold:
    """The best that can be had by leaving questions without answer.

    Attributes:
        score: the mean score over all questions then.
        value: questions are answered whose score for no answer is not above it; none: no question is.
    """

    score: float
    value: float | None


def best_threshold(
    scores: Shares, *, has_answer: NDArray[np.bool_], answered: NDArray[np.bool_], no_answer: Shares
) -> Threshold:
    """Search the threshold as the official script of SQuAD 2.0 does.

    Args:
        scores: of the answers, exact match or F1, ``[N]``.
        has_answer: whether each question has a right answer, ``[N]``.
        answered: whether the model's answer is not empty, ``[N]``.
        no_answer: how sure the model is that there is none, on any rising scale, ``[N]``.
    """
    silent = int((~has_answer).sum())
    order = np.argsort(no_answer, kind="stable")
    gains = np.where(has_answer, scores, -answered.astype(np.float64))[order]
    totals = silent + np.cumsum(gains)
    best = int(totals.argmax())
    if totals[best] <= silent:
        return Threshold(silent / len(scores), None)
    return Threshold(float(totals[best]) / len(scores), float(no_answer[order[best]]))
