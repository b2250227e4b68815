"""From a fine-tuned model and labelled data to predictions and scores."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertForSequenceClassification

from bertpipe.artifacts import open_artifact, read_manifest
from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ArtifactError, CheckpointError, ConfigError, TaskDataError
from bertpipe.reports.sources import read_runs
from bertpipe.stages import eval as eval_stage
from bertpipe.stages import finetune
from bertpipe.stages.eval import EvalConfig, EvalSettings
from bertpipe.tasks import Answerer, TaskDescription
from bertpipe.tasks.kinds import ClassificationDescription
from bertpipe.vocab import Tokenizer

Make = Callable[..., Any]
FILMS, PRODUCTS = "film-reviews", "product-reviews"


@pytest.fixture
def score(made: Path, tmp_path: Path) -> Make:
    """Evaluate a model into a folder of the test; return the summary."""

    def run(
        model: Path,
        name: str = "out",
        *,
        task: str = FILMS,
        data: Path | None = None,
        tasks: dict[str, TaskDescription] | None = None,
        **changes: Any,
    ) -> eval_stage.EvalSummary:
        settings = EvalSettings(
            eval=EvalConfig(**({"split": "test"} | changes)),
            tasks=tasks or {},
            runtime=RuntimeConfig(threads=1, device="cpu"),
        )
        return eval_stage.run(
            settings, model=model, task_name=task, data=data or made / "tasks" / task, out=tmp_path / name
        )

    return run


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_predictions_stand_in_the_order_of_the_data(
    score: Make, finetuned: Callable[[str], Path], tmp_path: Path, made: Path
) -> None:
    """With id, target, prediction and probabilities; the scores are those of these predictions."""
    summary = score(finetuned(FILMS))
    data = rows(made / "tasks" / FILMS / "test.jsonl")
    predictions = rows(tmp_path / "out" / "predictions.jsonl")
    assert [(row["id"], row["label"]) for row in data] == [(p["id"], p["target"]) for p in predictions]
    right = sum(p["prediction"] == p["target"] for p in predictions)
    assert summary.scores["accuracy"] == right / 10 > 0.7
    assert predictions[0].keys() == {"id", "target", "prediction", "probabilities"}
    assert all(
        p["prediction"] == max(p["probabilities"], key=p["probabilities"].__getitem__) for p in predictions
    )
    confusion = (tmp_path / "out" / "confusion.tsv").read_text().splitlines()
    assert confusion == ["actual\tpredicted", *(f"{p['target']}\t{p['prediction']}" for p in predictions)]


def test_the_batch_size_does_not_change_predictions(
    score: Make, finetuned: Callable[[str], Path], tmp_path: Path
) -> None:
    """Examples are sorted by length into batches, and come back in their order, equal but for rounding."""
    for size in (1, 3, 64):
        score(finetuned(FILMS), str(size), batch_size=size)
    found = [[row["id"] for row in rows(tmp_path / str(n) / "predictions.jsonl")] for n in (1, 3, 64)]
    assert found[0] == found[1] == found[2]
    probabilities = [
        [row["probabilities"]["positive"] for row in rows(tmp_path / str(n) / "predictions.jsonl")]
        for n in (1, 3, 64)
    ]
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-5)
    assert probabilities[0] == pytest.approx(probabilities[2], abs=1e-5)


def test_a_second_run_writes_the_same_bytes(
    score: Make, finetuned: Callable[[str], Path], tmp_path: Path
) -> None:
    """Every file is the same, and the manifest names model and data."""
    score(finetuned(FILMS), "one")
    score(finetuned(FILMS), "two")
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert one == two
    assert one.keys() == {"predictions.jsonl", "confusion.tsv", "scores.json", "manifest.json"}
    manifest = open_artifact(tmp_path / "one", stage="eval")
    assert manifest.inputs["model"] == read_manifest(finetuned(FILMS)).content_hash()


def test_scores_have_an_interval_and_each_class_its_own(
    score: Make, finetuned: Callable[[str], Path], tmp_path: Path
) -> None:
    """The intervals hold their scores; counts, classes and accuracy agree; the bins hold all examples."""
    summary = score(finetuned(FILMS))
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["intervals"].keys() == scores["scores"].keys() == summary.intervals.keys()
    for name, (low, high) in scores["intervals"].items():
        assert low <= scores["scores"][name] <= high
    (first, second) = scores["confusion"]["counts"]
    assert scores["confusion"]["labels"] == scores["labels"] == ["negative", "positive"]
    assert (first[0] + second[1]) / 10 == scores["scores"]["accuracy"]
    assert [one["support"] for one in scores["classes"].values()] == [sum(first), sum(second)] == [5, 5]
    assert scores["classes"]["positive"]["recall"] == second[1] / 5
    assert sum(part["count"] for part in scores["calibration"]["bins"]) == 10
    assert summary.expected_calibration_error == scores["calibration"]["expected_calibration_error"]


def test_no_draws_are_no_intervals(score: Make, finetuned: Callable[[str], Path], tmp_path: Path) -> None:
    """The scores are the same."""
    with_them, without = score(finetuned(FILMS), "with"), score(finetuned(FILMS), bootstrap_samples=0)
    assert without.intervals == {} and without.scores == with_them.scores


def test_scores_say_how_fine_tuning_ended(
    score: Make, finetuned: Callable[[str], Path], tmp_path: Path
) -> None:
    """Dev scores and the training loss against that of the best constant answer, of our own models."""
    summary = score(finetuned(FILMS))
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert summary.below_baseline is scores["below_baseline"] is True
    assert scores["dev"] == json.loads((finetuned(FILMS) / "metrics.json").read_text())["dev"]


def test_the_split_is_named(score: Make, finetuned: Callable[[str], Path], tmp_path: Path) -> None:
    """Dev and test have different examples, and the signature says which were scored."""
    dev, test = score(finetuned(FILMS), "dev", split="dev"), score(finetuned(FILMS), "test", split="test")
    assert "|split:dev|n:12|" in dev.signature and "|split:test|n:10|" in test.signature
    assert rows(tmp_path / "dev" / "predictions.jsonl")[0]["id"] == "dev-0"
    assert json.loads((tmp_path / "test" / "scores.json").read_text())["split"] == "test"


@pytest.mark.parametrize("task", [FILMS, PRODUCTS])
def test_the_report_reads_the_scores(
    task: str, score: Make, finetuned: Callable[[str], Path], tmp_path: Path
) -> None:
    """Seed, start and number of examples are those of the fine-tuning."""
    summary = score(finetuned(task), f"scores/{task}/pretrained-1", task=task)
    (run,) = read_runs(tmp_path / "scores").values()
    assert (run.task, run.split, run.n, run.seed) == (task, "test", 10, 1)
    assert (run.initialization, run.train_examples) == ("pretrained", 24)
    assert run.scores == summary.scores and run.signature == summary.signature
    assert run.constant_prediction is False and run.baseline


def test_a_regression_has_numbers_and_no_confusion(
    score: Make, finetuned: Callable[[str], Path], tmp_path: Path
) -> None:
    """The words decide the value, so the correlation is high; examples without id are numbered."""
    summary = score(finetuned(PRODUCTS), task=PRODUCTS)
    assert summary.scores["pearson"] > 0.7
    predictions = rows(tmp_path / "out" / "predictions.jsonl")
    assert [p["id"] for p in predictions] == [str(n) for n in range(10)]
    assert all(isinstance(p["prediction"], float) for p in predictions)
    assert not (tmp_path / "out" / "confusion.tsv").exists()
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert (scores["classes"], scores["confusion"], scores["calibration"]) == ({}, None, None)
    assert scores["intervals"].keys() == {"pearson", "spearman", "mean_squared_error"}
    assert all(low < scores["scores"][name] < high for name, (low, high) in scores["intervals"].items())


def write(folder: Path, *lines: str) -> Path:
    folder.mkdir()
    (folder / "test.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a"}', r"test\.jsonl:2: no label in the field 'label'"),
        (
            '{"text": "a", "label": "mixed"}',
            r"test\.jsonl:2: unknown label 'mixed', the model knows negative, ",
        ),
    ],
)
def test_what_cannot_be_scored_is_told(
    line: str,
    message: str,
    score: Make,
    finetuned: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its place, before the model has worked, and nothing is written."""
    model = finetuned(FILMS)
    monkeypatch.setattr(Answerer, "answers", lambda *_: pytest.fail("the model has worked"))
    data = write(tmp_path / "data", '{"text": "a", "label": "positive"}', line)
    with pytest.raises(TaskDataError, match=message):
        score(model, data=data)
    assert not (tmp_path / "out").exists()


