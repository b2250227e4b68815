import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from bertpipe.corpus import CorpusConfig, find_files, read_documents, read_parts
from bertpipe.errors import CorpusError

Pack = Callable[[bytes], bytes]


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


PACKS: dict[str, Pack] = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zstd": zstd}
TEXT = "\n\n".join(str(number**3) for number in range(20_000)).encode()


def texts(path: Path) -> list[str]:
    return [document[0] for document in read_documents(find_files([path]), CorpusConfig())]


def test_compression_is_told_by_content_in_one_folder_with_plain_files(tmp_path: Path) -> None:
    """The suffix neither makes nor hides a compressed file."""
    for name, pack in PACKS.items():
        (tmp_path / f"{name}.txt").write_bytes(pack(name.encode()))
    (tmp_path / "plain.gz").write_bytes(b"plain")
    assert texts(tmp_path) == ["bz2", "gzip", "plain", "xz", "zstd"]


@pytest.mark.parametrize("kind", PACKS)
def test_several_streams_in_one_file_are_one_text(tmp_path: Path, kind: str) -> None:
    """Files put together with cat, and bz2 dumps in many streams, are read to their end."""
    (tmp_path / "a").write_bytes(PACKS[kind](b"one\n\n") + PACKS[kind](b"two\n\n") * 2)
    assert texts(tmp_path) == ["one", "two", "two"]


def test_a_zstd_file_may_begin_with_a_frame_to_skip(tmp_path: Path) -> None:
    """As pzstd writes them (RFC 8878, section 3.1.2)."""
    (tmp_path / "a").write_bytes(b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstd(b"one"))
    assert texts(tmp_path) == ["one"]


@pytest.mark.parametrize("kind", PACKS)
@pytest.mark.parametrize("kept", [0.5, -1], ids=["half", "all but a byte"])
def test_a_truncated_file_is_an_error_not_a_shorter_text(tmp_path: Path, kind: str, kept: float) -> None:
    """The message names the file and what it is."""
    whole = PACKS[kind](TEXT)
    (tmp_path / "a.x").write_bytes(whole[: int(len(whole) * kept) if kept > 0 else -1])
    with pytest.raises(CorpusError, match=rf"a\.x: damaged {kind} data after \d+ bytes of text") as caught:
        texts(tmp_path)
    assert caught.value.hint is not None


# zstd is left out: pyarrow writes it without a checksum, and then some damage cannot be seen.
@pytest.mark.parametrize("kind", ["gzip", "bz2", "xz"])
def test_a_damaged_file_is_an_error(tmp_path: Path, kind: str) -> None:
    """Bytes overwritten in the middle do not become text or a traceback."""
    whole = bytearray(PACKS[kind](TEXT))
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    (tmp_path / "a.x").write_bytes(whole)
    with pytest.raises(CorpusError, match=rf"a\.x: damaged {kind} data"):
        texts(tmp_path)


def test_text_that_begins_like_bz2_is_text(tmp_path: Path) -> None:
    """Three letters do not make an archive."""
    (tmp_path / "a.txt").write_bytes(b"BZh is a company.")
    assert texts(tmp_path) == ["BZh is a company."]


def test_stored_bytes_are_told_as_they_are_read(tmp_path: Path) -> None:
    """Progress over a compressed file moves before its end, and ends at its size."""
    (tmp_path / "a").write_bytes(lzma.compress(TEXT * 20, preset=0))
    files = find_files([tmp_path])
    told = [part.read_bytes for part in read_parts(files, CorpusConfig(), characters=100_000)]
    assert sum(told) == files[0].size_bytes
    assert 0 < told[0] < files[0].size_bytes
