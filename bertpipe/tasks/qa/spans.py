"""Which tokens an answer is."""

from collections.abc import Sequence

import numpy as np

from bertpipe.tasks.inputs import IGNORE, Numbers
from bertpipe.tasks.qa.questions import Question
from bertpipe.tasks.qa.windows import Windows


def span_targets(questions: Sequence[Question], windows: Windows) -> Numbers:
    """Return the first and the last token of the answer in each window, int64 ``[M, 2]``.

    Both are 0, the place of ``[CLS]``, where the window does not hold the whole answer, or there is
    none; -100 where an answer is known that does not stand in the text.
    """
    firsts, lasts = _answer_tokens(questions, windows)
    example_of = windows.example_numbers
    unknown = np.array([bool(question.answers) for question in questions]) & (firsts > lasts)
    first, last = firsts[example_of], lasts[example_of]
    is_inside = (first <= last) & (first >= windows.firsts) & (last < windows.lasts)
    shift = windows.first_segment_lengths - windows.firsts
    targets = np.where(is_inside[:, None], np.stack([first + shift, last + shift], axis=1), 0)
    targets[unknown[example_of]] = IGNORE
    return targets


def _answer_tokens(questions: Sequence[Question], windows: Windows) -> tuple[Numbers, Numbers]:
    """Return the first and the last token of each answer's text; the last is before where there is none.

    They are the tokens that share a character with the answer, which may begin or end inside one.
    """
    contexts, numbers = windows.contexts, windows.context_numbers
    spans = np.array([question.span or (0, 0) for question in questions], dtype=np.int64)
    # All texts are searched at once: the characters of each are counted on from those of the one before.
    sizes = np.fromiter(map(len, contexts.texts), dtype=np.int64, count=len(contexts.texts))
    places = np.cumsum(sizes) - sizes
    offsets = contexts.tokens.offsets + np.repeat(places, contexts.tokens.lengths)[:, None]
    begins, ends = (spans + places[numbers, None]).T
    firsts = np.searchsorted(offsets[:, 1], begins, side="right")
    lasts = np.searchsorted(offsets[:, 0], ends, side="left") - 1
    is_known = spans[:, 1] > spans[:, 0]
    within = contexts.begins[numbers]
    return np.where(is_known, firsts - within, 0), np.where(is_known, lasts - within, -1)
