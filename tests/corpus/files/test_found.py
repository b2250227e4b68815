from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from bertpipe.corpus import CorpusConfig, CorpusFile, corpus_hash, find_files, local_roots, read_documents
from bertpipe.errors import CorpusError, ResourceError


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(*corpus: str | Path) -> list[str]:
    return [file.name for file in find_files(corpus)]


def contents(files: list[CorpusFile]) -> list[str]:
    return [document[0] for document in read_documents(files, CorpusConfig())]


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """Give an empty file system that lives in memory, as stand-in for one in the network."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def test_reading_order_is_by_name_whatever_the_order_of_arguments(tmp_path: Path) -> None:
    """Files come by their path below the folder that was named, not by argument."""
    write(tmp_path / "z" / "b.txt", b"1")
    write(tmp_path / "z" / "sub" / "a.txt", b"2")
    write(tmp_path / "y" / "c.txt", b"3")
    expected = ["b.txt", "c.txt", "sub/a.txt"]
    assert names(tmp_path / "z", tmp_path / "y") == names(tmp_path / "y", tmp_path / "z") == expected


def test_reading_order_of_equal_names_is_by_content(tmp_path: Path) -> None:
    """Two files of one name change places with their contents, not with their folders."""
    write(tmp_path / "a" / "t.txt", b"one")
    write(tmp_path / "b" / "t.txt", b"two")
    before = contents(find_files([tmp_path / "a", tmp_path / "b"]))
    write(tmp_path / "a" / "t.txt", b"two")
    write(tmp_path / "b" / "t.txt", b"one")
    assert contents(find_files([tmp_path / "a", tmp_path / "b"])) == before


def test_hidden_files_and_manifests_are_no_text(tmp_path: Path) -> None:
    """Neither hidden files and folders nor the manifest of an output of ours are read."""
    for name in (".hidden.txt", ".cache/a.txt", "manifest.json", "shown.txt"):
        write(tmp_path / name, b"x")
    assert names(tmp_path) == names(str(tmp_path)) == ["shown.txt"]


def test_a_file_reached_twice_is_read_once(tmp_path: Path) -> None:
    """A folder, a file in it, a pattern and a URL do not count the file's words twice."""
    file = write(tmp_path / "sub" / "a.txt", b"x")
    assert names(tmp_path, file) == names(file, tmp_path) == ["a.txt"]
    assert names(f"{tmp_path}/*", f"file://{file}", file) == ["a.txt"]


def test_corpus_hash_tells_names_and_contents_only(tmp_path: Path) -> None:
    """The same files elsewhere have the same hash; another name or another byte changes it."""

    def hashed(folder: str, name: str, content: bytes) -> str:
        write(tmp_path / folder / name, content)
        return corpus_hash(find_files([tmp_path / folder]))

    one = hashed("one", "a.txt", b"text")
    assert hashed("two", "a.txt", b"text") == one
    assert hashed("three", "b.txt", b"text") != one
    assert hashed("four", "a.txt", b"Text") != one


def test_corpus_hash_does_not_change_between_versions(tmp_path: Path) -> None:
    """Committed results name their text by it; computed with sha256sum: name, NUL, hash of content."""
    write(tmp_path / "a.txt", b"text")
    assert corpus_hash(find_files([tmp_path])) == (
        "e761dd054fccead8cd07fb9593a34ef71f11563826a010120b235419f28ecf55"
    )


@pytest.mark.parametrize("name", ["missing.txt", "empty", "*.nothing", "@missing.list"])
def test_missing_path_and_empty_folder_are_named(tmp_path: Path, name: str) -> None:
    """The message holds the path that is wrong, or the pattern that matches nothing."""
    (tmp_path / "empty").mkdir()
    argument = f"@{tmp_path}/{name[1:]}" if name.startswith("@") else f"{tmp_path}/{name}"
    with pytest.raises(CorpusError) as caught:
        find_files([argument])
    assert argument in caught.value.message
    assert caught.value.hint is not None


def test_a_folder_of_hidden_files_is_empty(tmp_path: Path) -> None:
    """Files that are no text do not make a corpus."""
    write(tmp_path / ".hidden", b"x")
    write(tmp_path / "manifest.json", b"{}")
    with pytest.raises(CorpusError, match=f"no text file in {tmp_path}"):
        find_files([tmp_path])


def test_no_path_at_all_is_an_error() -> None:
    """An empty list of paths is not an empty corpus that goes through."""
    with pytest.raises(CorpusError, match="no corpus"):
        find_files([])


