"""Two models on the same examples: how sure their difference is."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bertpipe.artifacts import input_hash, write_json, written_whole
from bertpipe.cli import main
from bertpipe.errors import ArtifactError
from bertpipe.tools import compare
from bertpipe.tools.compare import CompareConfig, CompareSettings, CompareSummary

Answer = Callable[..., Path]
N = 200
GOLD = ["yes" if number % 3 else "no" for number in range(N)]
DESCRIPTION = {"name": "mine", "kind": "classification", "texts": ["text"]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a task's folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [json.dumps({"id": f"q{n}", "text": "a", "label": label}) for n, label in enumerate(GOLD)]
    (folder / "dev.jsonl").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def answer(tmp_path: Path, data: Path) -> Answer:
    """Return a function that writes an output of ``eval`` in which some answers are wrong."""

    def make(
        name: str,
        wrong: set[int],
        *,
        without: str = "",
        first_id: str = "q0",
        metrics: Sequence[str] = ("accuracy", "macro_f1"),
        **changes: Any,
    ) -> Path:
        answers = [{"yes": "no", "no": "yes"}[g] if n in wrong else g for n, g in enumerate(GOLD)]
        rows = [
            {
                "id": f"q{n}" if n else first_id,
                "target": gold,
                "prediction": answer,
                "beside": "one\u2028line",
            }
            for n, (gold, answer) in enumerate(zip(GOLD, answers, strict=True))
        ]
        scores = {"task": "mine", "kind": "classification", "split": "dev", "n": N}
        scores |= {"labels": ["no", "yes"], "facts": {}} | changes
        scores.pop(without, None)
        inputs = {"data": input_hash(data), "model": name}
        settings = {"task": DESCRIPTION | {"metrics": metrics}, "eval": {}}
        with written_whole(tmp_path / name, stage="eval", settings=settings, inputs=inputs) as output:
            write_json(output.folder / "scores.json", scores)
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (output.folder / "predictions.jsonl").write_text(text)
        return tmp_path / name

    return make


def run(first: Path, second: Path, data: Path, samples: int) -> CompareSummary:
    settings = CompareSettings(compare=CompareConfig(bootstrap_samples=samples))
    return compare.run(settings, first=first, second=second, data=data, out=data.with_name("compared"))


def test_the_scores_are_those_of_the_predictions(answer: Answer, data: Path) -> None:
    """By hand: 40 and 20 of 200 are wrong; 20 examples differ, all to the good, so it is sure.

    The spread of the difference is sqrt(0.1 - 0.1^2) / sqrt(200) = 0.0212.
    """
    worse, better = answer("worse", set(range(0, 200, 5))), answer("better", set(range(0, 200, 10)))
    found = run(worse, better, data, 1000)
    assert (found.task, found.split, found.n, found.primary) == ("mine", "dev", 200, "accuracy")
    accuracy = found.scores["accuracy"]
    assert (accuracy.first, accuracy.second) == (0.8, 0.9) and accuracy.difference == pytest.approx(0.1)
    assert accuracy.interval == pytest.approx((0.1 - 1.96 * 0.0212, 0.1 + 1.96 * 0.0212), abs=0.008)
    assert accuracy.p_value < 0.01
    assert found.scores["macro_f1"].first < found.scores["macro_f1"].second
    assert run(worse, better, data, 1000) == found


def test_models_that_fail_alike_are_not_told_apart(answer: Answer, data: Path) -> None:
    """As many wrong, at other places: the difference is 0, and nothing speaks for either."""
    one, other = answer("one", set(range(0, 60, 2))), answer("other", set(range(1, 60, 2)))
    accuracy = run(one, other, data, 500).scores["accuracy"]
    assert accuracy.difference == 0.0 and accuracy.interval[0] < 0 < accuracy.interval[1]
    assert accuracy.p_value > 0.5


def test_pairs_tell_more_than_two_intervals(answer: Answer, data: Path) -> None:
    """The intervals of the two scores overlap, that of their difference does not hold 0."""
    random = np.random.default_rng(0).permutation(N)
    worse, better = answer("worse", set(random[:60].tolist())), answer("better", set(random[:48].tolist()))
    accuracy = run(worse, better, data, 1000).scores["accuracy"]
    assert accuracy.difference == pytest.approx(0.06)
    assert 1.96 * (0.7 * 0.3 / N) ** 0.5 > 0.06 and accuracy.interval[0] > 0


def test_scores_that_one_of_them_lacks_are_left_out(answer: Answer, data: Path) -> None:
    """Whichever it is: what both are compared by is told, and the others that both have."""
    many, few = answer("many", {1}), answer("few", {2}, metrics=["accuracy", "matthews_correlation"])
    assert list(run(many, few, data, 10).scores) == list(run(few, many, data, 10).scores) == ["accuracy"]
    other = answer("other", {2}, metrics=["macro_f1", "accuracy"])
    with pytest.raises(ArtifactError, match=r"by accuracy in .*many, but by macro_f1 in .*other") as caught:
        run(many, other, data, 10)
    assert caught.value.hint is not None and "tasks.<name>.metrics" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "yours"}, "task is mine in .*one, but yours in .*other"),
        ({"split": "test"}, "split is dev in .*one, but test in .*other"),
        ({"first_id": "q7"}, "other: its predictions are for other examples"),
        ({"without": "labels"}, r"other: written by bertpipe \d"),
    ],
)
def test_what_cannot_be_compared_is_told(
    changes: dict[str, Any], message: str, answer: Answer, data: Path
) -> None:
    """In one line, with both sides."""
    one, other = answer("one", {1}), answer("other", {2}, **changes)
    with pytest.raises(ArtifactError, match=message) as caught:
        run(one, other, data, 10)
    assert "\n" not in caught.value.message


def test_other_data_is_refused(answer: Answer, data: Path) -> None:
    """Data that has changed since is other data; so is an output of another stage no scores."""
    one, other = answer("one", {1}), answer("other", {2})
    with (data / "dev.jsonl").open("a") as file:
        file.write('{"id": "new", "text": "a", "label": "yes"}\n')
    with pytest.raises(ArtifactError, match=r"one was scored on other data than .*data"):
        run(one, other, data, 10)
    with pytest.raises(ArtifactError, match="data"):
        run(one, data, data, 10)


def test_the_command_prints_a_table_or_json(
    answer: Answer, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A row a score; the same figures as JSON; an error is two lines and an exit code."""
    monkeypatch.setenv("COLUMNS", "200")
    worse, better = answer("worse", set(range(0, 200, 5))), answer("better", set(range(0, 200, 10)))
    options = ["--data", str(data), "--out", str(tmp_path / "out"), "--set", "compare.bootstrap_samples=200"]
    arguments = ["compare", str(worse), str(better), *options]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0
    (row,) = [line for line in shown.stdout.splitlines() if " accuracy " in line]
    assert [cell.strip() for cell in row.split("│")[1:5]] == ["accuracy", "80.0", "90.0", "10.0"]
    values = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    assert values["scores"]["accuracy"]["difference"] == pytest.approx(0.1)
    assert values == json.loads((tmp_path / "out" / "comparison.json").read_text())
    failed = CliRunner().invoke(main, ["compare", str(worse), str(data), *options])
    assert failed.exit_code == 5 and failed.stderr.startswith("error: ") and failed.stdout == ""
