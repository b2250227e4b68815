import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.corpus import CorpusConfig, find_files, read_paragraphs, read_parts
from bertpipe.errors import CorpusError


def documents(path: Path, **settings: Any) -> list[list[str]]:
    return list(read_paragraphs(find_files([path]), CorpusConfig(**settings)))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_csv_fields_in_quotes_hold_commas_lines_and_quotes(tmp_path: Path) -> None:
    """RFC 4180: a row goes on over line ends in quotes; each of its lines is a paragraph."""
    content = '\ufeffid,text\r\n1,"One, ""two"".\r\n\r\nThree\n"\r\n\r\n2,Four\r\n3,\r\n4,"  "'
    expected = [['One, "two".', "Three"], ["Four"]]
    assert documents(write(tmp_path / "a.csv", content)) == expected
    assert documents(write(tmp_path / "b.csv.gz", gzip.compress(content.encode()))) == expected


def test_tsv_with_a_named_column(tmp_path: Path) -> None:
    """Tabs part fields; another column can be named, and a format where the name says nothing."""
    content = 'id\tdocument\n1\tone, "two"\n2\t"three\tfour"\n'
    path = write(tmp_path / "a.tsv", content)
    assert documents(path, text_field="document") == [['one, "two"'], ["three\tfour"]]
    other = write(tmp_path / "ratings.txt", content)
    assert documents(other, text_field="document", format="tsv")[1] == ["three\tfour"]


def test_quotes_can_be_characters_like_others(tmp_path: Path) -> None:
    """Raw tab-separated text, as GLUE's, has quotes that nothing closes: an error unless they are text."""
    path = write(tmp_path / "a.tsv", 'text\n"one" two\n"three\nfour\n')
    with pytest.raises(CorpusError, match=r"a\.tsv:2: not valid CSV: '\t' expected after") as caught:
        documents(path)
    assert caught.value.hint is not None and "corpus.quotes=false" in caught.value.hint
    assert documents(path, quotes=False) == [['"one" two'], ['"three'], ["four"]]
    open_end = write(tmp_path / "b.tsv", 'text\none\n"three\nfour\n')
    with pytest.raises(CorpusError, match=r"b\.tsv:4: not valid CSV: unexpected end of data"):
        documents(open_end)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,body\n1,x", r"a\.csv:1: no column 'text', only 'id', 'body'"),
        ("", r"a\.csv:1: no column 'text', only nothing"),
        ("id,text\n1,x\n2\n", r"a\.csv:3: 1 fields, but the header has 2"),
        ("id,text\n1,x,y\n", r"a\.csv:2: 3 fields, but the header has 2"),
        (b"id,text\n1,caf\xe9\n", r"a\.csv:2: not valid UTF-8 \(byte 0xe9\)"),
        ("id,text\n1,a\rb\n", r"a\.csv:2: not valid CSV: new-line character"),
    ],
)
def test_bad_csv_is_named_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    """A column that is not there says what is there; a broken row is not read as another one."""
    with pytest.raises(CorpusError, match=message) as caught:
        documents(write(tmp_path / "a.csv", content))
    assert caught.value.hint is not None


def test_invalid_utf8_in_a_table_is_replaced_and_counted(tmp_path: Path) -> None:
    """CSV and Parquet alike."""
    config = CorpusConfig(errors="replace")
    write(tmp_path / "a.csv", b"text\nok\n1\xff2\xfe\n")
    invalid = pa.array([b"ok", b"1\xff2\xfe"], pa.binary()).view(pa.string())
    nested = pa.ListArray.from_arrays([0, 1, 2], invalid)
    pq.write_table(pa.table({"text": nested}), tmp_path / "b.parquet")
    parsed = [part.parse(config) for part in read_parts(find_files([tmp_path]), config, characters=3)]
    assert [one for each in parsed for one in each.documents] == [["ok"], ["1\ufffd2\ufffd"]] * 2
    assert sum(each.replaced for each in parsed) == 4
    with pytest.raises(CorpusError, match=r"b\.parquet: row 2: not valid UTF-8 \(byte 0xff\)"):
        documents(tmp_path / "b.parquet")


STRUCT = pa.struct([("lang", pa.string()), ("content", pa.list_(pa.large_string()))])
NESTED = pa.list_(pa.struct([("text", pa.string())]))


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        (pa.string(), ["One\n \nTwo", None, "Three"], "text"),
        (pa.large_string(), ["One\nTwo", "", "Three"], "text"),
        (pa.string_view(), ["One\nTwo", "", "Three"], "text"),
        (pa.dictionary(pa.int8(), pa.string()), ["One\nTwo", None, "Three"], "text"),
        (pa.list_(pa.string()), [["One", "Two"], [], ["Three", None]], "text"),
        (pa.large_list(pa.list_(pa.string())), [[["One"], ["Two"]], None, [[], ["Three"]]], "text"),
        (STRUCT, [{"content": ["One", "Two"]}, None, {"content": ["Three"]}], "text.content"),
        (NESTED, [[{"text": "One"}, {"text": "Two"}], [], [{"text": "Three"}, None]], "text.text"),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["parquet", "feather", "stream", "stream.gz"])
