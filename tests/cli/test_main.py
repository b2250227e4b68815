"""What every command has in common: help at once, messages, exit codes, and clean streams."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import torch
from click.testing import Result

from bertpipe.artifacts import written_whole
from bertpipe.cli import COMMANDS, main
from bertpipe.stages import vocab

Call = Callable[..., Result]
Spawn = Callable[..., "subprocess.CompletedProcess[str]"]

HEAVY = ("torch", "numpy", "pyarrow", "tokenizers", "pydantic", "rich", "ruamel", "psutil", "safetensors")
TELL_IMPORTS = f"""
import atexit, sys
atexit.register(lambda: print("HEAVY", [name for name in {HEAVY} if name in sys.modules]))
"""
BREAK_VOCAB = """
import bertpipe.stages.vocab

def run(*args, **kwargs):
    raise ZeroDivisionError("a bug")

bertpipe.stages.vocab.run = run
"""


def check_error(result: Result, *, code: int, message: str, hint: str | None = None) -> None:
    """Check that one clear error, and nothing else, was told."""
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line.startswith(("error: ", "hint: "))]
    assert message in lines[0] and lines[0].startswith("error: ")
    assert len(lines) == 2 and lines[1].startswith("hint: ")
    assert hint is None or hint in lines[1]
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-2:] == lines


def test_help_lists_the_commands_in_the_order_of_the_pipeline(spawn: Spawn) -> None:
    """``bertpipe --help`` is instant: it imports nothing heavy."""
    result = spawn("--help", before=TELL_IMPORTS)
    assert result.returncode == 0 and result.stderr == ""
    *listed, heavy = result.stdout.split("Commands:\n")[1].splitlines()
    assert heavy == "HEAVY []"
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert all(len(line.split()) > 2 for line in listed), "a command says nothing about itself"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_loads_no_torch(spawn: Spawn, name: str) -> None:
    """``bertpipe COMMAND --help`` tells every option in words, without loading what it runs."""
    result = spawn(name, "--help", before=TELL_IMPORTS)
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.splitlines()[-1] == "HEAVY []"
    command = main.get_command(click.Context(main), name)
    assert command is not None and command.help
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert {"--out", "--params", "--set", "--json", "--quiet"} <= {option.opts[0] for option in options}
    assert all(option.help and option.help.endswith(".") for option in options)


def test_the_version_is_told(call: Call) -> None:
    """``--version`` prints the package's version."""
    from bertpipe import __version__

    assert call("--version").stdout == f"bertpipe, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [("vokab",), ("vocab",), ("vocab", "--out", "x", "--corpus", "x", "--workers", "0")]
)
def test_wrong_usage_is_exit_code_2(call: Call, arguments: tuple[str, ...]) -> None:
    """A misspelt command or option is click's business."""
    result = call(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("Usage: ")


def test_an_unknown_setting(call: Call, corpus: str) -> None:
    """Exit code 3, with all errors and the nearest names, from the file and from ``--set``."""
    Path("params.yaml").write_text("vocab: {sise: 3}\nvokab: {}\n")
    result = call("vocab", "--corpus", corpus, "--out", "out", "--set", "corpus.document=file")
    check_error(
        result, code=3, message="did you mean vocab.size?", hint="mend params.yaml or the --set options"
    )
    assert "did you mean vocab?" in result.stderr
    assert "did you mean corpus.documents?" in result.stderr
    assert not Path("out").exists()


def test_an_unknown_section_is_an_error_for_the_report_too(call: Call) -> None:
    """The report has no settings of its own; a misspelt section is still told."""
    folders = [part for name in ("vocab", "shards", "model", "scores") for part in (f"--{name}", "x")]
    result = call("report", *folders, "--out", "out", "--set", "vokab.size=3")
    check_error(result, code=3, message="did you mean vocab?")


@pytest.mark.parametrize("override", ["vocab.size", "size=3"])
def test_a_bad_override(call: Call, corpus: str, override: str) -> None:
    """Exit code 3, with an example of the form."""
    result = call("vocab", "--corpus", corpus, "--out", "out", "--set", override)
    check_error(result, code=3, message=f"--set {override}: not of the form KEY=VALUE", hint="such as --set")


def test_a_missing_params_file(call: Call, corpus: str) -> None:
    """Exit code 3: a file that was named has to exist."""
    result = call("vocab", "--corpus", corpus, "--out", "out", "--params", "nowhere.yaml")
    check_error(result, code=3, message="nowhere.yaml: no such file", hint="--params")


def test_a_missing_corpus(call: Call) -> None:
    """Exit code 4, with the name that was given."""
    result = call("vocab", "--corpus", "nowhere", "--out", "out")
    check_error(result, code=4, message="nowhere: no such file or folder", hint="--corpus")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_corpus_that_is_not_utf8(call: Call, workers: str) -> None:
    """Exit code 4, with file and line."""
    Path("latin.txt").write_bytes("one\ntwo\nthr\xe9e\n".encode("latin-1"))
    result = call("vocab", "--corpus", "latin.txt", "--out", "out", "--workers", workers)
    check_error(result, code=4, message="latin.txt:3: not valid UTF-8 (byte 0xe9)", hint="iconv")
    assert not Path("out").exists() and not Path(".out.partial").exists()


def test_a_foreign_output_folder(call: Call, corpus: str) -> None:
    """Exit code 5, and the folder stays as it was."""
    Path("out").mkdir()
    Path("out", "thesis.txt").write_text("mine")
    result = call("vocab", "--corpus", corpus, "--out", "out")
    check_error(result, code=5, message="out exists and is not an output of bertpipe", hint="--out")
    assert [path.name for path in Path("out").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("pretrain", "--shards", "nowhere"),
        ("finetune", "--model", "nowhere", "--task", "film-reviews", "--data", "nowhere"),
        ("eval", "--model", "nowhere", "--task", "film-reviews", "--data", "nowhere"),
        ("predict", "--model", "nowhere", "--task", "film-reviews", "--data", "nowhere"),
        ("report", "--vocab", "nowhere", "--shards", "nowhere", "--model", "nowhere", "--scores", "nowhere"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_missing_input_folder(call: Call, arguments: tuple[str, ...]) -> None:
    """Exit code 5, with the name that was given and the way out."""
    result = call(*arguments, "--out", "out")
    check_error(result, code=5, message="nowhere", hint="run the stage that writes it")
    assert not Path("out").exists()


def test_a_missing_vocabulary(call: Call, corpus: str) -> None:
    """Exit code 5, naming the command that makes one."""
    result = call("prepare", "--corpus", corpus, "--vocab", "nowhere", "--out", "out")
    check_error(result, code=5, message="nowhere", hint="bertpipe vocab")


def test_a_busy_output(call: Call, corpus: str) -> None:
    """Exit code 10 while another run writes the same folder; that run is not disturbed."""
    with written_whole(Path("out"), stage="vocab", settings={}, inputs={}) as output:
        (output.folder / "precious").touch()
        result = call("vocab", "--corpus", corpus, "--out", "out", "--workers", "1")
        check_error(result, code=10, message="another process is writing out", hint="wait")
        assert (output.folder / "precious").exists()


def test_a_name_that_is_too_long(call: Call, corpus: str) -> None:
    """What the system refuses is told in its words, with the way out: exit code 9."""
    result = call("vocab", "--corpus", corpus, "--out", "x" * 300)
    check_error(result, code=9, message="File name too long", hint="shorter")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lack_of_memory(error: Exception, call: Call, corpus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 9 in any stage, whoever says so: Python, or torch in one of its ways."""

    def run(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(vocab, "run", run)
    result = call("vocab", "--corpus", corpus, "--out", "out")
    check_error(result, code=9, message="out of memory", hint="smaller batches")


def test_a_bug_keeps_its_traceback(spawn: Spawn, corpus: str) -> None:
    """What no user can mend is shown whole: exit code 1 and a traceback on stderr."""
    result = spawn("vocab", "--corpus", corpus, "--out", "out", before=BREAK_VOCAB)
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" in result.stderr and "ZeroDivisionError: a bug" in result.stderr
    assert "error: " not in result.stderr


def test_json_is_one_object_and_progress_is_plain_lines(spawn: Spawn, corpus: str) -> None:
    """Stdout carries the result alone; where stderr is no terminal it has lines without control codes."""
    result = spawn("vocab", "--corpus", corpus, "--out", "out", "--set", "vocab.size=120", "--json")
    assert result.returncode == 0
    assert result.stdout.count("\n") == 1
    summary = json.loads(result.stdout)
    assert summary["documents"] == 40 and summary["vocab_size"] == 120
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["count words", "merge"]
    assert "\x1b" not in result.stderr and "\r" not in result.stderr


def test_without_json_people_get_a_table(call: Call, corpus: str) -> None:
    """The same figures by name, on stdout."""
    result = call("vocab", "--corpus", corpus, "--out", "out", "--set", "vocab.size=120", "--workers", "1")
    assert result.exit_code == 0
    assert "│ vocab size" in result.stdout and "│ 120" in result.stdout


def test_quiet_shows_no_progress(call: Call, corpus: str) -> None:
    """With ``--quiet`` stderr stays empty, and the result is still told."""
    result = call(
        "vocab", "--corpus", corpus, "--out", "out", "--set", "vocab.size=120", "--workers", "1", "--quiet"
    )
    assert result.exit_code == 0
    assert result.stderr == "" and "vocab size" in result.stdout


def test_a_run_is_logged(call: Call, corpus: str, own_side_files: Path) -> None:
    """Each finished run adds one line with its stage, its output and how long it took; a failed one none."""
    arguments = ("vocab", "--corpus", corpus, "--set", "vocab.size=120", "--workers", "1", "--quiet")
    call(*arguments, "--out", "one")
    call(*arguments, "--out", "two")
    call("vocab", "--corpus", "nowhere", "--out", "three")
    lines = (own_side_files / "log" / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    assert [(entry["stage"], entry["out"]) for entry in entries] == [("vocab", "one"), ("vocab", "two")]
    assert list(entries[0]["phases"]) == ["count words", "merge"]
    assert entries[0]["seconds"] >= sum(entries[0]["phases"].values()) - 0.02


def test_workers_is_short_for_a_setting(call: Call, corpus: str) -> None:
    """``--workers`` and ``--set runtime.workers`` are the same, and neither shows in the manifest."""
    arguments = ("vocab", "--corpus", corpus, "--set", "vocab.size=120")
    call(*arguments, "--out", "one", "--workers", "1")
    call(*arguments, "--out", "two", "--set", "runtime.workers=2")
    one, two = Path("one/manifest.json").read_bytes(), Path("two/manifest.json").read_bytes()
    assert one == two
    assert b"workers" not in one
    result = call(*arguments, "--out", "three", "--set", "runtime.workers=0")
    check_error(result, code=3, message="runtime.workers = 0")
