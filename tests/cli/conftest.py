"""Ways to call the command line: in this process, or as a user does."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bertpipe.cli import main

Call = Callable[..., Result]
Command = Callable[..., list[str]]
Spawn = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def call() -> Iterator[Call]:
    """Call ``bertpipe`` in this process; what is no message for the user is raised."""
    usual = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    yield run
    signal.signal(signal.SIGTERM, usual)


@pytest.fixture
def command() -> Command:
    """Return the command line of a fresh Python that runs ``bertpipe``, some lines ``before`` it."""

    def build(*arguments: str, before: str = "") -> list[str]:
        program = f"{before}\nfrom bertpipe.cli import main\nmain(prog_name='bertpipe')"
        return [sys.executable, "-c", program, *arguments]

    return build


@pytest.fixture
def spawn(command: Command) -> Spawn:
    """Run ``bertpipe`` to its end in a process of its own."""

    def run(
        *arguments: str, before: str = "", env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command(*arguments, before=before),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(env or {})},
        )

    return run


@pytest.fixture
def write_corpus(tmp_path: Path) -> Callable[[int], Path]:
    """Write some documents, each of eight sentences of made-up words."""

    def write(documents: int) -> Path:
        draw = random.Random(0)
        words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 8))) for _ in range(300)]
        path = tmp_path / "corpus.txt"
        with path.open("w", encoding="utf-8") as file:
            for _ in range(documents):
                file.writelines(" ".join(draw.choices(words, k=9)) + ".\n" for _ in range(8))
                file.write("\n")
        return path

    return write


@pytest.fixture
def corpus(write_corpus: Callable[[int], Path]) -> str:
    """A small text."""
    return str(write_corpus(40))
