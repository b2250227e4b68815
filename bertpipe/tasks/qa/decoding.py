"""The best answers, from the scores of starts and ends in every window.

As in the original code and in Hugging Face's ``run_qa``: in each window the n best starts meet the n
best ends; a pair is legal where both lie in the text, the end is not before the start, and the answer
is not too long. As in the original code, it has to start where the token has its best context.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertpipe.tasks.inputs import Numbers
from bertpipe.tasks.qa.windows import Windows

Scores = NDArray[np.float32]

# Windows that are worked on together: their tables stay in the processor's cache.
_WINDOWS_AT_ONCE = 256


@dataclass(frozen=True)
class Spans:
    """Answers to questions, K in all: those of a question together, the best first.

    Attributes:
        example_numbers: the question of each, rising, int64 ``[K]``.
        scores: of start and end together, float32 ``[K]``.
        firsts: the first token in the text, int64 ``[K]``; -1 stands for no answer.
        lasts: the last token.
    """

    example_numbers: Numbers
    scores: Scores
    firsts: Numbers
    lasts: Numbers

    def __getitem__(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> "Spans":
        """Return some of them."""
        return Spans(
            self.example_numbers[chosen], self.scores[chosen], self.firsts[chosen], self.lasts[chosen]
        )


def best_spans(
    windows: Windows, outputs: Sequence[Scores], *, n_best: int, max_answer_length: int, no_answer: bool
) -> Spans:
    """Return the best answers to each question.

    Args:
        windows: M of them.
        outputs: the scores of each window's tokens as start and as end, float32 ``[tokens, 2]``.
        n_best: the most answers to a question, and the starts and ends that are tried in a window.
        max_answer_length: the most tokens of an answer.
        no_answer: no answer is one of them, however bad.
    """
    blocks = [
        _spans(
            windows,
            np.arange(start, min(start + _WINDOWS_AT_ONCE, windows.items)),
            outputs[start : start + _WINDOWS_AT_ONCE],
            n_best=n_best,
            max_answer_length=max_answer_length,
        )
        for start in range(0, windows.items, _WINDOWS_AT_ONCE)
    ]
    if no_answer:
        blocks.append(_no_answers(windows, outputs))
    return _best(_joined(blocks), n_best=n_best)


def probabilities(spans: Spans) -> NDArray[np.float64]:
    """Return the softmax of the scores over the answers to each question, float64 ``[K]``."""
    begins = np.flatnonzero(np.diff(spans.example_numbers, prepend=-1))
    lengths = np.diff(np.append(begins, len(spans.scores)))
    best = np.repeat(spans.scores[begins], lengths)
    exponents = np.exp((spans.scores - best).astype(np.float64))
    return exponents / np.repeat(np.add.reduceat(exponents, begins), lengths)


def no_answer_differences(spans: Spans, questions: int) -> NDArray[np.float64]:
    """Return how much better no answer scores than the best one, float64 ``[questions]``.

    The largest number of float32 where no answer in the text is legal.
    """
    is_text = spans.firsts >= 0
    numbers, best = np.unique(spans.example_numbers[is_text], return_index=True)
    differences = np.full(questions, np.finfo(np.float32).max, dtype=np.float64)
    differences[numbers] = spans.scores[~is_text][numbers] - spans.scores[is_text][best].astype(np.float64)
    return differences


def texts_of(spans: Spans, windows: Windows) -> list[str]:
    """Return the answers as they stand in the texts; empty for no answer."""
    contexts = windows.contexts
    context_of = windows.context_numbers[spans.example_numbers]
    begins = contexts.begins[context_of]
    is_text = spans.firsts >= 0
    # With a token of no characters at the end, which no answer is.
    offsets = np.append(contexts.tokens.offsets, [[0, 0]], axis=0)
    starts = offsets[np.where(is_text, begins + spans.firsts, -1), 0]
    ends = offsets[np.where(is_text, begins + spans.lasts, -1), 1]
    texts = contexts.texts
    places = zip(context_of.tolist(), starts.tolist(), ends.tolist(), strict=True)
    return [texts[number][start:end] for number, start, end in places]


def _spans(
    windows: Windows, numbers: Numbers, outputs: Sequence[Scores], *, n_best: int, max_answer_length: int
) -> Spans:
    """Return the best answers in some windows."""
    firsts, lasts = windows.firsts[numbers, None], windows.lasts[numbers, None]
    shift = windows.first_segment_lengths[numbers, None] - firsts
    start_scores, end_scores = _grids(outputs)
    starts, ends = _largest(start_scores, n_best), _largest(end_scores, n_best)
    start_scores = np.take_along_axis(start_scores, starts, axis=1)
    end_scores = np.take_along_axis(end_scores, ends, axis=1)
    starts, ends = starts - shift, ends - shift  # from places in the window to tokens of the text
    is_central = starts >= windows.central_firsts[numbers, None]
    is_central &= starts < windows.central_lasts[numbers, None]
    start_scores[~is_central] = -np.inf
    end_scores[(ends < firsts) | (ends >= lasts)] = -np.inf
    scores = start_scores[:, :, None] + end_scores[:, None, :]  # [windows, n, n]
    reach = ends[:, None, :] - starts[:, :, None]
    scores[(reach < 0) | (reach >= max_answer_length)] = -np.inf
    rows, tried_starts, tried_ends = np.nonzero((scores >= _worst(scores, n_best)) & np.isfinite(scores))
    return Spans(
        windows.example_numbers[numbers][rows],
        scores[rows, tried_starts, tried_ends],
        starts[rows, tried_starts],
        ends[rows, tried_ends],
    )


def _grids(outputs: Sequence[Scores]) -> tuple[Scores, Scores]:
    """Return start and end scores as two tables, a row a window, filled up with minus infinity."""
    lengths = np.fromiter(map(len, outputs), dtype=np.int64, count=len(outputs))
    is_token = np.arange(int(lengths.max())) < lengths[:, None]
    flat = np.concatenate(outputs)
    starts, ends = (np.full(is_token.shape, -np.inf, dtype=np.float32) for _ in range(2))
    starts[is_token], ends[is_token] = flat[:, 0], flat[:, 1]
    return starts, ends


def _rising(scores: Scores) -> NDArray[np.int64]:
    """Return whole numbers of 32 bits in the order of the scores: integers are sorted far faster."""
    bits = scores.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _largest(scores: Scores, n: int) -> Numbers:
    """Return the places of the n largest scores of each row, or of all, from left to right."""
    n = min(n, scores.shape[1])
    # Of the negated scores: many are minus infinity, and at the low end they take ten times as long.
    return np.sort(np.argpartition(-scores, n - 1, axis=1)[:, :n], axis=1)


def _worst(scores: Scores, n: int) -> Scores:
    """Return the n-th largest score of each table, float32 ``[windows, 1, 1]``."""
    tables = scores.reshape(len(scores), -1)
    place = max(0, tables.shape[1] - n)
    return np.partition(tables, place, axis=1)[:, place, None, None]


def _no_answers(windows: Windows, outputs: Sequence[Scores]) -> Spans:
    """Return no answer to each question, with its lowest score among the windows."""
    scores = np.array([row[0, 0] + row[0, 1] for row in outputs], dtype=np.float32)
    examples, begins = np.unique(windows.example_numbers, return_index=True)
    nothing = np.full(len(examples), -1)
    return Spans(examples, np.minimum.reduceat(scores, begins), nothing, nothing)


def _joined(spans: Sequence[Spans]) -> Spans:
    return Spans(
        np.concatenate([part.example_numbers for part in spans]),
        np.concatenate([part.scores for part in spans]),
        np.concatenate([part.firsts for part in spans]),
        np.concatenate([part.lasts for part in spans]),
    )


def _best(spans: Spans, *, n_best: int) -> Spans:
    """Return the best of each question in order, and no answer at their end where it is not among them."""
    order = np.argsort((spans.example_numbers << 33) - _rising(spans.scores), kind="stable")
    spans = spans[order]
    begins = np.flatnonzero(np.diff(spans.example_numbers, prepend=-1))
    lengths = np.diff(np.append(begins, len(order)))
    rank = np.arange(len(order)) - np.repeat(begins, lengths)
    return spans[(rank < n_best) | (spans.firsts < 0)]
