"""Windows over texts and the tokens of answers, against Hugging Face's tokenizers and by brute force."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bertpipe.errors import TaskDataError
from bertpipe.tasks.kinds import QuestionAnsweringDescription
from bertpipe.tasks.qa.questions import Answer, Question
from bertpipe.tasks.qa.spans import span_targets
from bertpipe.tasks.qa.windows import Windows, encode_questions
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

WORDS = ("ab", "cde", "f", "한국", "abcdef")
LETTERS = "abcdefgé한국,"
TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *LETTERS, *(f"##{x}" for x in LETTERS)], lowercase=True)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)


def ask(question: str, context: str, *spans: tuple[int, int], text: str | None = None) -> Question:
    answers = tuple(Answer(context[start:end], start) for start, end in spans)
    if text is not None:
        answers = (Answer(text, None), *answers)
    return Question("q", question, context, answers, None, "dev.json: data[0]")


def tokens_of(ids: Any) -> str:
    return " ".join(TOKENIZER.tokens[number] for number in ids)


def encoded(questions: Sequence[Question], *, max_seq_length: int, **changes: Any) -> Windows:
    description = QuestionAnsweringDescription(kind="question_answering", **changes)
    return encode_questions(questions, TOKENIZER, description, max_seq_length=max_seq_length)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    folder = tmp_path_factory.mktemp("tokenizer")
    TOKENIZER.save(folder)
    found: Callable[..., Any] = AutoTokenizer.from_pretrained(folder)
    return found


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), st.integers(1, 12), st.integers(1, 15))
def test_ids_are_those_of_transformers(
    theirs: Callable[..., Any], pairs: list[tuple[str, str]], stride: int, more: int
) -> None:
    """All windows of all questions, with their segments, for any stride and room; texts may repeat."""
    pairs = [*pairs, (pairs[0][0], pairs[-1][1])]
    longest = max(len(TOKENIZER.encode([question]).ids) for question, _ in pairs)
    max_seq_length = longest + 3 + stride + more
    windows = encoded(
        [ask(*pair) for pair in pairs],
        max_seq_length=max_seq_length,
        doc_stride=stride,
        max_query_length=max(longest, 1),
    )
    expected = theirs(
        [question for question, _ in pairs],
        [context for _, context in pairs],
        truncation="only_second",
        max_length=max_seq_length,
        stride=stride,
        return_overflowing_tokens=True,
    )
    assert [ids.tolist() for ids in windows.input_ids] == expected["input_ids"]
    assert windows.example_numbers.tolist() == expected["overflow_to_sample_mapping"]
    firsts = [segments.index(1) for segments in expected["token_type_ids"]]
    assert windows.first_segment_lengths.tolist() == firsts
    assert windows.truncated == 0


@given(st.integers(0, 60), st.integers(1, 12), st.integers(1, 25))
def test_a_token_counts_where_it_has_most_around_it(size: int, stride: int, more: int) -> None:
    """The original code's measure, window by window for each token; of equal ones the first."""
    question = ask("f", "f " * size)
    windows = encoded([question], max_seq_length=1 + 3 + stride + more, doc_stride=stride)
    bounds = list(zip(windows.firsts.tolist(), windows.lasts.tolist(), strict=True))
    chosen = []
    for token in range(size):
        around = [
            100 * min(token - first, last - 1 - token) + (last - first) if first <= token < last else -1
            for first, last in bounds
        ]
        chosen.append(int(np.argmax(around)))
    ours = [
        number
        for number, (first, last) in enumerate(
            zip(windows.central_firsts.tolist(), windows.central_lasts.tolist(), strict=True)
        )
        for _ in range(first, last)
    ]
    assert ours == chosen


def test_windows_by_hand() -> None:
    """Seven tokens of text, four to a window, two shared: the answer counts where it is whole."""
    context = "a b c d e f g"
    questions = [ask("a", context, (4, 7)), ask("a", context)]  # "c d": tokens 2 and 3
    windows = encoded(questions, max_seq_length=8, doc_stride=2)
    assert (windows.items, windows.width) == (6, 1)
    assert tokens_of(windows.input_ids[1]) == "[CLS] a [SEP] c d e f [SEP]"
    assert windows.firsts[:3].tolist() == [0, 2, 4] and windows.lasts[:3].tolist() == [4, 6, 7]
    targets = span_targets(questions, windows)
    assert targets.tolist() == [[5, 6], [3, 4], [0, 0], [0, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("context", "span", "tokens"),
    [
        ("ab cde f", (3, 6), (2, 4)),  # a word
        ("ab cde f", (4, 5), (3, 3)),  # inside a word, as particles after Korean answers
        ("abé cde", (2, 3), (2, 2)),
        ("abe\u0301 cde", (2, 4), (2, 2)),  # the accent is taken away
        ("ab cde f", (2, 6), (2, 4)),  # with a space before
        ("ab cde f", (3, 7), (2, 4)),  # with a space behind
        ("👍👍 ab", (3, 5), (1, 2)),
        ("a\u1112\u1161\u11ab b", (1, 4), (1, 1)),  # a spelled-out syllable
    ],
)
def test_an_answer_is_the_tokens_that_share_a_character(
    context: str, span: tuple[int, int], tokens: tuple[int, int]
) -> None:
    """Offsets count characters of the text as it is in the data."""
    questions = [ask("f", context, span)]
    windows = encoded(questions, max_seq_length=32, doc_stride=8)
    assert span_targets(questions, windows).tolist() == [[3 + token for token in tokens]]


def test_an_answer_that_cannot_be_found_is_left_out_of_the_loss() -> None:
    """One that stands elsewhere, or of characters of which no token is made; the next one counts."""
    questions = [
        ask("f", "ab c", text="x"),
        ask("f", "ab \u200b c", (3, 4)),
        ask("f", "ab c", (3, 4), text="x"),
    ]
    windows = encoded(questions, max_seq_length=32, doc_stride=8)
    assert span_targets(questions, windows).tolist() == [[-100, -100], [-100, -100], [5, 5]]


def test_long_questions_are_cut_and_counted() -> None:
    """To max_query_length tokens, from the front."""
    windows = encoded([ask("a b c d", "e"), ask("a b", "e")], max_seq_length=32, max_query_length=2)
    assert tokens_of(windows.input_ids[0]) == "[CLS] a b [SEP] e [SEP]"
    assert windows.input_ids[0].tolist() == windows.input_ids[1].tolist()
    assert windows.truncated == 1


def test_no_room_to_move_on_is_told() -> None:
    """With what is needed; a text that fits needs no step."""
    questions = [ask("a", "b c"), ask("a b", "c " * 20)]
    assert encoded(questions, max_seq_length=14, doc_stride=8).items > 2
    with pytest.raises(TaskDataError, match=r"max_seq_length = 13 .* 2 tokens, 3 .*= 8 need 14") as caught:
        encoded(questions, max_seq_length=13, doc_stride=8)
    assert caught.value.hint is not None and "384" in caught.value.hint
    assert encoded(questions[:1], max_seq_length=8, doc_stride=100).items == 1
    with pytest.raises(TaskDataError, match="a question of 6 tokens"):
        encoded([ask("a b c d e f", "b")], max_seq_length=8)


def test_a_text_without_tokens_is_one_window() -> None:
    """Such as one of control characters only."""
    (ids,) = encoded([ask("a", "\u200b")], max_seq_length=32).input_ids
    assert tokens_of(ids) == "[CLS] a [SEP] [SEP]"
