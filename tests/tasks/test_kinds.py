"""Classification and regression: targets, loss, predictions, scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import ValidationError
from transformers import BertConfig
from transformers.loss.loss_utils import ForSequenceClassificationLoss

from bertpipe.configs import Params
from bertpipe.errors import CheckpointError, ConfigError, TaskDataError
from bertpipe.model import TokenBatch
from bertpipe.stages.eval import EvalSettings
from bertpipe.tasks import Task
from bertpipe.tasks.inputs import Inputs
from bertpipe.tasks.kinds import Classification, ClassificationDescription, Regression, RegressionDescription
from bertpipe.tasks.texts import TextExample

CLASSES = ClassificationDescription(kind="classification")
NUMBERS = RegressionDescription(kind="regression", target="score")
NOTHING = Inputs(input_ids=[], first_segment_lengths=np.zeros(0, int), example_numbers=np.zeros(0, int))
TOKENS = TokenBatch.of(np.zeros(3, int), lengths=np.ones(3, int), first_segment_lengths=np.ones(3, int))


def examples_of(*targets: Any) -> list[TextExample]:
    return [
        TextExample(id=str(n), texts=("t",), target=target, place=f"train.jsonl:{n + 1}")
        for n, target in enumerate(targets)
    ]


def classifier() -> Classification:
    return Classification.learn("films", CLASSES, examples_of("good", "bad", "good", "awful"))


def test_labels_are_known_by_name_in_sorted_order() -> None:
    """Whatever order the examples have; whole numbers are names too."""
    task = classifier()
    assert task.labels == ("awful", "bad", "good") and task.head.outputs == 3
    assert [int(n[0]) for n in task.targets(examples_of("good", "awful"), NOTHING)] == [2, 0]
    numbered = Classification.learn("films", CLASSES, examples_of(1, 0, 1))
    assert numbered.labels == ("0", "1")
    assert [int(n[0]) for n in numbered.targets(examples_of(1), NOTHING)] == [1]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("fine", r"train\.jsonl:1: unknown label 'fine', the model knows awful, bad, good"),
        (None, r"train\.jsonl:1: no label in the field 'label'"),
        ("", r"train\.jsonl:1: no label in the field 'label'"),
        (1.5, r"train\.jsonl:1: 'label' is no label: 1\.5"),
        (["good"], r"train\.jsonl:1: 'label' is no label"),
        ("a\tb", r"train\.jsonl:1: 'label' is no label: 'a\\tb'"),
        ("a\nb", r"train\.jsonl:1: 'label' is no label: 'a\\nb'"),
    ],
)
def test_a_label_that_cannot_be_scored_is_told(target: Any, message: str) -> None:
    """By its place, with what the model knows; a tab would break the confusion table."""
    with pytest.raises(TaskDataError, match=message):
        classifier().check(examples_of(target))


def test_one_class_is_no_classification() -> None:
    """There would be nothing to learn."""
    with pytest.raises(TaskDataError, match="all 2 training examples of films have the label 'good'"):
        Classification.learn("films", CLASSES, examples_of("good", "good"))


@pytest.mark.parametrize("target", ["5", True, float("nan"), float("inf"), 10**400, 1e39])
def test_what_is_no_number_is_told(target: Any) -> None:
    """Text, booleans, and numbers that float32 does not hold."""
    with pytest.raises(TaskDataError, match=r"train\.jsonl:2: 'score' must be a finite number, found"):
        Regression.learn("things", NUMBERS, examples_of(1.0, target))


def test_one_value_is_no_regression() -> None:
    """There would be nothing to learn."""
    with pytest.raises(TaskDataError, match="all 2 training examples of things have the value 3"):
        Regression.learn("things", NUMBERS, examples_of(3, 3.0))


@pytest.mark.parametrize(
    "task",
    [
        Classification.learn("x", CLASSES, examples_of("a", "b", "a")),
        Regression.learn("x", NUMBERS, examples_of(0.5, 2, -1)),
    ],
)
def test_the_loss_is_that_of_transformers(task: Task[Any, Any, Any]) -> None:
    """The sum over the examples is three times the mean that Hugging Face's loss gives."""
    targets = ("a", "b", "a") if isinstance(task, Classification) else (0.5, 2, -1)
    torch.manual_seed(0)
    outputs = torch.randn(3, task.head.outputs)
    gold = torch.from_numpy(np.concatenate(task.targets(examples_of(*targets), NOTHING)))
    config = BertConfig(num_labels=task.head.outputs, problem_type=task.facts["problem_type"])
    expected = ForSequenceClassificationLoss(gold, outputs, config)
    term = task.term(outputs, gold, TOKENS)
    assert float(term.loss) == pytest.approx(3 * float(expected), rel=1e-6)
    if term.correct is not None:
        assert int(term.correct) == int((outputs.argmax(1) == gold).sum())


@given(arrays.arrays(np.float32, (4, 3), elements=st.floats(-200, 200, width=32)))
def test_probabilities_are_a_distribution(outputs: np.ndarray[Any, Any]) -> None:
    """They sum to 1 within rounding, by label, and the prediction is the most probable."""
    for row, prediction in zip(outputs, classifier().predictions([], NOTHING, [outputs]), strict=True):
        probabilities = prediction["probabilities"]
        assert list(probabilities) == ["awful", "bad", "good"]
        assert sum(probabilities.values()) == pytest.approx(1, abs=2e-6)
        assert prediction["prediction"] == ("awful", "bad", "good")[int(row.argmax())]


