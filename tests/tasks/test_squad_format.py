"""Questions from SQuAD's JSON and from lines of one's own: what is wrong is told by its place."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bertpipe.errors import TaskDataError
from bertpipe.tasks import notes_of
from bertpipe.tasks.kinds import QuestionAnsweringDescription
from bertpipe.tasks.qa.questions import Answer, Question
from bertpipe.tasks.qa.reading import QuestionFields, read_questions

SQUAD = QuestionAnsweringDescription(kind="question_answering")
LINES = QuestionAnsweringDescription(kind="question_answering", fields=QuestionFields())
CONTEXT = "Seoul is the capital 👍 of Korea."


def asked(**changes: Any) -> dict[str, Any]:
    """Return a question, changed as named; a value of ... takes the field away."""
    values = {
        "id": "q1",
        "question": "Where?",
        "answers": [{"text": "Korea", "answer_start": 26}],
        **changes,
    }
    return {name: value for name, value in values.items() if value is not ...}


def squad_of(*questions: Any, context: Any = CONTEXT) -> dict[str, Any]:
    paragraph = {"context": context, "qas": list(questions)}
    return {"version": "1.1", "data": [{"title": "t", "paragraphs": [paragraph]}]}


def write(folder: Path, content: Any, name: str = "dev.json") -> Path:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / name).write_bytes(raw)
    return folder


def test_questions_are_read_in_order(tmp_path: Path) -> None:
    """With their text, answers and places; offsets count characters, of which an emoji is one."""
    second = asked(id=7, question="Who?", answers=[], is_impossible=True, plausible_answers=[{"text": "x"}])
    found = read_questions(write(tmp_path, squad_of(asked(), second)), "dev", SQUAD)
    place = f"{tmp_path}/dev.json: data[0].paragraphs[0].qas"
    assert found == [
        Question("q1", "Where?", CONTEXT, (Answer("Korea", 26),), None, f"{place}[0]"),
        Question("7", "Who?", CONTEXT, (), True, f"{place}[1]"),
    ]
    assert [question.target for question in found] == [["Korea"], []]
    assert [question.span for question in found] == [(26, 31), None]


@pytest.mark.parametrize("pack", [lambda raw: raw, gzip.compress, lambda raw: b"\xef\xbb\xbf" + raw])
def test_a_file_may_be_compressed_or_begin_with_a_mark(pack: Any, tmp_path: Path) -> None:
    """Told by content, whatever the name."""
    raw = json.dumps(squad_of(asked())).encode()
    (question,) = read_questions(write(tmp_path, pack(raw)), "dev", SQUAD)
    assert question.target == ["Korea"]


def test_file_names_are_those_of_the_description(tmp_path: Path) -> None:
    """Such as the official ones; else the split's name with the format's ending."""
    named = SQUAD.model_copy(update={"files": {"dev": "dev-v1.1.json"}})
    assert read_questions(write(tmp_path, squad_of(asked()), "dev-v1.1.json"), "dev", named)
    with pytest.raises(TaskDataError, match=r"has no train\.json for the split"):
        read_questions(tmp_path, "train", named)
    with pytest.raises(TaskDataError, match=r"has no train\.jsonl for the split"):
        read_questions(tmp_path, "train", LINES)


def test_own_data_is_read_from_lines(tmp_path: Path) -> None:
    """The fields are those of the description; answers as a list of objects or as two lists."""
    rows = [
        {"n": 1, "q": "Where?", "text": CONTEXT, "a": [{"text": "Korea", "answer_start": 26}]},
        {"n": 2, "q": "What?", "text": CONTEXT, "a": {"text": ["Seoul"], "answer_start": [0]}},
        {"n": 3, "q": "Who?", "text": CONTEXT, "a": {"text": [], "answer_start": []}},
        {"n": 4, "q": "Who?", "text": CONTEXT},
    ]
    fields = QuestionFields(id="n", question="q", context="text", answers="a")
    content = "\n".join(json.dumps(row) for row in rows).encode()
    found = read_questions(
        write(tmp_path, content, "dev.jsonl"), "dev", LINES.model_copy(update={"fields": fields})
    )
    assert [question.answers for question in found] == [(Answer("Korea", 26),), (Answer("Seoul", 0),), (), ()]
    assert [question.lists_answers for question in found] == [True, True, True, False]
    assert [question.id for question in found] == ["1", "2", "3", "4"]
    assert found[1].place == f"{tmp_path}/dev.jsonl:2"


AT = r"dev\.json: data\[0\]\.paragraphs\[0\]"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"data": [', r"dev\.json:1: not valid JSON: "),
        (b"[" * 100_000, r"dev\.json:1: not valid JSON"),
        (b'{"data": "caf\xe9"}', r"dev\.json:1: not valid UTF-8"),
        (gzip.compress(b'{"data": []}' * 99, mtime=0)[:40], r"dev\.json: damaged gzip data"),
        ([], r"dev\.json: a JSON object is expected, found list"),
        ({"version": "1.1"}, r"dev\.json: no 'data'"),
        ({"data": {}}, r"dev\.json: data: a list is expected, found dict"),
        ({"data": []}, r"dev\.json holds no questions"),
        ({"data": [{"title": "t"}]}, r"dev\.json: data\[0\]: no 'paragraphs'"),
        ({"data": [{"paragraphs": [7]}]}, rf"{AT}: a JSON object is expected, found int"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, rf"{AT}: no 'context'"),
        (
            squad_of(asked(), context=" \n"),
            rf"{AT}: 'context' must be a text that is not empty, found ' \\n'",
        ),
        (squad_of(asked(), asked(id="b", question=...)), rf"{AT}\.qas\[1\]: no 'question'"),
        (squad_of(asked(question=" ")), rf"{AT}\.qas\[0\]: 'question' must be a text that is not empty"),
        (squad_of(asked(id=...)), rf"{AT}\.qas\[0\]: no 'id'"),
        (squad_of(asked(id=True)), rf"{AT}\.qas\[0\]: 'id' must be a text"),
        (squad_of(asked(answers="Korea")), rf"{AT}\.qas\[0\]: 'answers' must be a list, found str"),
        (squad_of(asked(answers=["Korea"])), rf"{AT}\.qas\[0\]\.answers\[0\]: no 'text'"),
        (squad_of(asked(answers=[{"text": "Korea"}])), rf"{AT}\.qas\[0\]\.answers\[0\]: no 'answer_start'"),
        (squad_of(asked(answers=[{"text": "", "answer_start": 0}])), r"'text' must be a text that is not"),
        (squad_of(asked(answers=[{"text": "a", "answer_start": "0"}])), r"'answer_start' must be a whole"),
        (squad_of(asked(is_impossible="no")), r"'is_impossible' must be true or false, found 'no'"),
        (squad_of(asked(is_impossible=True)), r"'is_impossible' is true, but there are 1 answers"),
        (squad_of(asked(), asked()), rf"{AT}\.qas\[1\]: the id 'q1' is also that of .*\.qas\[0\]"),
        (squad_of(asked(question="half \ud83d")), r"dev\.json: holds half of a surrogate pair"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(content: Any, message: str, tmp_path: Path) -> None:
    """In one line, with the path of what is meant in the file."""
    with pytest.raises(TaskDataError, match=message) as caught:
        read_questions(write(tmp_path, content), "dev", SQUAD)
    assert "\n" not in caught.value.message and str(tmp_path) in caught.value.message


def test_a_wrong_line_is_told_by_its_number(tmp_path: Path) -> None:
    """Also what is wrong within its answers."""
    line = {"id": 1, "question": "q", "context": "c", "answers": [{"text": "c", "answer_start": None}]}
    write(tmp_path, b"\n" + json.dumps(line).encode(), "dev.jsonl")
    with pytest.raises(TaskDataError, match=r"dev\.jsonl:2\.answers\[0\]: 'answer_start' must be"):
        read_questions(tmp_path, "dev", LINES)
    write(tmp_path, b'{"id": 1, "context": "c"}', "dev.jsonl")
    with pytest.raises(TaskDataError, match=r"dev\.jsonl:1: no field 'question'"):
        read_questions(tmp_path, "dev", LINES)


def test_an_answer_that_stands_elsewhere_is_told(tmp_path: Path) -> None:
    """The first one by its place, and how many there are; nothing is skipped unless asked for."""
    wrong = [{"text": "Korea", "answer_start": 25}]
    beyond = [{"text": "Korea", "answer_start": 26}, {"text": "Seoul", "answer_start": -33}]
    folder = write(tmp_path, squad_of(asked(), asked(id="b", answers=wrong), asked(id="c", answers=beyond)))
    message = (
        rf"{AT}\.qas\[1\]: the answer 'Korea' is not at its answer_start; so it is with 2 of 3 questions"
    )
    with pytest.raises(TaskDataError, match=message) as caught:
        read_questions(folder, "dev", SQUAD)
    assert caught.value.hint is not None and "skip_misaligned" in caught.value.hint
    found = read_questions(folder, "dev", SQUAD.model_copy(update={"skip_misaligned": True}))
    assert [question.span for question in found] == [(26, 31), None, (26, 31)]
    assert [len(question.answers) for question in found] == [1, 1, 2]  # they still count for scores
    (note,) = notes_of(found)
    assert note.startswith("dev: 2 of 3 questions") and "qas[1]" in note


def test_two_lists_of_unequal_length_are_no_answers(tmp_path: Path) -> None:
    """The hub's layout has as many texts as places."""
    line = {"id": 1, "question": "q", "context": "c", "answers": {"text": ["c"], "answer_start": []}}
    write(tmp_path, json.dumps(line).encode(), "dev.jsonl")
    with pytest.raises(TaskDataError, match=r"dev\.jsonl:1: 'answers' must be a list, found dict"):
        read_questions(tmp_path, "dev", LINES)
