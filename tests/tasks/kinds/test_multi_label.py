"""Any number of labels: reading, loss, predictions and scores, against ``transformers`` and by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from transformers import BertConfig
from transformers.loss.loss_utils import ForSequenceClassificationLoss

from bertpipe.errors import TaskDataError
from bertpipe.model import TokenBatch
from bertpipe.tasks.inputs import Inputs
from bertpipe.tasks.kinds import MultiLabel, MultiLabelDescription
from bertpipe.tasks.shares import sigmoid

LISTS = MultiLabelDescription(kind="multi_label")
NOTHING = Inputs(input_ids=[], first_segment_lengths=np.zeros(0, int), example_numbers=np.zeros(0, int))
TOKENS = TokenBatch.of(np.zeros(3, int), lengths=np.ones(3, int), first_segment_lengths=np.ones(3, int))


def read(folder: Path, *records: dict[str, Any], **changes: Any) -> tuple[MultiLabelDescription, Any]:
    """Write records and read them again; return the description too."""
    text = "".join(json.dumps({"text": "t", **one}) + "\n" for one in records)
    (folder / "dev.jsonl").write_text(text, encoding="utf-8")
    description = MultiLabelDescription(kind="multi_label", **changes)
    return description, MultiLabel.read(folder, "dev", description)


@pytest.mark.parametrize(
    ("records", "changes"),
    [
        ([{"labels": ["b", "a"]}, {"labels": []}, {"labels": ["c"]}], {}),
        ([{"labels": "b, a,"}, {"labels": ""}, {"labels": "c"}], {"separator": ","}),
        (
            [{"c": 0, "a": 1, "b": 1}, {"c": "0", "a": "0", "b": "0"}, {"c": "1", "a": 0, "b": False}],
            {"columns": ("c", "a", "b")},
        ),
    ],
)
def test_labels_stand_in_a_list_a_text_or_columns(
    records: list[dict[str, Any]], changes: dict[str, Any], tmp_path: Path
) -> None:
    """Wherever they stand, the same is learned, in sorted order; an example may have no label."""
    description, examples = read(tmp_path, *records, **changes)
    task = MultiLabel.learn("topics", description, examples)
    assert task.labels == ("a", "b", "c") and task.head.outputs == 3
    marks = np.concatenate(task.targets(examples, NOTHING))
    assert marks.dtype == np.float32 and marks.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert [sorted(example.target) for example in examples] == [["a", "b"], [], ["c"]]


def test_every_column_is_a_label(tmp_path: Path) -> None:
    """Also one that no training example has: the user named it."""
    description, examples = read(tmp_path, {"x": 1, "y": 0}, {"x": 0, "y": 0}, columns=("y", "x"))
    assert MultiLabel.learn("topics", description, examples).labels == ("x", "y")


def test_columns_may_be_nested(tmp_path: Path) -> None:
    """A dot leads into an object, as with any field."""
    marks = ({"x": 1, "y": 0}, {"x": 0, "y": 1})
    _, examples = read(tmp_path, *({"is": one} for one in marks), columns=("is.x", "is.y"))
    assert [example.target for example in examples] == [["is.x"], ["is.y"]]
    with pytest.raises(TaskDataError, match=r"'is\.x' must be 0 or 1, found 2"):
        read(tmp_path, {"is": {"x": 2, "y": 0}}, columns=("is.x", "is.y"))


def test_the_averaged_loss_is_that_of_transformers(tmp_path: Path) -> None:
    """The sum over what is counted is the mean over examples and labels; so is the share that is right."""
    description, examples = read(tmp_path, {"labels": ["b", "a"]}, {"labels": []}, {"labels": ["c"]})
    task = MultiLabel.learn("topics", description, examples)
    gold = np.concatenate(task.targets(examples, NOTHING))
    torch.manual_seed(0)
    outputs = torch.randn(3, 3)
    config = BertConfig(num_labels=3, problem_type=task.facts["problem_type"])
    expected = ForSequenceClassificationLoss(torch.from_numpy(gold), outputs, config)
    term = task.term(outputs, torch.from_numpy(gold), TOKENS)
    assert float(term.loss) / task.counted(gold) == pytest.approx(float(expected), rel=1e-6)
    assert term.correct is not None
    assert int(term.correct) == int(((outputs > 0).numpy() == gold.astype(bool)).sum())


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, ["b", "c"]), (0.2, ["a", "b", "c"]), (0.9, ["c"])])
def test_labels_from_the_threshold_on_are_predicted(threshold: float, expected: list[str]) -> None:
    """Probabilities 0.27, 0.5 and 0.95, by hand from the logistic function."""
    description = MultiLabelDescription(kind="multi_label", threshold=threshold)
    task = MultiLabel("topics", description, ("a", "b", "c"))
    (prediction,) = task.predictions([], NOTHING, [np.array([[-1, 0, 3]], np.float32)])
    assert prediction["prediction"] == expected
    assert prediction["probabilities"] == pytest.approx({"a": 0.268941, "b": 0.5, "c": 0.952574}, abs=1e-6)


@given(arrays.arrays(np.float32, 5, elements=st.floats(-(2.0**120), 2.0**120, width=32)))
def test_probabilities_are_those_of_torch(scores: Any) -> None:
    """For any score that a float holds, without a warning."""
    assert np.allclose(sigmoid(scores), torch.from_numpy(scores).sigmoid().numpy(), rtol=1e-4, atol=1e-7)


def test_scores_by_hand(tmp_path: Path) -> None:
    """Of three labels two are found and one is false; one of three sets is right.

    The best constant answer is "a": right twice in three, of three gold labels.
    """
    description, examples = read(tmp_path, {"labels": ["a"]}, {"labels": ["a", "b"]}, {"labels": []})
    task = MultiLabel.learn("topics", description, examples)
    predictions: list[dict[str, Any]] = [{"prediction": ["a"]}, {"prediction": ["a"]}, {"prediction": ["b"]}]
    judgement = task.judge(examples, predictions, split="test")
    assert judgement.report.scores == pytest.approx(
        {"micro_f1": 2 * 2 / (3 + 3), "macro_f1": (1 + 0) / 2, "subset_accuracy": 1 / 3}
    )
    assert judgement.scorer(np.array([0, 0]))["subset_accuracy"] == 1
    assert judgement.baseline == {"micro_f1": pytest.approx(2 * 2 / (3 + 3))}
    assert "|split:test|n:3|labels:a,b|threshold:0.5|" in judgement.report.signature()
    assert not judgement.constant_prediction and judgement.pairs == ()
    assert task.judge(examples, predictions[:1] * 3, split="test").constant_prediction


@pytest.mark.parametrize(
    ("record", "changes", "message"),
    [
        ({"labels": ["a", "x"]}, {}, "unknown label 'x', the model knows a, b"),
        ({"labels": None}, {}, "no label in the field 'labels'"),
        ({}, {}, "no label in the field 'labels'"),
        ({}, {"columns": ("a", "b")}, "no label in the field 'a, b'"),
        ({"labels": "a,b"}, {}, "'labels' is no list of labels: 'a,b'"),
        ({"labels": ["a", 1.5]}, {}, r"'labels' holds what is no label: 1\.5"),
        ({"labels": [""]}, {}, "'labels' holds what is no label: ''"),
        ({"labels": [True]}, {}, "'labels' holds what is no label: True"),
        ({"labels": "a|x"}, {"separator": "|"}, "unknown label 'x', the model knows a, b"),
    ],
)
def test_a_label_that_cannot_be_scored_is_told(
    record: dict[str, Any], changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """By its place, with what the model knows."""
    description, examples = read(tmp_path, record, **changes)
    with pytest.raises(TaskDataError, match=rf"dev\.jsonl:1: {message}"):
        MultiLabel("topics", description, ("a", "b")).check(examples)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"a": 1, "b": 2}, "'b' must be 0 or 1, found 2"),
        ({"a": "", "b": "1"}, "'a' must be 0 or 1, found ''"),
        ({"a": [], "b": "1"}, r"'a' must be 0 or 1, found \[\]"),
        ({"a": "1"}, "no field 'b', only 'text', 'a'"),
    ],
)
def test_a_bad_column_is_told(record: dict[str, Any], message: str, tmp_path: Path) -> None:
    """What is neither 0 nor 1, and a column of several that is missing."""
    with pytest.raises(TaskDataError, match=rf"dev\.jsonl:1: {message}"):
        read(tmp_path, record, columns=("a", "b"))


def test_the_same_labels_throughout_are_nothing_to_learn(tmp_path: Path) -> None:
    """Whether it is one label or none."""
    for labels in (["a"], []):
        description, examples = read(tmp_path, {"labels": labels}, {"labels": labels})
        with pytest.raises(TaskDataError, match=r"all 2 training examples of topics have the labels \["):
            MultiLabel.learn("topics", description, examples)


def test_labels_stand_in_one_place_only() -> None:
    """Columns and a target contradict each other."""
    with pytest.raises(ValueError, match="in columns, or in target, but not in both"):
        MultiLabelDescription(kind="multi_label", columns=("a",), separator=",")


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ('text,labels\none,"b;a"\ntwo,\nthree,c\n', {"separator": ";"}),
        ("text,a,b,c\none,1,1,0\ntwo,0,0,0\nthree,0,0,1\n", {"columns": ("a", "b", "c")}),
    ],
)
def test_labels_in_a_table(table: str, changes: dict[str, Any], tmp_path: Path) -> None:
    """Where all is text: an empty cell has no label, and is not unlabelled."""
    (tmp_path / "dev.csv").write_text(table)
    description = MultiLabelDescription(kind="multi_label", **changes)
    examples = MultiLabel.read(tmp_path, "dev", description)
    assert MultiLabel.learn("topics", description, examples).labels == ("a", "b", "c")
    assert [sorted(example.target) for example in examples] == [["a", "b"], [], ["c"]]
