"""The report on small outputs made by hand, in the formats that the stages write."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bertpipe.artifacts import open_artifact, write_json, written_whole
from bertpipe.errors import ArtifactError
from bertpipe.reports import terminal_tables
from bertpipe.stages import report

CURVES = [
    "step learning_rate train_loss train_mlm_loss train_mlm_accuracy train_nsp_loss train_nsp_accuracy "
    "validation_mlm_loss validation_mlm_accuracy validation_nsp_loss validation_nsp_accuracy",
    "0 0 9.4 8.7 0.0001 0.7 0.5 8.71 0.0002 0.7 0.49",
    "500 0.001 6.6 5.95 0.15 0.65 0.61 6.05 0.14 0.66 0.6",
    "1000 0 5.9 5.3 0.213 0.6 0.7 5.41 0.2 0.61 0.68",
]


def write_output(
    out: Path, stage: str, files: dict[str, Any], *, counts: dict[str, Any] | None = None
) -> None:
    """Write an output folder of a stage: text as it is, other values as JSON."""
    with written_whole(out, stage=stage, settings={}, inputs={}) as output:
        for name, content in files.items():
            if isinstance(content, str):
                (output.folder / name).write_text(content, encoding="utf-8")
            else:
                write_json(output.folder / name, content)
        output.counts |= counts or {}


def scores_of(initialization: str, seed: int, value: float, **changes: Any) -> dict[str, Any]:
    """Return what ``eval`` writes for one run."""
    return {
        "task": "film-reviews",
        "kind": "classification",
        "split": "test",
        "n": 1014,
        "primary": "accuracy",
        "scores": {"accuracy": value, "macro_f1": value - 0.01},
        "signature": f"film-reviews|accuracy={100 * value:.1f}|split:test|n:1014|version:0.1.0",
        "seed": seed,
        "initialization": initialization,
        "constant_prediction": False,
        "baseline": {"majority_accuracy": 0.509},
        "train_examples": 400,
        **changes,
    }


class Project:
    """Outputs of every stage below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sources = [{key: f"the {key}" for key in ("name", "version", "file", "licence", "use")}]
        samples = {"documents": {"news": 3781}, "held_out": 2838}
        write_output(folder / "samples", "samples", {"sources.json": sources}, counts=samples)
        write_output(folder / "vocab", "vocab", {"vocab.txt": "[PAD]\n"}, counts={"vocab_size": 6000})
        statistics = {"train": {"instances": 12345, "lengths": {"1": 2, "2": 3}}, "tokens": [1, 2]}
        write_output(folder / "shards", "prepare", {"statistics.json": statistics})
        self.pretrain("\n".join("\t".join(row.split(" ")) for row in CURVES) + "\n")
        for seed, value in enumerate((0.741, 0.745, 0.737), start=1):
            self.evaluate(scores_of("pretrained", seed, value))
            self.evaluate(scores_of("random", seed, value - 0.05))

    def pretrain(self, curves: str) -> None:
        """Write a pre-trained model."""
        metrics = {"step": 1000, "train_loss": 5.9, "total_steps": 1000, "parameters": 4_400_000}
        write_output(self.folder / "model", "pretrain", {"curves.tsv": curves, "metrics.json": metrics})

    def evaluate(self, scores: dict[str, Any]) -> Path:
        """Write the scores of one run, return their folder."""
        name = f"{scores['initialization']}-{scores['seed']}"
        write_output(self.folder / "scores" / scores["task"] / name, "eval", {"scores.json": scores})
        return self.folder / "scores" / str(scores["task"]) / name

    def report(self, *, samples: bool = True, out: str = "report") -> report.ReportSummary:
        """Run the stage."""
        return report.run(
            samples=self.folder / "samples" if samples else None,
            vocab=self.folder / "vocab",
            shards=self.folder / "shards",
            model=self.folder / "model",
            scores=self.folder / "scores",
            out=self.folder / out,
        )

    def page(self) -> str:
        """Return the page that was written."""
        return (self.folder / "report" / "report.md").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A pipeline that has run, up to the report."""
    return Project(tmp_path)


def test_the_page_holds_the_figures_of_every_stage(project: Project) -> None:
    """Sources, vocabulary, shards, curves and scores, with lists and histograms left out."""
    summary = project.report()
    page = project.page()
    expected = [
        "| the name | the version | the file | the licence | the use |",
        "| documents: news | 3,781 |",
        "| vocab size | 6,000 |",
        "| train: instances | 12,345 |",
        "| parameters | 4,400,000 |",
        "![Loss and accuracy by step](curves.svg)",
        "| figure | first (step 0) | last (step 1,000) |",
        "| validation mlm loss | 8.710 | 5.410 |",
        "| validation nsp accuracy | 49.0 % | 68.0 % |",
        "film-reviews (test, 1,014 examples; 400 to learn from)",
        "| pretrained | 74.1 ± 0.4 | 74.1 | 74.5 | 73.7 | 74.5 | 73.1 ± 0.4 |",
        "| random | 69.1 ± 0.4 | 69.1 | 69.5 | 68.7 | 69.5 | 68.1 ± 0.4 |",
        "Baseline: majority accuracy 50.9.",
        "Pre-trained minus random: +5.0 accuracy, larger than the spread of 0.8",
        "- seed 2: `film-reviews|accuracy=74.5|split:test|n:1014|version:0.1.0`",
    ]
    assert [line for line in expected if line not in page] == []
    assert "lengths" not in page
    assert summary.runs == 6 and summary.beyond_spread == {"film-reviews": True}


def test_the_picture_stands_beside_the_page(project: Project) -> None:
    """One chart for loss and accuracy of either objective, none for the sum of the losses."""
    project.report()
    picture = (project.folder / "report" / "curves.svg").read_text(encoding="utf-8")
    titles = "Masked LM loss; Masked LM accuracy; Next sentence loss; Next sentence accuracy"
    assert f"<title>{titles}</title>" in picture


def test_the_report_can_be_shown_again(project: Project) -> None:
    """What is read back gives the very tables, and they hold what the page shows."""
    project.report()
    tables = terminal_tables(report.read_report(project.folder / "report"))
    assert tables[-1].rows[0][:2] == ("pretrained", "74.1 ± 0.4")
    assert all(table.title in project.page() for table in tables)
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)


def test_two_reports_are_the_same_bytes(project: Project) -> None:
    """The manifests, which hold every file's hash, are equal; nothing has a time or a path in it."""
    project.report(out="one")
    project.report(out="two")
    one, two = (open_artifact(project.folder / name, stage="report") for name in ("one", "two"))
    assert one == two
    texts = [
        (project.folder / "one" / name).read_text(encoding="utf-8") for name in [*one.files, "manifest.json"]
    ]
    assert not any(str(project.folder) in text for text in texts)


