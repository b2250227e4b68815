"""Records from TSV, CSV and JSON arrays, compressed or not."""

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import BertpipeError, CorpusError, TaskDataError
from bertpipe.tasks.formats import read_json, read_table
from bertpipe.tasks.kinds import ClassificationDescription
from bertpipe.tasks.records import RecordsDescription, read_split
from bertpipe.tasks.texts import read_texts

ROWS = "text\tlabel\nfine\tgood\nso so\tbad\n"
# No lone CR: the csv module does not write one into a field without quotes.
FIELDS = st.text(st.characters(exclude_characters="\0\r", codec="utf-8"), max_size=6)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose files are written again and again."""
    return tmp_path_factory.mktemp("scratch")


def description(**settings: Any) -> ClassificationDescription:
    return ClassificationDescription(kind="classification", **settings)


def written(folder: Path, content: str | bytes, name: str = "dev.tsv") -> Path:
    raw = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(raw)
    return folder


def rows(folder: Path, **settings: Any) -> list[dict[str, Any]]:
    return [dict(record.values) for record in read_split(folder, "dev", RecordsDescription(**settings))]


def test_a_quote_in_a_tsv_is_an_ordinary_character(tmp_path: Path) -> None:
    """As in GLUE: one at the beginning opens nothing, and two stay two."""
    content = 'text\tlabel\n"The foodservice pie\t1\nsaid ""no""\t0\n'
    assert rows(written(tmp_path, content)) == [
        {"text": '"The foodservice pie', "label": "1"},
        {"text": 'said ""no""', "label": "0"},
    ]


def test_quotes_enclose_fields_where_the_description_says_so(tmp_path: Path) -> None:
    """As in NSMC, which a CSV writer has written with tabs."""
    content = 'text\tlabel\n"said ""no"""\t0\nit\'s\t1\n'
    assert [row["text"] for row in rows(written(tmp_path, content), quotes=True)] == ['said "no"', "it's"]


def test_a_csv_field_may_hold_commas_quotes_and_lines(tmp_path: Path) -> None:
    """RFC 4180; a record's place is the line where it begins."""
    content = 'text,label\r\n"one, ""two""\r\nthree",a\r\nfour,b\r\n'
    records = read_split(written(tmp_path, content, "dev.csv"), "dev", RecordsDescription())
    assert [record.values["text"] for record in records] == ['one, "two"\r\nthree', "four"]
    assert [record.place for record in records] == [f"{tmp_path}/dev.csv:2", f"{tmp_path}/dev.csv:4"]


@given(table=st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=5))
def test_what_the_csv_module_writes_is_read_back(table: list[tuple[str, str]], scratch: Path) -> None:
    """Whatever stands in the fields, a row of nothing but empty fields included."""
    path = scratch / "dev.csv"
    content = io.StringIO(newline="")
    csv.writer(content).writerows([("a", "b"), *table])
    path.write_text(content.getvalue(), encoding="utf-8", newline="")
    found = [tuple(record.values.values()) for record in read_table(path, separator=",", quotes=True)]
    assert found == table


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (ROWS.replace("\n", "\r\n").encode(), "CRLF"),
        (b"\xef\xbb\xbf" + ROWS.encode(), "a byte order mark"),
        (ROWS.rstrip().encode(), "no final newline"),
        (ROWS.replace("so so", "so\u2028so\x85\x0b").encode(), "other line separators"),
        (ROWS.replace("\nso", "\n\nso").encode(), "an empty line"),
    ],
)
def test_ends_of_lines_make_no_difference(raw: bytes, why: str, tmp_path: Path) -> None:
    """Two rows, whatever else the file has."""
    found = rows(written(tmp_path, raw))
    assert [list(row) for row in found] == [["text", "label"]] * 2, why
    assert [row["label"] for row in found] == ["good", "bad"], why


def test_columns_without_a_header_are_named_by_split(tmp_path: Path) -> None:
    """CoLA's train and dev have none, its test has one; a list names those of all splits."""
    written(tmp_path, "gj04\t1\t\tIt rains.\n")
    written(tmp_path, "index\tsentence\n0\tIt snows.\n", "test.tsv")
    names = ["source", "label", "star", "sentence"]
    cola = description(texts=["sentence"], header={"dev": names}, id="index")
    (dev,), (test,) = (read_texts(tmp_path, split, cola) for split in ("dev", "test"))
    assert (dev.id, dev.texts, dev.target) == ("0", ("It rains.",), "1")
    assert (test.id, test.texts, test.target) == ("0", ("It snows.",), None)
    assert dev.place.endswith("dev.tsv:1") and test.place.endswith("test.tsv:2")
    assert rows(tmp_path, header=names)[0]["sentence"] == "It rains."


