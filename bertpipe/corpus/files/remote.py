"""Files behind URLs, through fsspec: ``s3://``, ``gs://`` and what else has a package for it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from bertpipe.errors import BertpipeError, CorpusError, ResourceError

_LOCAL = "file://"
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")


def is_url(argument: str) -> bool:
    """Whether a corpus argument is a URL rather than a path or the ``file://`` form of one."""
    return _URL.match(argument) is not None and not argument.startswith(_LOCAL)


def without_scheme(argument: str) -> str:
    """Return the path that a ``file://`` URL names; anything else as it is."""
    if not argument.startswith(_LOCAL):
        return argument
    from urllib.request import url2pathname  # here, since it takes 0.05 s with all that it needs

    return url2pathname(argument.removeprefix(_LOCAL))


def files_of(url: str) -> list[tuple[str, str]]:
    """Return URL and name of each file that a URL names: one file, a folder or a pattern.

    Raises:
        CorpusError: nothing is there, or no package knows this kind of URL.
        ResourceError: the other side cannot be reached.
    """
    system, root = _system(url)
    with _told(url):
        if "*" in root:
            paths = sorted(path for path in system.glob(root) if system.isfile(path))
            folder = root[: root.index("*")].rpartition("/")[0]
        elif system.isfile(root):
            paths, folder = [root], root.rpartition("/")[0]
        else:
            paths, folder = sorted(system.find(root)), root.rstrip("/")
    if not paths:
        raise CorpusError(f"{url}: no file there", hint="check the address")
    return [(system.unstrip_protocol(path), path[len(folder) :].lstrip("/")) for path in paths]


def state(url: str) -> tuple[int, str]:
    """Return the size of a file, and what changes with its content.

    Raises:
        CorpusError: it is not there.
        ResourceError: the other side cannot be reached.
    """
    system, path = _system(url)
    with _told(url):
        system.invalidate_cache()
        return int(system.info(path)["size"]), str(system.ukey(path))


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """Give the stored bytes of a file.

    Raises:
        CorpusError: it is not there.
        ResourceError: the other side cannot be reached.
    """
    system, path = _system(url)
    with _told(url):
        stored = system.open(path, "rb")
    with stored:
        yield stored


def _system(url: str) -> tuple[Any, str]:
    import fsspec  # here, since it takes 0.1 s and most corpora are on this machine

    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise CorpusError(
            f"{url}: cannot be read: {error}",
            hint="pip install 'bertpipe[s3]' for s3://, 'bertpipe[gs]' for gs://, 'bertpipe[hub]' for hub://",
        ) from None
    return system, path


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Tell what a file system says in one line; each has exceptions of its own."""
    try:
        yield
    except BertpipeError:
        raise
    except FileNotFoundError:
        raise CorpusError(f"{url}: no such file or folder", hint="check the address") from None
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ResourceError(
            f"{url}: cannot be read: {said}", hint="check the network and the credentials"
        ) from None
