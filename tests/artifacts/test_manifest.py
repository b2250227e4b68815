"""A manifest says what a folder holds; what differs from it is named."""

import json
from pathlib import Path

import pytest

from bertpipe import __version__
from bertpipe.artifacts import (
    check_files,
    hash_json,
    input_hash,
    open_artifact,
    read_manifest,
    write_json,
    written_whole,
)
from bertpipe.errors import ArtifactError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An output of ours with two files."""
    out = tmp_path / "out"
    with written_whole(
        out, stage="vocab", settings={"vocab": {"size": 5}}, inputs={"corpus": "00ff"}
    ) as output:
        (output.folder / "train").mkdir()
        (output.folder / "train" / "shard.arrow").write_bytes(b"12345")
        (output.folder / "vocab.txt").write_text("é\n", encoding="utf-8")
        output.counts["tokens"] = 5
        output.notes.append("주의")
    return out


def test_the_bytes_of_a_manifest_are_stable(folder: Path) -> None:
    """The file holds exactly this: no time, host or absolute path; sha256 as ``sha256sum`` prints it."""
    assert (
        (folder / "manifest.json").read_text(encoding="utf-8")
        == f"""{{
  "format": 1,
  "stage": "vocab",
  "version": "{__version__}",
  "settings": {{
    "vocab": {{
      "size": 5
    }}
  }},
  "inputs": {{
    "corpus": "00ff"
  }},
  "counts": {{
    "tokens": 5
  }},
  "notes": [
    "주의"
  ],
  "files": {{
    "train/shard.arrow": {{
      "size_bytes": 5,
      "sha256": "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
    }},
    "vocab.txt": {{
      "size_bytes": 3,
      "sha256": "edd3a863872a04239eb29ad4bc12fc892b3d4ae57cc7e786a3697816f8e141c2"
    }}
  }}
}}
"""
    )


def test_whole_folders_pass(folder: Path) -> None:
    """Reading a manifest and checking the files of an untouched folder finds nothing."""
    manifest = open_artifact(folder, stage="vocab")
    assert manifest.stage == "vocab"
    assert manifest.counts == {"tokens": 5}


def test_a_flipped_bit_is_named(folder: Path) -> None:
    """A file of the same size with other content is found and named."""
    shard = folder / "train" / "shard.arrow"
    shard.write_bytes(b"12344")
    with pytest.raises(ArtifactError, match="damaged or was changed") as caught:
        check_files(folder, read_manifest(folder))
    assert str(shard) in caught.value.message
    assert caught.value.hint == f"delete {folder} and run 'vocab' again"


def test_a_missing_file_is_named(folder: Path) -> None:
    """A file that the manifest lists has to be there."""
    (folder / "vocab.txt").unlink()
    with pytest.raises(ArtifactError) as caught:
        open_artifact(folder)
    assert caught.value.message == f"{folder / 'vocab.txt'} is missing"


def test_another_stage_is_refused(folder: Path) -> None:
    """The message says who wrote it and who should have."""
    with pytest.raises(ArtifactError) as caught:
        read_manifest(folder, stage="prepare")
    assert caught.value.message == f"{folder} was written by 'vocab', not by 'prepare'"
    assert caught.value.hint == "name an output of 'bertpipe prepare'"


def test_a_folder_that_is_missing_or_incomplete_says_which(tmp_path: Path) -> None:
    """No folder, and a folder without a manifest, are two problems."""
    with pytest.raises(ArtifactError, match="nowhere does not exist"):
        read_manifest(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match=r"is not complete: it has no manifest\.json"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"name": "my app", "manifest_version": 3}', None]
)
def test_what_is_not_ours_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A file (or folder) of that name that somebody else made is no manifest."""
    if content is None:
        (tmp_path / "manifest.json").mkdir()
    else:
        (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_manifest(tmp_path)
    assert caught.value.message == f"{tmp_path} is not an output of bertpipe"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A file where a folder is expected is one clear line."""
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="file is not an output of bertpipe"):
        read_manifest(tmp_path / "file")


def test_content_hash_counts_files_only(folder: Path) -> None:
    """The same files made with other settings or by another version are the same input."""
    manifest = read_manifest(folder)
    other = manifest.model_copy(update={"settings": {}, "version": "9", "counts": {}, "notes": []})
    assert other.content_hash() == manifest.content_hash()
    fewer = manifest.model_copy(update={"files": dict(list(manifest.files.items())[:1])})
    assert fewer.content_hash() != manifest.content_hash()


def test_an_input_is_named_by_its_checked_content(folder: Path) -> None:
    """With a manifest the files are checked against it; without, all of them are hashed to the same."""
    named = input_hash(folder)
    assert named == read_manifest(folder).content_hash()
    (folder / "train" / "shard.arrow").write_bytes(b"12344")
    with pytest.raises(ArtifactError, match=r"shard\.arrow is damaged"):
        input_hash(folder)
    (folder / "manifest.json").unlink()
    changed = input_hash(folder)
    (folder / "train" / "shard.arrow").write_bytes(b"12345")
    assert input_hash(folder) == named != changed


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    """An input folder has to exist."""
    with pytest.raises(ArtifactError, match="nowhere does not exist") as caught:
        input_hash(tmp_path / "nowhere")
    assert caught.value.hint is not None


def test_json_hashes_ignore_the_order_of_keys() -> None:
    """Only what a value says counts."""
    assert hash_json({"a": 1, "b": {"c": 2, "d": 3}}) == hash_json({"b": {"d": 3, "c": 2}, "a": 1})
    assert hash_json({"a": 1}) != hash_json({"a": "1"}) != hash_json({"a": 1.5})


def test_json_is_written_as_people_read_it(tmp_path: Path) -> None:
    """UTF-8 as it is, keys in the given order, a final newline; NaN, which is no JSON, is refused."""
    write_json(tmp_path / "x.json", {"b": "한", "a": [1]})
    content = (tmp_path / "x.json").read_bytes().decode("utf-8")
    assert content == '{\n  "b": "한",\n  "a": [\n    1\n  ]\n}\n'
    assert json.loads(content) == {"b": "한", "a": [1]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "y.json", float("nan"))
