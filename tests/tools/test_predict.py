"""From a fine-tuned model and data without labels to answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bertpipe.artifacts import open_artifact
from bertpipe.cli import main
from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ArtifactError, CheckpointError, TaskDataError
from bertpipe.stages import eval as eval_stage
from bertpipe.tasks import Task, TaskDescription
from bertpipe.tasks.kinds import (
    Classification,
    ClassificationDescription,
    MultiLabel,
    MultiLabelDescription,
    MultipleChoice,
    MultipleChoiceDescription,
    Regression,
    RegressionDescription,
)
from bertpipe.tools import predict

Make = Callable[..., Any]
RUNTIME = RuntimeConfig(threads=1, device="cpu")
WORDS = ("a b", "c", "d e f", "g h", "i j a", "b")

NAMED = ClassificationDescription(
    kind="classification", label_names={"0": "bad", "1": "good"}, submission={"test": "CoLA.tsv"}
)
CLASSIFIER = Classification("mine", NAMED, ("bad", "good"))
REGRESSOR = Regression(
    "mine", RegressionDescription(kind="regression", submission={"test": "STS-B.tsv"}, scale=(0, 5))
)
LABELLER = MultiLabel("mine", MultiLabelDescription(kind="multi_label"), ("x", "y", "z"))
CHOOSER = MultipleChoice("mine", MultipleChoiceDescription(kind="multiple_choice"))
KINDS: list[Task[Any, Any, Any]] = [CLASSIFIER, REGRESSOR, LABELLER, CHOOSER]


@pytest.fixture
def answer(tmp_path: Path) -> Make:
    """Answer into a folder of the test; return the summary."""

    def run(
        model: Path, data: Path, description: TaskDescription, name: str = "out", **changes: Any
    ) -> predict.PredictSummary:
        settings = predict.PredictSettings(
            predict=predict.PredictConfig(**changes), tasks={"mine": description}, runtime=RUNTIME
        )
        return predict.run(settings, model=model, task_name="mine", data=data, out=tmp_path / name)

    return run


def records(**others: Any) -> list[dict[str, Any]]:
    """Return what any of the kinds can read, without labels."""
    return [
        {"id": f"q{n}", "text": text, "sent1": text, "ending0": "a", "ending1": "b c", **others}
        for n, text in enumerate(WORDS)
    ]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("task", KINDS, ids=lambda task: task.description.kind)
def test_data_without_labels_is_answered(
    task: Task[Any, Any, Any], answer: Make, save_model: Make, write_data: Make, tmp_path: Path
) -> None:
    """Whatever the kind: the answers are those that ``eval`` has, where the data has labels."""
    summary = answer(save_model(task), write_data(*records()), task.description)
    answers = rows(tmp_path / "out" / "predictions.jsonl")
    assert [row["id"] for row in answers] == [f"q{n}" for n in range(6)]
    assert {row["target"] for row in answers} == {None}
    assert (summary.examples, summary.truncated_examples) == (6, 0) and summary.files[
        0
    ] == "predictions.jsonl"
    assert open_artifact(tmp_path / "out", stage="predict").counts == {"examples": 6}

    right = {"classification": "good", "regression": 1.5, "multi_label": None, "multiple_choice": 1}
    labelled = write_data(*records(label=right[task.description.kind], labels=["x"]), name="labelled")
    settings = eval_stage.EvalSettings(
        eval=eval_stage.EvalConfig(split="test"), tasks={"mine": task.description}, runtime=RUNTIME
    )
    eval_stage.run(
        settings, model=tmp_path / "model", task_name="mine", data=labelled, out=tmp_path / "scores"
    )
    scored = rows(tmp_path / "scores" / "predictions.jsonl")
    assert [row["prediction"] for row in answers] == [row["prediction"] for row in scored]


@pytest.mark.parametrize("task", KINDS, ids=lambda task: task.description.kind)
def test_eval_of_data_without_labels_points_to_predict(
    task: Task[Any, Any, Any], save_model: Make, write_data: Make, tmp_path: Path
) -> None:
    """One line with the place, and the command that does it."""
    settings = eval_stage.EvalSettings(
        eval=eval_stage.EvalConfig(split="test"), tasks={"mine": task.description}, runtime=RUNTIME
    )
    with pytest.raises(TaskDataError, match=r"test\.jsonl:1: no label in the field 'labels?'") as caught:
        eval_stage.run(
            settings,
            model=save_model(task),
            task_name="mine",
            data=write_data(*records()),
            out=tmp_path / "out",
        )
    assert caught.value.hint is not None and "'bertpipe predict' answers it" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_file_for_the_leaderboard_has_the_labels_of_the_data(
    answer: Make, save_model: Make, write_data: Make, tmp_path: Path
) -> None:
    """An index and what the data calls the label, under a header, in the order of the data."""
    summary = answer(save_model(CLASSIFIER), write_data(*records()), NAMED)
    assert summary.files == ["predictions.jsonl", "CoLA.tsv"]
    answers = rows(tmp_path / "out" / "predictions.jsonl")
    raw = {"bad": "0", "good": "1"}
    expected = ["index\tprediction", *(f"{row['id']}\t{raw[row['prediction']]}" for row in answers)]
    assert (tmp_path / "out" / "CoLA.tsv").read_text() == "\n".join(expected) + "\n"


def test_numbers_for_the_leaderboard_are_on_its_scale(
    answer: Make, save_model: Make, write_data: Make, tmp_path: Path
) -> None:
    """The predictions stay as they are; what is handed in is cut to the ends of the scale."""
    narrow = REGRESSOR.description.model_copy(update={"scale": (0.1, 0.2)})
    answer(save_model(REGRESSOR), write_data(*records()), narrow)
    numbers = [row["prediction"] for row in rows(tmp_path / "out" / "predictions.jsonl")]
    assert min(numbers) < 0.1 and max(numbers) > 0.2
    expected = [f"q{n}\t{min(max(number, 0.1), 0.2):.3f}" for n, number in enumerate(numbers)]
    assert (tmp_path / "out" / "STS-B.tsv").read_text().splitlines()[1:] == expected


def test_each_split_has_its_file(answer: Make, save_model: Make, write_data: Make, tmp_path: Path) -> None:
    """Where there are two test sets; a split of which no leaderboard knows has none."""
    files = {"test": "first.tsv", "test_two": "second.tsv"}
    both, model = NAMED.model_copy(update={"submission": files}), save_model(CLASSIFIER)
    for split in ("test", "test_two", "dev"):
        data = write_data(*records(), split=split)
    names = [answer(model, data, both, name, split=name).files[1:] for name in ("test", "test_two", "dev")]
    assert names == [["first.tsv"], ["second.tsv"], []]
    assert not list((tmp_path / "dev").glob("*.tsv"))


@pytest.mark.parametrize("submission", ["CoLA.txt", "../CoLA.tsv", {"test": "predictions.jsonl"}])
def test_a_file_for_the_leaderboard_has_a_name(submission: Any) -> None:
    """Of a .tsv file, not of a path or of what else stands in the folder."""
    with pytest.raises(ValueError, match=r"is no name of a \.tsv file"):
        ClassificationDescription(kind="classification", submission=submission)


def test_a_second_run_writes_the_same_bytes(
    answer: Make, save_model: Make, write_data: Make, tmp_path: Path
) -> None:
    """Every file is the same."""
    model, data = save_model(CLASSIFIER), write_data(*records())
    answer(model, data, NAMED, "one")
    answer(model, data, NAMED, "two")
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert one == two and one.keys() == {"predictions.jsonl", "CoLA.tsv", "manifest.json"}


def test_a_model_of_another_kind_is_refused(answer: Make, save_model: Make, write_data: Make) -> None:
    """It has another head, or the same head for another end."""
    data, model = write_data(*records()), save_model(CLASSIFIER)
    with pytest.raises(CheckpointError, match="holds a BertForSequenceClassification, mine needs a BertForM"):
        answer(model, data, CHOOSER.description)
    with pytest.raises(CheckpointError, match=r"fine-tuned for single_label_.*needs multi_label_class"):
        answer(model, data, LABELLER.description)
    with pytest.raises(CheckpointError, match="holds a BertForMultipleChoice, mine needs a BertForSeq"):
        answer(save_model(CHOOSER, "chooser"), data, NAMED)


def test_a_model_of_another_task_is_refused(
    answer: Make, save_model: Make, write_data: Make, tmp_path: Path
) -> None:
    """By a label that the task names and the model does not know: nothing is handed in by mistake."""
    other = Classification("other", ClassificationDescription(kind="classification"), ("bad", "worse"))
    with pytest.raises(CheckpointError, match="the model knows bad, worse, but not 'good' of mine"):
        answer(save_model(other), write_data(*records()), NAMED)
    assert not (tmp_path / "out").exists()


def test_an_output_of_another_command_stays(
    answer: Make, save_model: Make, write_data: Make, tmp_path: Path
) -> None:
    """As for every command."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    with pytest.raises(ArtifactError, match="is not an output of bertpipe"):
        answer(save_model(CLASSIFIER), write_data(*records()), NAMED)


def test_the_split_is_an_option(
    save_model: Make, write_data: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--split`` is short for the setting, whose default is test; the summary says what was written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    (tmp_path / "params.yaml").write_text("tasks: {mine: {kind: classification, submission: RTE.tsv}}")
    save_model(CLASSIFIER)
    write_data(*records()[:2])
    write_data(*records(), split="dev")
    shared = ("predict", "--model", "model", "--task", "mine", "--data", "data", "--out", "out", "--json")
    for options, examples, files in (([], 2, ["RTE.tsv"]), (["--split", "dev"], 6, [])):
        result = CliRunner().invoke(main, [*shared, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout) == {
            "examples": examples,
            "truncated_examples": 0,
            "finetuned_for": None,
            "files": ["predictions.jsonl", *files],
        }
