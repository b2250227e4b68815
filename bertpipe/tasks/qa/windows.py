"""Questions as ``[CLS] question [SEP] part of the text [SEP]``, in windows over a long text.

Devlin et al. 2019, section 4.2; the windows are those of the original code and of Hugging Face's
tokenizers, whose ``stride`` is what two windows share: ``doc_stride`` means that here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bertpipe.errors import TaskDataError
from bertpipe.tasks.inputs import Ids, Inputs, Numbers
from bertpipe.tasks.qa.questions import Question
from bertpipe.tasks.qa.reading import QuestionAnsweringDescription
from bertpipe.vocab import Encoder, Located, Tokenizer
from bertpipe.vocab.locating import locate, runs

_SPECIAL = 3  # [CLS] and two [SEP]


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """The different texts that are asked about, each tokenised once.

    Attributes:
        texts: the texts.
        tokens: theirs, one text after another.
        begins: where the tokens of each text begin, int64 ``[texts]``.
    """

    texts: list[str]
    tokens: Located
    begins: Numbers


@dataclass(frozen=True, kw_only=True)
class Windows(Inputs):
    """Questions with parts of their texts: each window is an item of one sequence.

    Tokens of a text are counted from its first one.

    Attributes:
        contexts: the texts.
        context_numbers: the text of each question, int64 ``[N]``.
        firsts: the first token of the text that each window holds, int64 ``[M]``.
        lasts: the one behind its last.
        central_firsts: the first token that has at least as much around it here as in the windows beside.
        central_lasts: the one behind the last such token: each token is central in one window.
    """

    contexts: Contexts
    context_numbers: Numbers
    firsts: Numbers
    lasts: Numbers
    central_firsts: Numbers
    central_lasts: Numbers


def encode_questions(
    questions: Sequence[Question],
    tokenizer: Tokenizer,
    description: QuestionAnsweringDescription,
    *,
    max_seq_length: int,
) -> Windows:
    """Return the windows of all questions.

    Raises:
        TaskDataError: a window has no room to move on.
    """
    contexts, numbers = _contexts(questions, tokenizer)
    asked = Encoder(tokenizer).encode([question.question.lstrip() for question in questions])
    question_lengths = np.minimum(asked.lengths, description.max_query_length)
    sizes = contexts.tokens.lengths[numbers]
    room = max_seq_length - _SPECIAL - question_lengths
    _check_room(questions, room, sizes, doc_stride=description.doc_stride, max_seq_length=max_seq_length)
    step = room - description.doc_stride
    counts = 1 + np.where(sizes > room, -((room - sizes) // np.maximum(step, 1)), 0)
    example_of = np.repeat(np.arange(len(questions)), counts)
    within = np.arange(len(example_of)) - np.repeat(np.cumsum(counts) - counts, counts)
    firsts = within * step[example_of]
    lasts = np.minimum(firsts + room[example_of], sizes[example_of])
    central_firsts, central_lasts = _central(firsts, lasts, within)
    question_begins = np.cumsum(asked.lengths) - asked.lengths
    part_begins = contexts.begins[numbers[example_of]] + firsts
    return Windows(
        input_ids=_input_ids(
            tokenizer,
            _Pieces(asked.ids, question_begins[example_of], question_lengths[example_of]),
            _Pieces(contexts.tokens.ids, part_begins, lasts - firsts),
        ),
        first_segment_lengths=question_lengths[example_of] + 2,
        example_numbers=example_of,
        truncated=int((asked.lengths > description.max_query_length).sum()),
        contexts=contexts,
        context_numbers=numbers,
        firsts=firsts,
        lasts=lasts,
        central_firsts=central_firsts,
        central_lasts=central_lasts,
    )


def _contexts(questions: Sequence[Question], tokenizer: Tokenizer) -> tuple[Contexts, Numbers]:
    """Return the different texts, and the number of each question's."""
    known: dict[str, int] = {}
    numbers = [known.setdefault(question.context, len(known)) for question in questions]
    texts = list(known)
    tokens = locate(texts, tokenizer)
    begins = np.cumsum(tokens.lengths) - tokens.lengths
    return Contexts(texts=texts, tokens=tokens, begins=begins), np.array(numbers, dtype=np.int64)


def _check_room(
    questions: Sequence[Question], room: Numbers, sizes: Numbers, *, doc_stride: int, max_seq_length: int
) -> None:
    """See that a window over a text that does not fit moves on by a token at least."""
    stuck = (room < 0) | ((sizes > room) & (room <= doc_stride))
    if stuck.any():
        worst = int(np.where(stuck, room, max_seq_length).argmin())
        asked = max_seq_length - _SPECIAL - int(room[worst])
        needed = asked + _SPECIAL + doc_stride + 1
        raise TaskDataError(
            f"{questions[worst].place}: max_seq_length = {max_seq_length} is too short for windows over the "
            f"text: a question of {asked} tokens, {_SPECIAL} special tokens and doc_stride = {doc_stride} "
            f"need {needed}",
            hint=f"set max_seq_length to {needed} or more (the paper's is 384), or a smaller doc_stride",
        )


def _central(firsts: Numbers, lasts: Numbers, within: Numbers) -> tuple[Numbers, Numbers]:
    """Return which tokens have their best context in each window, from first to behind the last.

    The original code's measure: the smaller number of tokens to the left and to the right, plus a
    hundredth of the window's length; of equal ones the first window. Along the text, it passes from
    one window to the next once.
    """
    central_firsts, central_lasts = firsts.copy(), lasts.copy()
    now = np.flatnonzero(within[1:] > 0)  # windows that another of the same question follows
    begin, end, next_begin, next_end = firsts[now + 1], lasts[now], firsts[now + 1], lasts[now + 1]
    bonus = (next_end - next_begin) - (end - firsts[now])  # hundredths
    # The first token with 100 (token - begin) + bonus > 100 (end - 1 - token).
    passes = (100 * (end - 1 + begin) - bonus) // 200 + 1
    passes = np.where(100 * (next_end - end) + bonus > 0, np.clip(passes, begin, end), end)
    central_lasts[now] = passes
    central_firsts[now + 1] = passes
    return central_firsts, central_lasts


@dataclass(frozen=True)
class _Pieces:
    """A run of tokens for each window, out of many that stand one after another."""

    ids: NDArray[np.uint32]
    begins: Numbers
    lengths: Numbers

    def joined(self) -> NDArray[np.uint32]:
        """Return the tokens of all windows, one after another."""
        tokens: NDArray[np.uint32] = self.ids[runs(self.begins, self.lengths)]
        return tokens


def _input_ids(tokenizer: Tokenizer, asked: _Pieces, parts: _Pieces) -> list[Ids]:
    """Return the ids of each window: ``[CLS] asked [SEP] part [SEP]``."""
    ends = np.cumsum(asked.lengths + parts.lengths + _SPECIAL)
    starts = np.append(0, ends[:-1])
    ids = np.full(int(ends[-1]), tokenizer.sep_id, dtype=np.int64)
    ids[starts] = tokenizer.cls_id
    ids[runs(starts + 1, asked.lengths)] = asked.joined()
    ids[runs(starts + 2 + asked.lengths, parts.lengths)] = parts.joined()
    return [ids[start:end] for start, end in pairwise([0, *ends.tolist()])]
