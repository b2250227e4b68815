"""The best answers, against the original code's search written out once more as loops."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.tasks.inputs import Numbers
from bertpipe.tasks.kinds import QuestionAnswering, QuestionAnsweringDescription
from bertpipe.tasks.qa.decoding import best_spans, probabilities, texts_of
from bertpipe.tasks.qa.questions import Question
from bertpipe.tasks.qa.windows import Windows, encode_questions
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *LETTERS], lowercase=True)


def description(**changes: Any) -> QuestionAnsweringDescription:
    return QuestionAnsweringDescription(kind="question_answering", **changes)


def windows_of(*contexts: str, max_seq_length: int = 14, doc_stride: int = 3) -> Windows:
    questions = [Question(str(n), "a b", text, (), None, "p") for n, text in enumerate(contexts)]
    return encode_questions(
        questions, TOKENIZER, description(doc_stride=doc_stride), max_seq_length=max_seq_length
    )


def largest(scores: list[float], n: int) -> list[int]:
    return sorted(range(len(scores)), key=lambda place: -scores[place])[:n]


def searched(
    windows: Windows, outputs: list[Any], *, n_best: int, max_answer_length: int, no_answer: bool
) -> list[list[tuple[float, int, int]]]:
    """Return score, first and last token of the n best of each question: window by window, pair by pair."""
    found: dict[int, list[tuple[float, int, int]]] = {}
    silent: dict[int, float] = {}
    for number, scores in enumerate(outputs):
        example = int(windows.example_numbers[number])
        starts, ends = (column.tolist() for column in scores.T)
        shift = int(windows.first_segment_lengths[number] - windows.firsts[number])
        silent[example] = min(silent.get(example, math.inf), float(np.float32(starts[0] + ends[0])))
        for start in largest(starts, n_best):
            for end in largest(ends, n_best):
                first, last = start - shift, end - shift
                if not windows.central_firsts[number] <= first < windows.central_lasts[number]:
                    continue
                if not windows.firsts[number] <= last < windows.lasts[number]:
                    continue
                if first <= last < first + max_answer_length:
                    score = float(np.float32(starts[start] + ends[end]))
                    found.setdefault(example, []).append((score, first, last))
    best = []
    for example in range(len(windows.context_numbers)):
        spans = found.get(example, []) + ([(silent[example], -1, -1)] if no_answer else [])
        spans = sorted(spans, key=lambda span: -span[0])
        best.append(spans[:n_best] + [span for span in spans[n_best:] if span[1] < 0])
    return best


SIZES = st.lists(st.integers(1, 26), min_size=1, max_size=4)


@given(SIZES, st.integers(1, 6), st.integers(1, 6), st.booleans(), st.integers(0, 2**32 - 1))
def test_the_best_answers_are_those_of_the_search(
    sizes: list[int], n_best: int, max_answer_length: int, no_answer: bool, seed: int
) -> None:
    """The same spans with the same scores, in the same order, no answer among them."""
    windows = windows_of(*(" ".join(LETTERS[:size]) for size in sizes))
    draws = np.random.default_rng(seed)
    outputs = [draws.normal(size=(int(n), 2)).astype(np.float32) for n in windows.lengths]
    settings: dict[str, Any] = {
        "n_best": n_best,
        "max_answer_length": max_answer_length,
        "no_answer": no_answer,
    }
    spans = best_spans(windows, outputs, **settings)
    rows = zip(
        spans.example_numbers.tolist(),
        spans.scores.tolist(),
        spans.firsts.tolist(),
        spans.lasts.tolist(),
        strict=True,
    )
    ours: list[list[tuple[float, int, int]]] = [[] for _ in sizes]
    for example, score, first, last in rows:
        ours[example].append((score, first, last))
    assert ours == searched(windows, outputs, **settings)
    sums = np.zeros(len(sizes))
    np.add.at(sums, spans.example_numbers, probabilities(spans))
    assert sums[np.unique(spans.example_numbers)] == pytest.approx(1)


def pointed(windows: Windows, start: tuple[int, int, float], end: tuple[int, int, float]) -> list[Any]:
    """Return scores of zero but for one start and one end, each by window, place and score."""
    outputs = [np.zeros((int(n), 2), np.float32) for n in windows.lengths]
    outputs[start[0]][start[1], 0] = start[2]
    outputs[end[0]][end[1], 1] = end[2]
    return outputs


def answers(
    windows: Windows, outputs: list[Any], *, has_impossible: bool = False, **changes: Any
) -> list[dict[str, Any]]:
    task = QuestionAnswering("t", description(**changes), has_impossible=has_impossible)
    questions: list[Any] = [None] * len(windows.context_numbers)
    return task.predictions(questions, windows, outputs)


def test_the_answer_is_a_slice_of_the_text_by_hand() -> None:
    """Starts at d, ends at f, spaces and case as in the text."""
    windows = windows_of("A  b, D e\tf g", max_seq_length=20)
    (prediction,) = answers(windows, pointed(windows, (0, 7, 4.0), (0, 9, 3.0)))
    first, second, *_ = prediction["n_best"]
    assert prediction["prediction"] == first["text"] == "D e\tf"
    assert second["text"] == "D"  # the right start alone
    assert first["probability"] / second["probability"] == pytest.approx(math.exp(7 - 4), rel=1e-4)
    assert prediction.keys() == {"prediction", "n_best"}


def test_what_is_not_the_text_is_no_answer() -> None:
    """The highest scores on [CLS], the question and [SEP], ends before starts, and what is too long."""
    windows = windows_of("c d e f g", max_seq_length=20)  # [CLS] a b [SEP] c d e f g [SEP]
    outputs = pointed(windows, (0, 5, 3.0), (0, 4, 3.0))
    outputs[0][[0, 1, 3, 9]] = 9.0
    outputs[0][7, 1] = 2.0  # f: three tokens from d
    (prediction,) = answers(windows, outputs)
    assert prediction["prediction"] == "d e f"
    (prediction,) = answers(windows, outputs, max_answer_length=2)
    assert prediction["prediction"] == "c"  # the right end alone, as good as the right start and before it


def test_no_answer_has_the_lowest_score_among_the_windows() -> None:
    """SQuAD 2.0: minus the best answer, it is the score_diff; the answer is kept beside it."""
    windows = windows_of("c d e f g h i j k l m n")
    assert windows.items == 2
    outputs = pointed(windows, (0, 5, 2.0), (0, 6, 1.0))
    outputs[0][0], outputs[1][0] = (4.0, 4.0), (1.0, 0.5)
    (prediction,) = answers(windows, outputs, has_impossible=True)
    assert prediction["score_diff"] == 1.5 - 3.0 and prediction["prediction"] == "d e"
    outputs[1][0] = (2.5, 0.75)
    (prediction,) = answers(windows, outputs, has_impossible=True)
    assert prediction["score_diff"] == 0.25 and prediction["prediction"] == ""
    assert [one["text"] for one in prediction["n_best"]][:2] == ["", "d e"]
    (prediction,) = answers(
        windows, pointed(windows, (0, 5, 9.0), (0, 6, 9.0)), has_impossible=True, n_best=1
    )
    assert [one["text"] for one in prediction["n_best"]] == ["d e", ""]  # no answer is always told


@pytest.mark.parametrize("has_impossible", [True, False])
def test_no_legal_answer_is_the_empty_one(has_impossible: bool) -> None:
    """Where all best ends lie before all best starts, or the text has no tokens."""
    windows = windows_of("c d e", "\u200b", max_seq_length=20)
    outputs = pointed(windows, (0, 6, 1.0), (0, 4, 1.0))
    predictions = answers(windows, outputs, has_impossible=has_impossible, n_best=1)
    assert [one["prediction"] for one in predictions] == ["", ""]
    if has_impossible:
        assert [one["score_diff"] > 1e38 for one in predictions] == [True, True]


@pytest.mark.parametrize("has_impossible", [True, False])
def test_texts_without_any_token_are_answered_with_nothing(has_impossible: bool) -> None:
    """Where all that is asked about is such a text there is no token at all."""
    windows = windows_of("\u200b")
    outputs = [np.zeros((int(n), 2), np.float32) for n in windows.lengths]
    (prediction,) = answers(windows, outputs, has_impossible=has_impossible)
    assert prediction["prediction"] == ""


def test_texts_of_questions_about_one_context_are_its_slices() -> None:
    """Also in the second window, and for a second question with another text between."""
    windows = windows_of("c d e f g h i j k l m n", "x y z", "c d e f g h i j k l m n")
    outputs = [np.zeros((int(n), 2), np.float32) for n in windows.lengths]
    outputs[1][-2] = 1.0
    outputs[2][5] = 1.0
    outputs[4][-2] = 2.0
    spans = best_spans(windows, outputs, n_best=1, max_answer_length=3, no_answer=False)
    assert texts_of(spans, windows) == ["n", "y", "n"]
    numbers: Numbers = spans.example_numbers
    assert numbers.tolist() == [0, 1, 2]
