"""Reading labelled data: whatever is wrong is told by file and line."""

from pathlib import Path

import pytest

from bertpipe.errors import TaskDataError
from bertpipe.tasks.kinds import ClassificationDescription, RegressionDescription
from bertpipe.tasks.texts import read_texts

ONE = ClassificationDescription(kind="classification")
PAIR = RegressionDescription(kind="regression", texts=("first", "second"), target="score")


def write(folder: Path, content: bytes, split: str = "dev") -> Path:
    (folder / f"{split}.jsonl").write_bytes(content)
    return folder


def test_examples_are_read_in_order(tmp_path: Path) -> None:
    """Text, label, place, and the data's own id or else the number of the record."""
    content = '\ufeff{"text": "één", "label": "a", "id": 7}\r\n\r\n{"text": "two", "label": "b"}\n'.encode()
    first, second = read_texts(write(tmp_path, content), "dev", ONE)
    assert (first.id, first.texts, first.target) == ("7", ("één",), "a")
    assert first.place == f"{tmp_path}/dev.jsonl:1"
    assert (second.id, second.texts, second.place) == ("1", ("two",), f"{tmp_path}/dev.jsonl:3")


def test_two_texts_and_a_number(tmp_path: Path) -> None:
    """The fields are those of the description, in its order."""
    content = b'{"second": "b", "score": 2, "first": "a"}'
    (example,) = read_texts(write(tmp_path, content), "dev", PAIR)
    assert example.texts == ("a", "b") and example.target == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "caf\xe9"}', "not valid UTF-8"),
        (b'{"text": "a"', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'["a"]', "a JSON object is expected, found list"),
        (b'{"txt": "a", "label": 1}', "no field 'text', only 'txt', 'label'"),
        (b'{"text": 5}', "'text' must be a text that is not empty, found 5"),
        (b'{"text": " \\t"}', "'text' must be a text that is not empty"),
        (b'{"text": "half \\ud83d"}', "holds half of a surrogate pair"),
        (b'{"text": "a", "label": "\\udc00"}', "holds half of a surrogate pair"),
        (b'{"text": "a", "id": "\\udc00"}', "holds half of a surrogate pair"),
    ],
)
def test_a_bad_line_is_told(line: bytes, message: str, tmp_path: Path) -> None:
    """With file and line, in one line."""
    content = b'{"text": "fine", "label": "a"}\n' + line + b"\n"
    with pytest.raises(TaskDataError, match=message) as caught:
        read_texts(write(tmp_path, content), "dev", ONE)
    assert caught.value.message.startswith(f"{tmp_path}/dev.jsonl:2: ")
    assert "\n" not in caught.value.message


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A folder, a file in its place, a split, and a split with nothing in it are different things."""
    with pytest.raises(TaskDataError, match="nowhere does not exist"):
        read_texts(tmp_path / "nowhere", "dev", ONE)
    (tmp_path / "rows.jsonl").touch()
    with pytest.raises(TaskDataError, match=r"rows\.jsonl is a file"):
        read_texts(tmp_path / "rows.jsonl", "dev", ONE)
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(
        TaskDataError,
        match=r"has no test\.jsonl \(or \.json, .*'test', only dev\.jsonl",
    ):
        read_texts(write(tmp_path, b"\n"), "test", ONE)
    with pytest.raises(TaskDataError, match=r"dev\.jsonl holds no examples"):
        read_texts(tmp_path, "dev", ONE)