def test_a_table_is_scored_and_what_was_left_out_is_noted(
    score: Make, finetuned: Callable[[str], Path], tmp_path: Path
) -> None:
    """Labels by name, whatever the table calls them; the count is in the manifest."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "test.tsv").write_text("great\t1\n\t1\npoor\t0\nbroken\n")
    own = ClassificationDescription(
        kind="classification",
        header={"test": ("text", "label")},
        label_names={"0": "negative", "1": "positive"},
        broken_rows="skip",
        empty_texts="skip",
        metrics=("f1", "accuracy"),
        positive="positive",
    )
    summary = score(finetuned(FILMS), data=data, tasks={FILMS: own})
    assert list(summary.scores) == ["f1", "accuracy"] and "|n:2|" in summary.signature
    broken, empty = read_manifest(tmp_path / "out").notes
    assert broken.startswith("test: 1 broken rows left out, the first: ") and "test.tsv:4" in broken
    assert empty == "test: 1 examples with an empty text left out"


def test_a_users_description_is_used(score: Make, finetuned: Callable[[str], Path], tmp_path: Path) -> None:
    """Fields named otherwise than in the catalog."""
    data = write(tmp_path / "data", '{"body": "the film was great.", "verdict": "positive"}')
    own = ClassificationDescription(kind="classification", texts=("body",), target="verdict")
    summary = score(finetuned(FILMS), data=data, tasks={FILMS: own})
    assert "|n:1|" in summary.signature


def test_one_process_answers(
    score: Make, finetuned: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As one learns: those of torchrun would write to the same folder."""
    model = finetuned(FILMS)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="2 processes were started"):
        score(model)
    assert not (tmp_path / "out").exists()


