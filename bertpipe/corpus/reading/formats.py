"""Formats of corpus files: told by name, else by content, unless a setting says so."""

import re
from typing import Literal, get_args

from typing_extensions import TypeIs

from bertpipe.corpus.documents import CorpusConfig
from bertpipe.corpus.files.found import CorpusFile
from bertpipe.corpus.reading.texts import LineFormat

Format = LineFormat | Literal["csv", "tsv", "parquet", "arrow", "mediawiki"]

HEAD_BYTES = 4096

_PACKED = re.compile(r"\.(gz|gzip|bz2|xz|zst|zstd)$")
_SUFFIXES: dict[str, Format] = {
    "arrow": "arrow",
    "csv": "csv",
    "feather": "arrow",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
    "tsv": "tsv",
}
_CONTENTS: tuple[tuple[re.Pattern[bytes], Format], ...] = (
    (re.compile(rb"PAR1"), "parquet"),
    (re.compile(rb"ARROW1"), "arrow"),
    (re.compile(rb'<doc id="[^"\n]*" (?:revid="[^"\n]*" )?url="'), "wikiextractor"),
    (re.compile(rb'\{"id": "[^"\n]*", (?:"revid": "[^"\n]*", )?"url": "'), "wikiextractor_jsonl"),
    (re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<mediawiki\b"), "mediawiki"),
)


def format_of(file: CorpusFile, head: bytes, config: CorpusConfig) -> Format:
    """Return how a file is read.

    Args:
        file: the file; the end of its name tells, under that of a compression.
        head: how its content begins, unpacked; it tells where the name does not.
        config: says ``auto``, or the format.
    """
    if config.format == "auto":
        suffix = _PACKED.sub("", file.name.lower()).rpartition(".")
        return _SUFFIXES.get(suffix[2], _by_content(head)) if suffix[1] else _by_content(head)
    if config.format == "wikiextractor" and head.removeprefix(b"\xef\xbb\xbf").startswith(b"{"):
        return "wikiextractor_jsonl"
    return config.format


def is_lines(form: Format) -> TypeIs[LineFormat]:
    """Whether a file of this format can be cut at the ends of lines."""
    return form in get_args(LineFormat)


def _by_content(head: bytes) -> Format:
    start = head.removeprefix(b"\xef\xbb\xbf")
    return next((form for pattern, form in _CONTENTS if pattern.match(start)), "text")
