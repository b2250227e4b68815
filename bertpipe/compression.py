"""Compressed files: told by content, unpacked as a stream, refused when damaged or endless."""

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable
from typing import IO, Any, BinaryIO, cast

import pyarrow as pa

from bertpipe.errors import CorpusError

# Text shrinks to a fifth, a table of equal rows to a hundredth; files made to fill a disk go further.
MAX_RATIO = 1000
_RATIO_MATTERS = 1 << 28  # unpacked bytes from which on the ratio is looked at

_HEAD_BYTES = 16
_BUFFER_BYTES = 1 << 18


def _zstd(stored: BinaryIO) -> IO[bytes]:
    return cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), "zstd"))


# The first bytes, the name, and what unpacks it. bz2 is told by more than its three letters, and
# zstd may begin with a frame to skip.
_KINDS: tuple[tuple[re.Pattern[bytes], str, Callable[[Any], Any]], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip", lambda stored: gzip.GzipFile(fileobj=stored)),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bz2", bz2.BZ2File),
    (re.compile(rb"\xfd7zXZ\0"), "xz", lzma.LZMAFile),
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), "zstd", _zstd),
)
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, pa.ArrowInvalid)


def unpacked(stored: BinaryIO, *, where: str) -> io.BufferedReader | None:
    """Return the content of a compressed file as a stream, or None where it is not compressed.

    Reading raises ``CorpusError`` where the data is damaged or ends too early, or where it
    unpacks to more than ``MAX_RATIO`` times its size.

    Args:
        stored: the file, at its beginning.
        where: its name for messages.
    """
    head = stored.read(_HEAD_BYTES)
    stored.seek(0)
    for magic, kind, unpack in _KINDS:
        if magic.match(head):
            return io.BufferedReader(_Unpacked(unpack(stored), stored, kind, where), _BUFFER_BYTES)
    return None


class _Unpacked(io.RawIOBase):
    """The content of a compressed file; what goes wrong in it is told with the file's name."""

    def __init__(self, content: IO[bytes], stored: BinaryIO, kind: str, where: str) -> None:
        super().__init__()
        self._content = content
        self._stored = stored
        self._kind = kind
        self._where = where
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            block = self._content.read(len(buffer))
        except OSError as error:
            if error.errno is not None:  # the disk, not the data
                raise
            raise self._damaged(error) from None
        except _DAMAGED as error:
            raise self._damaged(error) from None
        buffer[: len(block)] = block
        self._bytes += len(block)
        if self._bytes > _RATIO_MATTERS and self._bytes > MAX_RATIO * self._stored.tell():
            raise CorpusError(
                f"{self._where}: unpacks to more than {MAX_RATIO} times its size: not text",
                hint="look at the file; if it is right, unpack it yourself",
            )
        return len(block)

    def _damaged(self, error: Exception) -> CorpusError:
        return CorpusError(
            f"{self._where}: damaged {self._kind} data after {self._bytes} bytes of text: {error}",
            hint="fetch or compress the file again",
        )