def test_an_array_of_objects_is_read_with_the_lines_of_its_objects(tmp_path: Path) -> None:
    """As KLUE's files; a dotted name leads into a nested object, unless a field is called so."""
    values = [{"text": "a", "labels": {"label": "x"}}, {"text": "b", "labels.label": "y"}]
    for indent, lines in ((None, [1, 1]), (1, [2, 8])):
        written(tmp_path, json.dumps(values, indent=indent), "dev.json")
        found = read_texts(tmp_path, "dev", description(target="labels.label"))
        assert [(one.texts, one.target) for one in found] == [(("a",), "x"), (("b",), "y")]
        assert [int(one.place.rsplit(":")[-1]) for one in found] == lines


@given(values=st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2), max_size=4))
def test_any_array_of_objects_is_read_back(values: list[dict[str, str]], scratch: Path) -> None:
    """Brackets, quotes and commas within its texts do not matter."""
    path = scratch / "dev.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert [record.values for record in read_json(path)] == values


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", lambda raw: pa.compress(raw, codec="zstd", asbytes=True)),
        ("", gzip.compress),
    ],
)
def test_a_compressed_file_is_unpacked(ending: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Told by its content: it may have lost its ending."""
    written(tmp_path, pack(ROWS.encode()), f"dev.tsv{ending}")
    assert [row["text"] for row in rows(tmp_path)] == ["fine", "so so"]
    assert rows(tmp_path, files={"dev": "dev.tsv"}) == rows(tmp_path)


def test_the_format_is_told_by_the_ending_or_the_description(tmp_path: Path) -> None:
    """A name that says nothing needs a format."""
    written(tmp_path, ROWS, "dev.txt")
    assert len(rows(tmp_path)) == 2
    written(tmp_path, ROWS, "labels.dat")
    assert len(rows(tmp_path, files={"dev": "labels.dat"}, format="tsv")) == 2
    with pytest.raises(TaskDataError, match=r"labels\.dat: its ending does not tell the format") as caught:
        rows(tmp_path, files={"dev": "labels.dat"})
    assert caught.value.hint is not None and "tasks.<name>.format" in caught.value.hint


@pytest.mark.parametrize(
    "changes", [{"header": ["text", "label"]}, {"quotes": False}, {"broken_rows": "skip"}]
)
def test_what_tables_have_has_no_meaning_without(changes: dict[str, Any]) -> None:
    """JSON names its fields, and has no rows; where files have several formats each takes what is its own."""
    with pytest.raises(
        ValueError, match=f"{next(iter(changes))} has no meaning with format = jsonl, only with"
    ):
        ClassificationDescription(kind="classification", format="jsonl", **changes)
    for known in (None, "csv"):
        assert ClassificationDescription(kind="classification", format=known, **changes)


def test_two_files_of_one_split_are_refused(tmp_path: Path) -> None:
    """Both are named; a file that the description names wins."""
    written(tmp_path, ROWS)
    written(tmp_path, ROWS.replace("\t", ","), "dev.csv")
    with pytest.raises(TaskDataError, match=r"holds dev\.tsv and dev\.csv: which one is dev\?"):
        rows(tmp_path)
    assert len(rows(tmp_path, files={"dev": "dev.csv"})) == 2
    written(tmp_path, gzip.compress(ROWS.encode()), "dev.tsv.gz")
    with pytest.raises(TaskDataError, match=r"holds dev\.tsv and dev\.tsv\.gz"):
        rows(tmp_path, format="tsv")


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        ("text\tlabel\na\t1\nb\n", {}, r"dev\.tsv:3: 1 fields, expected 2 \(header text, label\)"),
        ("text\tlabel\na\t1\t\n", {}, r"dev\.tsv:2: 3 fields, expected 2"),
        ("a\t1\n", {"header": ["text"]}, r"dev\.tsv:1: 2 fields, expected 1"),
        ("txt\tlabel\na\t1\n", {}, r"dev\.tsv:2: no field 'text', only 'txt', 'label'"),
        ("text\ttext\na\t1\n", {}, r"dev\.tsv: two columns are called 'text'"),
        ("text\tlabel\n \t1\n", {}, r"dev\.tsv:2: 'text' must be a text that is not empty, found ' '"),
        ('text\tlabel\n"a\t1\nb\t2\n', {"quotes": True}, r"dev\.tsv:2: not valid CSV: unexpected end of d"),
        ('text\tlabel\n"a"b\t1\n', {"quotes": True}, r"dev\.tsv:2: not valid CSV: .* expected after"),
        ("text\tlabel\na\t1\nb\0\t2\n", {}, r"dev\.tsv:3: holds a NUL character: not text"),
        (b"text\tlabel\na\t1\n\xff\t2\n", {}, r"dev\.tsv:3: not valid UTF-8"),
        ("text\tlabel\n", {}, r"dev\.tsv holds no examples"),
        ("", {}, r"dev\.tsv holds no examples"),
    ],
)
def test_a_bad_table_is_told(
    content: str | bytes, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """By file and line, in one line."""
    with pytest.raises(TaskDataError, match=message) as caught:
        read_texts(written(tmp_path, content), "dev", description(**settings))
    assert caught.value.message.startswith(str(tmp_path)) and "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "a"},\n {"text": "b",}]', r"dev\.json:2: not valid JSON: .*\(column "),
        ('[{"text": "a"},\n {"text": "b"}', r"dev\.json:2: not valid JSON"),
        ('[{"text": "a"}] []', r"dev\.json:1: not valid JSON: Extra data"),
        ('{"text": "a"}\n', r"dev\.json: an array of JSON objects is expected, found dict"),
        ('[{"text": "a"},\n\n ["b"]]', r"dev\.json:3: a JSON object is expected, found list"),
        ('[{"text": "a"},\n {"text": "\\ud83d"}]', r"dev\.json:2: holds half of a surrogate pair"),
        ("[]", r"dev\.json holds no examples"),
    ],
)
def test_a_bad_array_is_told(content: str, message: str, tmp_path: Path) -> None:
    """By file and line, in one line."""
    with pytest.raises(TaskDataError, match=message) as caught:
        read_texts(written(tmp_path, content, "dev.json"), "dev", description())
    assert "\n" not in caught.value.message


def test_damaged_compression_is_told(tmp_path: Path) -> None:
    """By its file, with the same exit code as other bad data."""
    packed = gzip.compress(ROWS.encode() * 100)
    with pytest.raises(BertpipeError, match=r"dev\.tsv\.gz: damaged gzip data") as caught:
        rows(written(tmp_path, packed[: len(packed) // 2], "dev.tsv.gz"))
    assert caught.value.exit_code == CorpusError.exit_code == TaskDataError.exit_code


def test_broken_rows_are_left_out_when_asked(tmp_path: Path) -> None:
    """They are counted, and the first is named; the others keep their lines."""
    written(tmp_path, "text\tlabel\na\t1\nb\nc\t2\n\t\t\n")
    found = read_texts(tmp_path, "dev", description(broken_rows="skip"))
    assert [(one.texts, one.place[-2:]) for one in found] == [(("a",), ":2"), (("c",), ":4")]
    (note,) = found.notes
    assert note.startswith("dev: 2 broken rows left out, the first: ") and "dev.tsv:3: 1 fields" in note


def test_empty_texts_are_left_out_or_kept_when_asked(tmp_path: Path) -> None:
    """What is left out is counted; the others keep their numbers."""
    written(tmp_path, "text\tlabel\na\t1\n\t2\nc\t2\n")
    skipped = read_texts(tmp_path, "dev", description(empty_texts="skip"))
    assert [(one.id, one.texts) for one in skipped] == [("0", ("a",)), ("2", ("c",))]
    assert skipped.notes == ("dev: 1 examples with an empty text left out",)
    kept = read_texts(tmp_path, "dev", description(empty_texts="keep"))
    assert [one.texts for one in kept] == [("a",), ("",), ("c",)] and kept.notes == ()
    with pytest.raises(TaskDataError, match="all 1 examples of the file have an empty text"):
        read_texts(written(tmp_path, "text\tlabel\n\t2\n"), "dev", description(empty_texts="skip"))