def test_a_model_of_another_kind_is_refused(
    score: Make, finetuned: Callable[[str], Path], pretrained: Path
) -> None:
    """A classifier does not answer with numbers, a regression knows no labels, a bare BERT nothing."""
    with pytest.raises(
        CheckpointError, match="fine-tuned for single_label_classification, product-reviews needs reg"
    ):
        score(finetuned(FILMS), task=PRODUCTS)
    with pytest.raises(CheckpointError, match="fine-tuned for regression, film-reviews needs single_label"):
        score(finetuned(PRODUCTS), task=FILMS)
    with pytest.raises(CheckpointError, match="holds a BertForPreTraining, film-reviews needs a "):
        score(pretrained)


def test_an_output_of_another_stage_is_refused(
    score: Make, made: Path, vocabulary: Path, tmp_path: Path
) -> None:
    """A vocabulary is not a model, and a folder that is not there is told."""
    with pytest.raises(CheckpointError, match="is not a model folder"):
        score(vocabulary)
    with pytest.raises(ArtifactError, match="does not exist"):
        score(tmp_path / "nowhere")


def test_a_classifier_of_transformers_can_be_scored(score: Make, shards: Path, tmp_path: Path) -> None:
    """It has no manifest of ours: what its training was is not known, its labels are; the report takes it."""
    tokenizer = Tokenizer.load(shards / "tokenizer")
    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=20,
        id2label={0: "positive", 1: "negative"},
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path / "theirs")
    tokenizer.save(tmp_path / "theirs")
    out = f"scores/{FILMS}/theirs"
    assert "labels:positive,negative" in score(tmp_path / "theirs", out).signature
    scores = json.loads((tmp_path / out / "scores.json").read_text())
    unknown = ("seed", "initialization", "dev", "below_baseline")
    assert [scores[name] for name in unknown] == [None] * 4
    (run,) = read_runs(tmp_path / "scores").values()
    assert (run.initialization, run.seed, run.train_examples) == ("model theirs", None, None)


def test_a_longer_example_is_cut_as_in_fine_tuning(
    score: Make, made: Path, pretrained: Path, finetune_settings: Make, tmp_path: Path
) -> None:
    """A model fine-tuned on eight tokens sees eight: what differs later changes no prediction."""
    finetune.run(
        finetune_settings(epochs=1, max_seq_length=8),
        model=pretrained,
        task_name=FILMS,
        data=made / "tasks" / FILMS,
        out=tmp_path / "short",
    )
    lines = [
        json.dumps({"text": f"the film was great and the {end}", "label": "positive"})
        for end in (f"dinner was {'great ' * 9}", f"winter was {'awful ' * 9}")
    ]
    data = write(tmp_path / "data", *lines)
    summary = score(tmp_path / "short", data=data)
    assert summary.truncated_examples == 2
    assert read_manifest(tmp_path / "out").notes == ["test: 2 of 2 examples were too long and have been cut"]
    first, second = (row["probabilities"] for row in rows(tmp_path / "out" / "predictions.jsonl"))
    assert first == pytest.approx(second, abs=2e-6)
    score(tmp_path / "short", "long", data=data, max_seq_length=24)
    first, second = (row["probabilities"] for row in rows(tmp_path / "long" / "predictions.jsonl"))
    assert first != pytest.approx(second, abs=2e-6)
    with pytest.raises(
        ConfigError, match=r"^eval\.max_seq_length = 41, but .*short has positions for 40 tokens"
    ):
        score(tmp_path / "short", "too long", data=data, max_seq_length=41)
