"""The hash of the source changes with the source, and with nothing else."""

import os
from pathlib import Path

import pytest

from bertpipe.artifacts import code, source_hash


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "vocab").mkdir()
    (tmp_path / "vocab" / "words.py").write_text("one")
    (tmp_path / "vocab" / "pieces.py").write_text("two")
    (tmp_path / "errors.py").write_text("three")
    (tmp_path / "corpus.py").write_text("four")
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    return tmp_path


SOURCES = ("errors.py", "vocab")


def test_content_and_names_count(package: Path) -> None:
    """Every change of a file's content, name or existence gives another hash."""
    words = package / "vocab" / "words.py"
    hashes = [source_hash(SOURCES)]
    words.write_text("onE")
    hashes.append(source_hash(SOURCES))
    words.rename(package / "vocab" / "word.py")
    hashes.append(source_hash(SOURCES))
    (package / "vocab" / "empty.py").touch()
    hashes.append(source_hash(SOURCES))
    (package / "vocab" / "empty.py").unlink()
    (package / "vocab" / "word.py").unlink()
    hashes.append(source_hash(SOURCES))
    assert len(set(hashes)) == 5


def test_content_moved_between_files_counts(package: Path) -> None:
    """Two files that swap their contents are not the same source."""
    before = source_hash(SOURCES)
    (package / "vocab" / "words.py").write_text("two")
    (package / "vocab" / "pieces.py").write_text("one")
    assert source_hash(SOURCES) != before


def test_nothing_else_counts(package: Path) -> None:
    """Times, compiled files, other modules and the order of the sources change nothing."""
    before = source_hash(SOURCES)
    os.utime(package / "errors.py", (0, 0))
    (package / "vocab" / "__pycache__").mkdir()
    (package / "vocab" / "__pycache__" / "words.cpython-311.pyc").write_bytes(b"x")
    (package / "corpus.py").write_text("changed")
    assert source_hash(SOURCES) == before
    assert source_hash(tuple(reversed(SOURCES))) == before
    assert source_hash((*SOURCES, "vocab/words.py")) == before


def test_the_place_of_the_package_does_not_count(
    package: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout that was moved is the same source."""
    before = source_hash(SOURCES)
    moved = package.rename(tmp_path_factory.mktemp("elsewhere") / "package")
    monkeypatch.setattr(code, "PACKAGE", moved)
    assert source_hash(SOURCES) == before