def test_own_text_and_no_next_sentences_leave_their_parts_out(project: Project) -> None:
    """Without samples and NSP the page has no section for them."""
    rows = ["step learning_rate train_loss train_mlm_loss train_mlm_accuracy", "0 0 8.7 8.7 0.1"]
    project.pretrain("\n".join(row.replace(" ", "\t") for row in rows) + "\n")
    project.report(samples=False)
    assert "Sample text" not in project.page()
    picture = (project.folder / "report" / "curves.svg").read_text(encoding="utf-8")
    assert "<title>Masked LM loss; Masked LM accuracy</title>" in picture


def test_a_row_without_training_figures_is_not_drawn(project: Project) -> None:
    """All its updates were left out; the rows beside it are drawn."""
    rows = "step train_loss validation_loss\n0 8.7 8.8\n1  8.8\n2 7.5 7.6\n"
    project.pretrain(rows.replace(" ", "\t"))
    project.report()
    assert "| train loss | 8.700 | 7.500 |" in project.page()


def test_a_collapsed_run_and_a_loss_are_said_plainly(project: Project) -> None:
    """A constant prediction and a loss that stayed are marked and counted; a drop has its sign."""
    for seed in (1, 2, 3):
        signs = {"constant_prediction": seed == 2, "below_baseline": seed != 3}
        project.evaluate(scores_of("pretrained", seed, 0.509, **signs))
    assert project.report().collapsed == {"film-reviews": 2}
    page = project.page()
    assert "| pretrained | 50.9 ± 0.0 | 50.9 | 50.9 (collapsed) | 50.9 (collapsed) | 50.9 |" in page
    assert "Collapsed (nothing learned): 2 of 3 runs from the pretrained start." in page
    assert "Pre-trained minus random: -18.2 accuracy, larger than the spread" in page