def test_any_nesting_of_one_text_column(
    tmp_path: Path, kind: pa.DataType, values: list[Any], field: str, form: str
) -> None:
    """A row is a document, the texts in it paragraphs; null is no text."""
    if form == "parquet" and kind == pa.string_view():
        pytest.skip("Parquet has one kind of text")
    table = pa.table({"id": [1, 2, 3], "text": pa.array(values, kind)})
    path = tmp_path / ("a.arrow.gz" if form == "stream.gz" else "a.arrow")
    if form == "parquet":
        path = tmp_path / "a"  # told by content
        pq.write_table(table, path)
    elif form == "feather":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    else:
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
        write(path, gzip.compress(sink.getvalue()) if form == "stream.gz" else sink.getvalue())
    assert documents(path, text_field=field) == [["One", "Two"], ["Three"]]


def test_a_column_with_a_dot_in_its_name_is_found(tmp_path: Path) -> None:
    """A name is taken as it is before it is taken apart."""
    pq.write_table(pa.table({"a.b": ["x"]}), tmp_path / "a.parquet")
    assert documents(tmp_path, text_field="a.b") == [["x"]]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("text", "no column 'text', only 'id' .int64., 'data' .struct<body: string>."),
        ("data.text", "no column 'data.text', only 'body' .string."),
        ("data.body.text", "no column 'data.body.text', only nothing"),
        ("id", "column 'id' is no text but int64"),
        ("data", "column 'data' is no text but struct<body: string>"),
    ],
)
@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_column_that_is_not_there_or_no_text_is_told(
    tmp_path: Path, name: str, field: str, message: str
) -> None:
    """The message says what is there."""
    table = pa.table({"id": [1], "data": [{"body": "x"}]})
    if name == "a.parquet":
        pq.write_table(table, tmp_path / name)
    else:
        with pa.ipc.new_file(tmp_path / name, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(CorpusError, match=rf"{name}: {message}") as caught:
        documents(tmp_path, text_field=field)
    assert caught.value.hint is not None


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "stream.arrow"])
@pytest.mark.parametrize("kept", [8, 100, 0.5, -1])
def test_a_truncated_table_is_told(tmp_path: Path, name: str, kept: float) -> None:
    """A cut file is an error with its name, wherever it is cut."""
    table = pa.table({"text": [str(number**5) for number in range(5000)]})
    if name == "a.parquet":
        pq.write_table(table, tmp_path / name)
    else:
        writer = pa.ipc.new_stream if name == "stream.arrow" else pa.ipc.new_file
        with writer(tmp_path / name, table.schema) as opened:
            opened.write_table(table, max_chunksize=1000)
    whole = (tmp_path / name).read_bytes()
    # A stream ends with eight bytes that only say so.
    end = int(len(whole) * kept) if 0 < kept < 1 else int(kept) if kept > 0 else len(whole) - 9
    write(tmp_path / name, whole[:end])
    with pytest.raises(CorpusError, match=rf"{name}: damaged") as caught:
        documents(tmp_path)
    assert caught.value.hint is not None


def test_a_compressed_parquet_file_is_refused(tmp_path: Path) -> None:
    """It would have to be unpacked whole to be read from its end."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["x"]}), sink)
    write(tmp_path / "a.parquet.gz", gzip.compress(sink.getvalue()))
    with pytest.raises(CorpusError, match=r"a\.parquet\.gz: a compressed table"):
        documents(tmp_path)


@given(
    st.lists(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]))), st.integers(1, 50)
)
def test_no_cut_changes_a_row(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], characters: int
) -> None:
    """Parts of any size hold the same documents, and tell all bytes."""
    folder = tmp_path_factory.mktemp("tables")
    pq.write_table(pa.table({"text": pa.array(values, pa.string())}), folder / "a.parquet")
    quoted = "".join('"' + value.replace('"', '""') + '"\n' for value in values)
    write(folder / "b.csv", "text\n" + quoted)
    files = find_files([folder])
    parts = list(read_parts(files, CorpusConfig(), characters=characters))
    lines = [[line for line in value.split("\n") if line.strip()] for value in values]
    expected = [document for document in lines if document]
    assert [one for part in parts for one in part.documents(CorpusConfig())] == expected * 2
    assert sum(part.read_bytes for part in parts) == sum(file.size_bytes for file in files) or not expected


def test_rows_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    """A large row group becomes many parts, none much larger than asked for."""
    pq.write_table(pa.table({"text": ["x" * 1000] * 20_000}), tmp_path / "a.parquet")
    parts = read_parts(find_files([tmp_path]), CorpusConfig(), characters=100_000)
    sizes = [sum(piece.size for piece in part.pieces) for part in parts]
    assert sum(sizes) == 20_000_000
    assert max(sizes) <= 101_000