def test_scores_by_hand() -> None:
    """Two of four right; the most frequent label is half of the gold ones."""
    task = Classification.restore("films", CLASSES, labels=("bad", "good"), config={})
    gold = examples_of("bad", "bad", "good", "good")
    judgement = task.judge(gold, [{"prediction": p} for p in ("bad", "good", "good", "bad")], split="test")
    assert judgement.report.scores["accuracy"] == 0.5 and judgement.report.primary == "accuracy"
    assert judgement.report.signature().startswith("films|accuracy=50.0|")
    assert "|split:test|n:4|labels:bad,good|" in judgement.report.signature()
    assert judgement.baseline == {"majority_accuracy": 0.5} and not judgement.constant_prediction
    assert task.judge(gold, [{"prediction": "bad"}] * 4, split="dev").constant_prediction
    assert not task.judge(gold[:2], [{"prediction": "bad"}] * 2, split="dev").constant_prediction


def test_regression_by_hand() -> None:
    """Predictions twice the gold values: correlation 1, mean squared error (1 + 4 + 9) / 3."""
    task = Regression.restore("things", NUMBERS, labels=(), config={})
    predictions = task.predictions([], NOTHING, [np.array([[2], [4], [6]], np.float32)])
    judgement = task.judge(examples_of(1, 2, 3), predictions, split="dev")
    assert judgement.report.scores == pytest.approx(
        {"pearson": 1.0, "spearman": 1.0, "mean_squared_error": 14 / 3}
    )
    assert judgement.baseline["mean_squared_error"] == pytest.approx(2 / 3)


def test_a_regression_tells_the_scores_that_are_asked_for() -> None:
    """In their order, the first is the primary one; what is positive for F1 stands in the signature."""
    description = RegressionDescription(kind="regression", metrics=("f1", "spearman"), threshold=3)
    task = Regression.restore("things", description, labels=(), config={})
    predictions = [{"prediction": value} for value in (2.5, 3.5, 3.0)]
    report = task.judge(examples_of(1, 2, 3), predictions, split="dev").report
    assert list(report.scores) == ["f1", "spearman"] and report.primary == "f1"
    assert report.scores == pytest.approx({"f1": 2 / 3, "spearman": 0.5})
    assert "|positive:>=3|" in report.signature()
    with pytest.raises(ValidationError, match="the score f1 needs threshold"):
        RegressionDescription(kind="regression", metrics=("f1",))


def test_a_number_at_the_threshold_is_positive() -> None:
    """As float32, 0.7 would be less than 0.7; the targets alone are so short."""
    description = RegressionDescription(kind="regression", metrics=("f1",), threshold=0.7)
    task = Regression.restore("things", description, labels=(), config={})
    gold = examples_of(0.7, 0.1)
    report = task.judge(gold, [{"prediction": value} for value in (0.7, 0.1)], split="dev").report
    assert report.scores == {"f1": 1.0}
    assert {target.dtype for target in task.targets(gold, NOTHING)} == {np.dtype(np.float32)}


def test_numbers_of_a_table_are_parsed(tmp_path: Path) -> None:
    """All is text there; in JSON a text is still no number."""
    (tmp_path / "dev.tsv").write_text("text\tscore\na\t4.50\nb\t-1e1\n")
    assert [one.target for one in Regression.read(tmp_path, "dev", NUMBERS)] == [4.5, -10.0]
    (tmp_path / "test.tsv").write_text("text\tscore\na\t1\nb\tnan\nc\tfive\nd\t\n")
    examples = Regression.read(tmp_path, "test", NUMBERS)
    for line, value in ((3, "nan"), (4, "'five'"), (5, "''")):
        message = rf"test\.tsv:{line}: 'score' must be a finite number, found {value}"
        with pytest.raises(TaskDataError, match=message):
            Regression("things", NUMBERS).check([examples[0], examples[line - 2]])
    (tmp_path / "train.jsonl").write_text('{"text": "a", "score": "4.5"}\n')
    with pytest.raises(TaskDataError, match=r"train\.jsonl:1: 'score' must be a finite number, found '4\.5'"):
        Regression("things", NUMBERS).check(Regression.read(tmp_path, "train", NUMBERS))


def test_labels_may_be_named(tmp_path: Path) -> None:
    """Also where YAML reads what the data calls them as numbers or truth values."""
    params = tmp_path / "params.yaml"
    params.write_text("tasks:\n  x: {kind: classification, label_names: {0: bad, 2: good, true: sure}}\n")
    described = Params.load(params).read(EvalSettings).tasks["x"]
    assert isinstance(described, ClassificationDescription)
    assert described.label_names == {"0": "bad", "2": "good", "True": "sure"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_names": {"True": "spam", "False": "ham"}}, "label_names has 'True', .* 'false', 'true'$"),
        ({"label_names": {"true": "spam", "2": "odd"}}, "label_names has '2', but .* are 'false', 'true'$"),
        ({"metrics": ("f1",), "positive": "spam"}, "positive is 'spam', but .* are false, true$"),
    ],
)
def test_what_is_said_of_labels_is_about_those_of_the_data(changes: dict[str, Any], message: str) -> None:
    """A name that no label has would be refused of the model later, and F1 of no label be 0."""
    described = ClassificationDescription(kind="classification", **changes)
    with pytest.raises(ConfigError, match=rf"^tasks\.mails\.{message}"):
        Classification.learn("mails", described, examples_of("true", "false"))


@pytest.mark.parametrize(
    "changes", [{"label_names": {"1": "spam"}}, {"metrics": ("f1",), "positive": "spam"}]
)
def test_a_model_must_know_the_labels_that_are_spoken_of(changes: dict[str, Any]) -> None:
    """Else its answers are about something else."""
    described = ClassificationDescription(kind="classification", **changes)
    with pytest.raises(CheckpointError, match="the model knows no, yes, but not 'spam' of mails"):
        Classification.restore("mails", described, labels=("no", "yes"), config={})