def test_the_best_run_is_told_and_the_one_that_dev_would_choose(project: Project) -> None:
    """On dev seed 2 is best, on the test split seed 1."""
    for seed, (value, dev) in enumerate(((0.76, 0.70), (0.74, 0.75), (0.72, 0.71)), start=1):
        project.evaluate(scores_of("pretrained", seed, value, dev={"accuracy": dev, "macro_f1": 0.1}))
    project.report()
    assert "| best | best by dev | macro f1 |" in project.page()
    assert "| pretrained | 74.0 ± 2.0 | 76.0 | 74.0 | 72.0 | 76.0 | 74.0 | 73.0 ± 2.0 |" in project.page()
    assert "| random | 69.1 ± 0.4 | 69.1 | 69.5 | 68.7 | 69.5 |  | 68.1 ± 0.4 |" in project.page()


def test_settings_that_differ_are_told_apart_and_chosen_by_dev(project: Project) -> None:
    """Two rates and two batch sizes, two seeds each; the best on dev is not the best on the test split."""
    shutil.rmtree(project.folder / "scores")
    on_dev = {(16, 3e-5): 0.80, (16, 5e-5): 0.82, (32, 3e-5): 0.85, (32, 5e-5): 0.81}
    for (batch_size, rate), value in on_dev.items():
        for seed in (1, 2):
            finetune = {"batch_size": batch_size, "learning_rate": rate, "epochs": 3}
            dev = {"accuracy": value + seed / 100}
            scores = scores_of("pretrained", seed, 1.6 - value, dev=dev, finetune=finetune)
            name = f"{batch_size}-{rate}-{seed}"
            write_output(project.folder / "scores" / "film-reviews" / name, "eval", {"scores.json": scores})
    project.report()
    page = project.page()
    assert "| pretrained, batch size 16, learning rate 3e-05 | 80.0 ± 0.0 |" in page
    assert "epochs" not in page
    assert (
        "Chosen on dev among 4 settings: pretrained, batch size 32, learning rate 3e-05 "
        "(accuracy 86.5 ± 0.7 on dev, 75.0 ± 0.0 on test)."
    ) in page


def test_scores_of_dev_are_not_told_twice(project: Project) -> None:
    """Where dev is the split that was scored, the best run by dev is the best run, and dev has one mean."""
    shutil.rmtree(project.folder / "scores")
    for rate, seed in ((3e-5, 1), (3e-5, 2), (5e-5, 1), (5e-5, 2)):
        changes = {"split": "dev", "finetune": {"learning_rate": rate}, "dev": {"accuracy": 0.7 + rate}}
        scores = scores_of("pretrained", seed, 0.7 + rate, **changes)
        place = project.folder / "scores" / "film-reviews" / f"{rate}-{seed}"
        write_output(place, "eval", {"scores.json": scores})
    project.report()
    assert "| seed 1 | seed 2 | best | macro f1 |" in project.page()
    assert "learning rate 5e-05 (accuracy 70.0 ± 0.0 on dev)." in project.page()


def test_classes_intervals_and_reliability_stand_below(project: Project) -> None:
    """Means of the classes, sums of the answers, the interval of each run, and a diagram beside the page."""
    for seed, right in ((1, 60), (2, 70), (3, 80)):
        bins = [{"lower": 0.8, "upper": 1.0, "count": 100, "confidence": 0.9, "accuracy": right / 100}]
        calibration = {"expected_calibration_error": 0.9 - right / 100, "brier_score": 0.3, "bins": bins}
        project.evaluate(
            scores_of(
                "pretrained",
                seed,
                0.7,
                intervals={"accuracy": [0.67, 0.73], "macro_f1": [0.6, 0.7]},
                classes={"good": {"recall": right / 100, "support": 100}},
                confusion={"labels": ["bad", "good"], "counts": [[9, 1], [100 - right, right]]},
                calibration=calibration,
            )
        )
    project.report()
    page = project.page()
    assert "| class | recall | support |\n| --- | ---: | ---: |\n| good | 70.0 | 100 |" in page
    assert "|  | bad | good |\n| --- | ---: | ---: |\n| bad | 27 | 3 |\n| good | 90 | 210 |" in page
    assert "| pretrained | 1 | 70.0 | 67.0 to 73.0 |  | 30.0 |" in page
    assert "(reliability.svg)" in page
    picture = (project.folder / "report" / "reliability.svg").read_text(encoding="utf-8")
    assert "film-reviews: reliability" in picture and "as it should be" in picture


def test_a_report_without_pre_training_is_about_the_scores(project: Project) -> None:
    """Of a model from elsewhere there is nothing else to tell, and no curve to draw."""
    out = project.folder / "report"
    summary = report.run(
        samples=None, vocab=None, shards=None, model=None, scores=project.folder / "scores", out=out
    )
    assert summary.runs == 6 and "## Pre-training" not in project.page()
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "report.json", "report.md"]
    assert [table.title[:12] for table in terminal_tables(report.read_report(out))] == ["film-reviews"]


