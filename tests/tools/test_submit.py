"""The archive for GLUE's leaderboard."""

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from bertpipe.artifacts import written_whole
from bertpipe.cli import main
from bertpipe.errors import ArtifactError
from bertpipe.tasks import describe
from bertpipe.tasks.catalog import CATALOG
from bertpipe.tasks.submissions import SubmittedDescription
from bertpipe.tools import submit

ALL = list(submit.GLUE_FILES)


def predicted(folder: Path, *files: str, rows: int = 2, stage: str = "predict") -> Path:
    """Write what ``predict`` would."""
    with written_whole(folder, stage=stage, settings={}, inputs={}) as output:
        for name in ("predictions.jsonl", *files):
            lines = "".join(f"{n}\t{len(folder.name)}\n" for n in range(rows))
            (output.folder / name).write_text(f"index\tprediction\n{lines}")
    return folder


def test_the_archive_has_the_files_of_all_folders(tmp_path: Path) -> None:
    """At its top, sorted, and without what else the folders hold."""
    folders = [predicted(tmp_path / "b", "MRPC.tsv"), predicted(tmp_path / "a", "RTE.tsv", "CoLA.tsv")]
    summary = submit.run(predictions=folders, out=tmp_path / "deep" / "glue.zip")
    assert summary.files == ["CoLA.tsv", "MRPC.tsv", "RTE.tsv"]
    with zipfile.ZipFile(tmp_path / "deep" / "glue.zip") as archive:
        assert archive.namelist() == summary.files and archive.testzip() is None
        assert archive.read("MRPC.tsv") == (tmp_path / "b" / "MRPC.tsv").read_bytes()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["glue.zip"]


def test_the_same_predictions_give_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the order of the folders and the time; an archive of before is replaced."""
    folders = [predicted(tmp_path / name, f"{name}.tsv") for name in ("MRPC", "RTE")]
    submit.run(predictions=folders, out=tmp_path / "one.zip")
    submit.run(predictions=folders[:1], out=tmp_path / "two.zip")
    submit.run(predictions=folders[::-1], out=tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_what_the_leaderboard_misses_is_told(tmp_path: Path) -> None:
    """Of its eleven files, and of those whose size is not that of the official test set."""
    folders = [
        predicted(tmp_path / "wnli", "WNLI.tsv", rows=146),
        predicted(tmp_path / "mrpc", "MRPC.tsv", rows=3),
    ]
    summary = submit.run(predictions=folders, out=tmp_path / "glue.zip")
    assert len(ALL) == 11
    assert summary.missing == [name for name in ALL if name not in ("WNLI.tsv", "MRPC.tsv")]
    assert summary.other_size == ["MRPC.tsv (3 instead of 1725)"]
    whole = submit.run(predictions=[predicted(tmp_path / "all", *ALL)], out=tmp_path / "glue.zip")
    assert whole.missing == [] and whole.files == ALL


def test_a_file_comes_from_one_folder_only(tmp_path: Path) -> None:
    """Which of two would count, nobody could tell."""
    folders = [predicted(tmp_path / name, "MRPC.tsv") for name in ("one", "two")]
    with pytest.raises(ArtifactError, match=r"MRPC\.tsv is in .*one and in .*two"):
        submit.run(predictions=folders, out=tmp_path / "glue.zip")
    assert not (tmp_path / "glue.zip").exists()


def test_what_is_no_submission_is_told(tmp_path: Path) -> None:
    """No output of predict, one of a task that GLUE does not have, one that was changed since."""
    with pytest.raises(ArtifactError, match="nowhere does not exist"):
        submit.run(predictions=[tmp_path / "nowhere"], out=tmp_path / "glue.zip")
    with pytest.raises(ArtifactError, match="was written by 'eval', not by 'predict'"):
        submit.run(predictions=[predicted(tmp_path / "eval", stage="eval")], out=tmp_path / "glue.zip")
    with pytest.raises(ArtifactError, match="mine has no file for GLUE's leaderboard"):
        submit.run(predictions=[predicted(tmp_path / "mine", "mine.tsv")], out=tmp_path / "glue.zip")
    changed = predicted(tmp_path / "changed", "MRPC.tsv")
    (changed / "MRPC.tsv").write_text("index\tprediction\n0\t1\n")
    with pytest.raises(ArtifactError, match=r"MRPC\.tsv is damaged or was changed"):
        submit.run(predictions=[changed], out=tmp_path / "glue.zip")


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """A file of that name, an archive of other files, a folder; and the name says what it is."""
    folders = [predicted(tmp_path / "mrpc", "MRPC.tsv")]
    (tmp_path / "text.zip").write_text("mine")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("thesis.txt", "mine")
    (tmp_path / "folder.zip").mkdir()
    for name in ("text.zip", "other.zip", "folder.zip"):
        with pytest.raises(ArtifactError, match="exists and is no archive of GLUE files"):
            submit.run(predictions=folders, out=tmp_path / name)
    assert (tmp_path / "text.zip").read_text() == "mine"
    with pytest.raises(ArtifactError, match="glue is no name of an archive"):
        submit.run(predictions=folders, out=tmp_path / "glue")


def test_the_tasks_of_glue_write_the_files_of_glue() -> None:
    """Each of the eleven is written for one test set of one task; STS-B stays on its scale."""
    named = [
        name
        for description in CATALOG.values()
        if isinstance(description, SubmittedDescription)
        for name in description.submission.values()
    ]
    assert sorted(named) == sorted(ALL)
    for task, name in (("mnli", "MNLI-m.tsv"), ("mnli-mismatched", "MNLI-mm.tsv")):
        assert describe(task, {}).model_dump()["submission"] == {"test": name}
    assert describe("sts-b", {}).model_dump()["scale"] == (0, 5)


def test_folders_are_named_one_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a pattern of the shell gives them; the summary is what ``run`` returns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    folders = [predicted(Path(name), f"{name}.tsv").name for name in ("MRPC", "RTE")]
    result = CliRunner().invoke(main, ["submit", *folders, "--out", "glue.zip", "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["files"] == ["MRPC.tsv", "RTE.tsv"]
    assert zipfile.is_zipfile("glue.zip")
    assert CliRunner().invoke(main, ["submit", "--out", "glue.zip"]).exit_code == 2
