"""Decisions of a run that a resumed run goes by."""

from pathlib import Path

import pytest

from bertpipe.errors import ArtifactError
from bertpipe.training.decisions import Decisions


def test_a_decision_is_read_again(tmp_path: Path) -> None:
    """Another process in the same folder goes by it; before it, there is none."""
    assert Decisions(tmp_path).get("total_steps") is None
    assert Decisions(tmp_path).record("total_steps", 1234) == 1234
    assert Decisions(tmp_path).get("total_steps") == 1234


def test_decisions_of_a_kind_are_found_by_the_start_of_their_name(tmp_path: Path) -> None:
    """What a run decides at several steps is read back by step."""
    decisions = Decisions(tmp_path)
    for name, value in (("micro_batch_size_from_0", 64), ("micro_batch_size_from_30", 32), ("other", 1)):
        decisions.record(name, value)
    assert Decisions(tmp_path).starting_with("micro_batch_size_from_") == {"0": 64, "30": 32}


def test_a_later_decision_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    """A micro-batch may be halved again; what else was decided stays."""
    decisions = Decisions(tmp_path)
    decisions.record("total_steps", 7)
    decisions.record("micro_batch_size", 64)
    assert decisions.record("micro_batch_size", 32) == 32
    again = Decisions(tmp_path)
    assert (again.get("micro_batch_size"), again.get("total_steps")) == (32, 7)
    assert (tmp_path / "decisions.json").read_bytes() == (
        b'{\n  "total_steps": 7,\n  "micro_batch_size": 32\n}\n'
    )


def test_a_decision_that_cannot_be_written_leaves_the_old_ones(tmp_path: Path) -> None:
    """Nothing is half written: what is no JSON (a bug, say) does not reach the file."""
    decisions = Decisions(tmp_path)
    decisions.record("micro_batch_size", 64)
    with pytest.raises(TypeError):
        decisions.record("total_steps", object())  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["decisions.json"]
    assert Decisions(tmp_path).get("micro_batch_size") == 64 == decisions.get("micro_batch_size")
    assert decisions.get("total_steps") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"total_steps": 1.5}', b'{"a": true}', b"\xff"])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    """One line with the path and the way out, not a guess at what was decided."""
    (tmp_path / "decisions.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"decisions\.json is damaged") as caught:
        Decisions(tmp_path)
    assert caught.value.hint is not None and str(tmp_path) in caught.value.hint