def fails(project: Project, message: str) -> None:
    """Require one line that says so, and no report."""
    with pytest.raises(ArtifactError, match=message) as caught:
        project.report()
    assert "\n" not in caught.value.message
    assert not (project.folder / "report").exists()


def test_missing_scores_are_told(project: Project) -> None:
    """A folder without any evaluation is named."""
    (project.folder / "scores").rename(project.folder / "elsewhere")
    fails(project, "scores holds no scores")


def test_scores_of_another_split_are_refused(project: Project) -> None:
    """Dev scores are not averaged with test scores."""
    project.evaluate(scores_of("random", 3, 0.7, split="dev"))
    fails(project, "random-3: split is dev, but test in film-reviews/pretrained-1")


def test_a_seed_that_counts_twice_is_refused(project: Project) -> None:
    """A copied folder would make the spread too small."""
    folder = project.evaluate(scores_of("random", 3, 0.7))
    folder.rename(folder.with_name("random-4"))
    project.evaluate(scores_of("random", 3, 0.7))
    fails(project, "random-4: seed 3 of film-reviews, random, is already in film-reviews/random-3")


def test_models_from_elsewhere_stand_beside_ours(project: Project) -> None:
    """Each is a row of its own, called by its folder; what is not known of it is left out."""
    unknown = scores_of("", 0, 0.8) | dict.fromkeys(("initialization", "seed", "train_examples"))
    for name in ("theirs", "pretrained"):
        write_output(project.folder / "scores" / "film-reviews" / name, "eval", {"scores.json": unknown})
    summary = project.report()
    page = project.page()
    assert summary.runs == 8 and summary.gains == {"film-reviews": pytest.approx(0.05)}
    assert "| start | accuracy | seed 1 | seed 2 | seed 3 | best | macro f1 |" in page
    for name in ("theirs", "pretrained"):
        assert f"| model {name} | 80.0 |  |  |  | 80.0 | 79.0 |" in page
        assert f"film-reviews, model {name}:\n\n- `film-reviews|accuracy=80.0" in page


def test_scores_of_another_form_name_the_field(project: Project) -> None:
    """A missing field is named with its file."""
    scores = scores_of("random", 3, 0.7)
    del scores["primary"]
    write_output(project.folder / "scores" / "film-reviews" / "random-3", "eval", {"scores.json": scores})
    fails(project, r"random-3/scores\.json: primary: ")


def test_a_score_that_is_no_number_is_refused(project: Project) -> None:
    """NaN gets neither into the page nor into the JSON."""
    text = json.dumps(scores_of("random", 3, float("nan")))
    write_output(project.folder / "scores" / "film-reviews" / "random-3", "eval", {"scores.json": text})
    fails(project, r"random-3/scores\.json: scores\.accuracy: ")


def test_a_changed_score_is_refused(project: Project) -> None:
    """A figure that was edited by hand no longer has the hash of its manifest."""
    path = project.evaluate(scores_of("random", 3, 0.7)) / "scores.json"
    path.write_text(path.read_text(encoding="utf-8").replace("0.7", "0.9"), encoding="utf-8")
    fails(project, "damaged or was changed")


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ("", "no curves in it"),
        ("step\ttrain_loss\n", "no curves in it"),
        ("step\ttrain_loss\n0\t9\n1\n", "not a table of numbers"),
        ("step\ttrain_loss\n0\tnine\n", "not a table of numbers"),
        ("step\ttrain_loss\n0\tnan\n", "train_loss is nan"),
    ],
)
def test_curves_that_cannot_be_drawn_are_told(project: Project, curves: str, message: str) -> None:
    """An empty, torn or diverged table is one line with the file's name."""
    project.pretrain(curves)
    fails(project, message)


def test_a_model_without_curves_is_told(project: Project) -> None:
    """A model folder that pre-training did not finish writing is named."""
    write_output(project.folder / "model", "pretrain", {"metrics.json": {}})
    fails(project, r"model holds no curves\.tsv")


def test_the_output_of_another_stage_is_refused(project: Project) -> None:
    """A shards folder in place of the vocabulary is told apart."""
    shutil.rmtree(project.folder / "vocab")
    write_output(project.folder / "vocab", "prepare", {"statistics.json": {}})
    fails(project, "was written by 'prepare', not by 'vocab'")
