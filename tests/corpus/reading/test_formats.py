import json
from pathlib import Path

import pytest

from bertpipe.corpus import CorpusConfig, find_files, read_paragraphs
from bertpipe.corpus.reading.formats import Format, format_of
from bertpipe.errors import CorpusError

AUTO = CorpusConfig()


def form(path: Path, head: bytes = b"", config: CorpusConfig = AUTO) -> Format:
    path.touch()
    return format_of(find_files([path])[0], head, config)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jsonl", "jsonl"),
        ("a.JSONL.gz", "jsonl"),
        ("a.ndjson.zst", "jsonl"),
        ("a.json", "text"),
        ("a.jsonl.txt", "text"),
        ("jsonl", "text"),
        ("a.csv.bz2", "csv"),
        ("a.tsv.xz", "tsv"),
        ("a.feather", "arrow"),
        ("wiki.parquet", "parquet"),
        ("a.gz", "text"),
    ],
)
def test_a_format_is_told_by_the_suffix(tmp_path: Path, name: str, expected: Format) -> None:
    """Under that of a compression; a name without one says nothing."""
    assert form(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'\xef\xbb\xbf<doc id="1" url="u" title="T">', "wikiextractor"),
        (b'{"id": "1", "revid": "2", "url": "u", "title": "T", "text": ""}', "wikiextractor_jsonl"),
        (b'<mediawiki xmlns="x">', "mediawiki"),
        (b'<?xml version="1.0"?>\n<mediawiki xmlns="x">', "mediawiki"),
        (b"PAR1\x15", "parquet"),
        (b"ARROW1\0\0", "arrow"),
        (b"<doc> is a tag.", "text"),
        (b'{"text": "no name says that these are records"}', "text"),
        (b"", "text"),
    ],
)
def test_a_format_is_told_by_content_where_the_name_says_nothing(
    tmp_path: Path, head: bytes, expected: Format
) -> None:
    """Only what can hardly be plain text is taken for something else."""
    assert form(tmp_path / "a", head) == form(tmp_path / "a.txt", head) == expected


def test_a_setting_goes_before_name_and_content(tmp_path: Path) -> None:
    """For all files alike."""
    config = CorpusConfig(format="text")
    assert form(tmp_path / "a.csv", b"PAR1", config) == "text"
    path = tmp_path / "records.txt"
    path.write_text('{"text": "One."}')
    assert list(read_paragraphs(find_files([path]), CorpusConfig(format="jsonl"))) == [["One."]]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"text": "cut', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('["text"]', "not a JSON object"),
        ('{"body": 1}', "no field 'text', only 'body'"),
        ("{}", "no field 'text', only nothing"),
        ('{"text": null}', "field 'text' is no text: None"),
        (r'{"text": "\ud83d"}', "half of a surrogate pair"),
    ],
)
def test_bad_records_are_named_with_their_line(tmp_path: Path, record: str, message: str) -> None:
    """Each kind of bad record is an error with file, line and a way out."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "fine"}\n' + record.encode())
    with pytest.raises(CorpusError) as caught:
        list(read_paragraphs(find_files([path]), AUTO))
    assert caught.value.message.startswith(f"{path}:2: ")
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint is not None


def test_records_give_their_field(tmp_path: Path) -> None:
    """The named field is read as JSON says, escapes and all; empty lines are no records."""
    records = [{"body": "a\nb \U0001f600", "text": "no"}, {"body": ""}]
    (tmp_path / "a.jsonl").write_text("\n\n".join(map(json.dumps, records)))
    config = CorpusConfig(text_field="body")
    assert list(read_paragraphs(find_files([tmp_path]), config)) == [["a", "b \U0001f600"]]