def test_a_pattern_names_files_and_folders(tmp_path: Path) -> None:
    """Names begin where the pattern does, so they do not depend on where the text lies."""
    for name in ("x/a.txt", "x/b.md", "y/sub/c.txt", "z.txt"):
        write(tmp_path / name, b"x")
    assert names(f"{tmp_path}/*/*.txt") == ["x/a.txt"]
    assert names(f"{tmp_path}/**/*.txt") == ["x/a.txt", "y/sub/c.txt", "z.txt"]
    assert names(f"{tmp_path}/[xy]") == ["x/a.txt", "x/b.md", "y/sub/c.txt"]


def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path: Path) -> None:
    """What is there is meant."""
    path = write(tmp_path / "a[1].txt", b"x")
    write(tmp_path / "a1.txt", b"x")
    assert names(str(path)) == ["a[1].txt"]


def test_a_list_names_what_an_argument_can_name(tmp_path: Path) -> None:
    """Relative paths start at the folder of the list; blank lines are none."""
    for name in ("lists/one.txt", "lists/sub/two.txt", "three.txt"):
        write(tmp_path / name, b"x")
    listed = write(tmp_path / "lists" / "all.list", "\ufeffone.txt\r\n\n su*\r\n../three.txt".encode())
    assert names(f"@{listed}") == ["one.txt", "sub/two.txt", "three.txt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b" \n", "names nothing"), (b"a\n@b", "x.list:2: @b: a list cannot"), (b"\xff", "cannot be read")],
)
def test_a_list_that_is_none_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    """An empty list is not an empty corpus, and lists do not go round in circles."""
    with pytest.raises(CorpusError, match=message):
        find_files([f"@{write(tmp_path / 'x.list', content)}"])


def test_local_roots_are_where_outputs_must_not_be(tmp_path: Path) -> None:
    """They hold every local file that is read, under whichever kind of argument."""
    listed = write(tmp_path / "a.list", b"b\n")
    assert local_roots([tmp_path / "x", f"{tmp_path}/y/*/z", f"@{listed}", f"file://{tmp_path}/u"]) == [
        tmp_path / "x",
        tmp_path / "y",
        listed,
        tmp_path / "b",
        tmp_path / "u",
    ]
    assert local_roots(["s3://bucket/text"]) == []


def test_files_behind_urls_are_read_like_others(tmp_path: Path, memory: fsspec.AbstractFileSystem) -> None:
    """Same order, same names, same hash, same text as in a folder of this machine."""
    for name, content in {"b.txt": b"One.\n\nTwo.", "sub/a.txt": b"Three.", ".hidden": b"x"}.items():
        write(tmp_path / name, content)
        memory.pipe(f"/text/{name}", content)
    here, there = find_files([tmp_path]), find_files(["memory://text"])
    assert [file.name for file in there] == [file.name for file in here] == ["b.txt", "sub/a.txt"]
    assert corpus_hash(there) == corpus_hash(here)
    assert contents(there) == contents(here) == ["One.", "Two.", "Three."]
    assert names("memory://text/b.txt") == names("memory://text/*.txt") == ["b.txt"]
    assert sum(file.size_bytes for file in there) == sum(file.size_bytes for file in here)


def test_a_url_that_names_nothing_is_told(memory: fsspec.AbstractFileSystem) -> None:
    """Neither a missing file nor an unknown kind of address ends in a traceback."""
    with pytest.raises(CorpusError, match=r"memory://text/none\.txt: no "):
        find_files(["memory://text/none.txt"])
    with pytest.raises(CorpusError, match="carrier-pigeon://x: cannot be read: Protocol not known") as caught:
        find_files(["carrier-pigeon://x"])
    assert caught.value.hint is not None


def test_a_remote_file_that_changes_while_it_is_read_is_told(memory: fsspec.AbstractFileSystem) -> None:
    """What was found is what is read."""
    memory.pipe("/text/a.txt", b"one")
    files = find_files(["memory://text"])
    memory.pipe("/text/a.txt", b"two")
    with pytest.raises(CorpusError, match=r"memory://.*a\.txt: changed while it was read"):
        contents(files)
    memory.rm("/text/a.txt")
    with pytest.raises(CorpusError, match=r"memory://.*a\.txt: no such file"):
        contents(files)


def test_a_network_that_fails_is_no_bug() -> None:
    """Whatever class of error a file system has of its own, it is told in one line."""

    class StrangeError(Exception):
        pass

    class Broken(fsspec.AbstractFileSystem):  # type: ignore[misc]
        protocol = "broken"

        def ls(self, path: str, detail: bool = True, **rest: object) -> None:
            raise StrangeError("no\nroute")

    fsspec.register_implementation("broken", Broken, clobber=True)
    with pytest.raises(ResourceError, match=r"broken://a: cannot be read: StrangeError: no route"):
        find_files(["broken://a"])
