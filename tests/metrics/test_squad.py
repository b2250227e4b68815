"""Exact match and F1 of answers: by hand, and against the official rules written out once more."""

import re
import string
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.metrics import squad
from bertpipe.metrics.squad import Normalization

# Pieces of which answers are made: articles, signs, spaces, quotes, letters of several scripts.
PIECES = (
    "the",
    "a",
    "An",
    "cat",
    "Cat",
    "1.5",
    "\u2019",
    "《",
    "》",
    "(",
    ")",
    "\u00a0",
    "\t",
    " ",
    "-",
    "'s",
)
OTHERS = ("서울", "대한", "é", "İ", "ß", "\uff01", "athens", " ")
ANSWERS = st.lists(st.sampled_from(PIECES + OTHERS), max_size=6).map("".join)
NORMALIZATIONS = st.sampled_from(("squad", "korquad"))


def official_words(text: str, normalization: Normalization) -> list[str]:
    """Return the normal form as the official scripts make it, step by step, in words."""
    if normalization == "korquad":
        for sign in ("'", '"', "《", "》", "<", ">", "〈", "〉", "(", ")", "‘", "’"):  # noqa: RUF001
            text = text.replace(sign, " ")
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    if normalization == "squad":
        text = re.sub(r"\b(a|an|the)\b", " ", text)
    return text.split()


def official_scores(
    prediction: str, answers: list[str], normalization: Normalization, *, version_2: bool
) -> tuple[float, float]:
    """Return exact match and F1 of one question as the official scripts compute them."""
    if version_2:
        answers = [answer for answer in answers if official_words(answer, normalization)] or [""]
    exact, overlap = [], []
    for answer in answers:
        predicted, right = official_words(prediction, normalization), official_words(answer, normalization)
        exact.append(float(predicted == right))
        if normalization == "korquad":
            predicted, right = list("".join(predicted)), list("".join(right))
        same = sum((Counter(predicted) & Counter(right)).values())
        if version_2 and (not predicted or not right):
            overlap.append(float(predicted == right))
        elif same == 0:
            overlap.append(0.0)
        else:
            precision, recall = 1.0 * same / len(predicted), 1.0 * same / len(right)
            overlap.append((2 * precision * recall) / (precision + recall))
    return max(exact), max(overlap)


@pytest.mark.parametrize(
    ("prediction", "answer", "exact", "overlap"),
    [
        ("The Cat!", "cat", 1.0, 1.0),
        ("a big cat", "the cat", 0.0, 2 / 3),  # big cat, cat: precision 1/2, recall 1
        ("cat cat dog", "cat dog dog", 0.0, 2 / 3),  # one cat and one dog are shared, of three each
        ("athens", "Athens.", 1.0, 1.0),  # an article inside a word stays
        ("U.S.A.", "usa", 1.0, 1.0),
        ("dog", "cat", 0.0, 0.0),
        ("", "cat", 0.0, 0.0),
    ],
)
def test_english_answers_by_hand(prediction: str, answer: str, exact: float, overlap: float) -> None:
    """Case, punctuation, articles and spaces do not count; F1 is over bags of words."""
    assert squad.exact_match(prediction, answer) == exact
    assert squad.f1(prediction, answer) == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("prediction", "answer", "exact", "overlap"),
    [
        ("《서울》", "서울", 1.0, 1.0),
        ("서울시", "서울", 0.0, 0.8),  # two of three characters, two of two
        ("서울에서", "서울", 0.0, 2 / 3),
        ("대한 민국", "대한민국", 0.0, 1.0),  # a space is no character, but it counts for exact match
        ("the cat", "cat", 0.0, 2 * (1 / 2) / (1 + 1 / 2)),  # articles stay: six letters, three shared
    ],
)
def test_korean_answers_by_hand(prediction: str, answer: str, exact: float, overlap: float) -> None:
    """KorQuAD counts characters, and takes quotes and brackets away."""
    assert squad.exact_match(prediction, answer, normalization="korquad") == exact
    assert squad.f1(prediction, answer, normalization="korquad") == pytest.approx(overlap)


def test_nothing_is_right_where_there_is_no_answer() -> None:
    """SQuAD 2.0: the empty answer to an impossible question; an answer that normalises to nothing is none."""
    exact, overlap = squad.score_answers(
        ["", "cat", "", "The"],
        [[], [], ["cat"], ["a", "."]],
        normalization="squad",
        has_impossible=True,
    )
    assert exact.tolist() == overlap.tolist() == [1.0, 0.0, 0.0, 1.0]
    exact, overlap = squad.score_answers(["the"], [["a"]], normalization="squad", has_impossible=False)
    assert (exact.tolist(), overlap.tolist()) == ([1.0], [0.0])  # as the script of SQuAD 1.1 has it


@given(st.lists(st.tuples(ANSWERS, st.lists(ANSWERS, max_size=3)), min_size=1, max_size=5), NORMALIZATIONS)
def test_scores_are_the_official_ones(
    questions: list[tuple[str, list[str]]], normalization: Normalization
) -> None:
    """Of every question, for both versions and both normalisations, bit for bit."""
    for version_2 in (True, False):
        asked = [(said, right) for said, right in questions if right or version_2]
        exact, overlap = squad.score_answers(
            [said for said, _ in asked],
            [right for _, right in asked],
            normalization=normalization,
            has_impossible=version_2,
        )
        expected = [official_scores(said, right, normalization, version_2=version_2) for said, right in asked]
        assert list(zip(exact.tolist(), overlap.tolist(), strict=True)) == expected


QUESTIONS = st.lists(
    st.tuples(st.sampled_from((0.0, 0.25, 0.5, 1.0)), st.booleans(), st.booleans(), st.integers(-3, 3)),
    min_size=1,
    max_size=12,
)


def official_threshold(
    scores: list[float], has_answer: list[bool], answered: list[bool], no_answer: list[float]
) -> tuple[float, float | None]:
    """Return the best total and its threshold, going up from the surest answer, as the official script."""
    total = best = float(has_answer.count(False))
    threshold: float | None = None
    for number in sorted(range(len(scores)), key=lambda n: no_answer[n]):
        total += scores[number] if has_answer[number] else -1 if answered[number] else 0
        if total > best:
            best, threshold = total, no_answer[number]
    return best / len(scores), threshold


@given(QUESTIONS)
def test_the_threshold_is_the_official_one(questions: list[tuple[float, bool, bool, int]]) -> None:
    """The first that gives the best total; none where it is best to answer nothing."""
    scores, has_answer, answered, no_answer = (list(column) for column in zip(*questions, strict=True))
    expected = official_threshold(scores, has_answer, answered, [n / 3 for n in no_answer])
    found = squad.best_threshold(
        np.array(scores),
        has_answer=np.array(has_answer),
        answered=np.array(answered),
        no_answer=np.array(no_answer) / 3,
    )
    assert (found.score, found.value) == expected


def test_the_threshold_by_hand() -> None:
    """Two sure answers are right, an impossible question lies between a right one and a wrong one."""
    found = squad.best_threshold(
        np.array([1.0, 1.0, 0.0, 1.0, 0.0]),
        has_answer=np.array([True, True, False, True, True]),
        answered=np.array([True, True, True, True, True]),
        no_answer=np.array([-5.0, -4.0, -1.0, 0.5, 2.0]),
    )
    assert (found.score, found.value) == (3 / 5, -4.0)  # 1 silent + 2; then 2, then 3 again, not better
