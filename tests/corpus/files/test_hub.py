"""The hub is stood in for by a file system in memory with the layout of its Parquet branch."""

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry as REGISTERED  # noqa: N812 (to put back what was there)

from bertpipe.corpus import CorpusConfig, find_files, read_paragraphs
from bertpipe.errors import CorpusError


class FakeHub(MemoryFileSystem):  # type: ignore[misc]
    protocol = "hf"
    store: dict[str, object] = {}  # noqa: RUF012 (one for all file systems, as in the base class)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("hf://")))


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a hub with two data sets in the place of the real one."""
    monkeypatch.setitem(REGISTERED, "hf", FakeHub)
    system = FakeHub(skip_instance_cache=True)
    for path in [
        "one@~parquet/default/train/0000.parquet",
        "one@~parquet/default/train/0001.parquet",
        "one@~parquet/default/test/0000.parquet",
        "two@~parquet/en/train/0000.parquet",
        "two@~parquet/ko/train/0000.parquet",
    ]:
        sink = io.BytesIO()
        pq.write_table(pa.table({"text": [path]}), sink)
        system.pipe(f"/datasets/owner/{path}", sink.getvalue())
    yield
    FakeHub.store.clear()


def read(argument: str) -> list[str]:
    return [document[0] for document in read_paragraphs(find_files([argument]), CorpusConfig())]


def test_a_data_set_is_read_by_name() -> None:
    """The training split, another split, another configuration."""
    train = ["one@~parquet/default/train/0000.parquet", "one@~parquet/default/train/0001.parquet"]
    assert read("hub://owner/one") == read("hub://owner/one/default:train") == train
    assert read("hub://owner/one:test") == ["one@~parquet/default/test/0000.parquet"]
    assert read("hub://owner/two/ko") == ["two@~parquet/ko/train/0000.parquet"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("hub://owner/two", "hub://owner/two: several configurations: en, ko"),
        ("hub://owner/two/fr", "hub://owner/two/fr: no configuration 'fr', only: en, ko"),
        ("hub://owner/one:dev", "hub://owner/one:dev: no split 'dev', only: test, train"),
        ("hub://owner/one two", "hub://owner/one two: no name of a data set"),
        ("hub://owner/three", "hf://datasets/owner/three@~parquet: no "),
    ],
)
def test_what_the_hub_does_not_have_is_told_with_what_it_has(argument: str, message: str) -> None:
    """Each with a way out."""
    with pytest.raises(CorpusError, match=message) as caught:
        find_files([argument])
    assert caught.value.hint is not None
