"""Kinds of tasks from data to scores: what is learned is right, and ``transformers`` answers alike."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, BertForMultipleChoice, BertForSequenceClassification

from bertpipe.configs import RuntimeConfig
from bertpipe.stages import eval as eval_stage
from bertpipe.stages import finetune
from bertpipe.tasks import TaskDescription
from bertpipe.tasks.kinds import MultiLabelDescription, MultipleChoiceDescription

Make = Callable[..., Any]

THINGS = ("film", "book", "house", "river")
VERDICTS = ("great", "awful")
CHOICE = MultipleChoiceDescription(kind="multiple_choice", context=("text",))
LABELS = MultiLabelDescription(kind="multi_label")


def records(seed: str) -> list[dict[str, Any]]:
    """Return texts with one verdict, both, or none: these are the labels; the right ending has praise."""
    draws = random.Random(seed)
    made = []
    for number in range(40):
        labels = [verdict for bit, verdict in enumerate(VERDICTS) if number >> bit & 1]
        text = " and ".join(f"the {draws.choice(THINGS)} was {word}" for word in labels or ["here"])
        place = draws.randrange(2)
        endings = [f"the {draws.choice(THINGS)} was {VERDICTS[which]}." for which in (place, 1 - place)]
        made.append({"text": text, "labels": labels, "label": place})
        made[-1] |= {f"ending{which}": ending for which, ending in enumerate(endings)}
    return made


@pytest.fixture
def learn(pretrained: Path, finetune_settings: Make, tmp_path: Path) -> Make:
    """Fine-tune on a kind of task and score it; return the model folder and the summary."""

    def run(description: TaskDescription, *, epochs: int, rate: float) -> tuple[Path, eval_stage.EvalSummary]:
        for split in ("train", "dev"):
            lines = "".join(json.dumps(record) + "\n" for record in records(split))
            (tmp_path / f"{split}.jsonl").write_text(lines)
        settings = finetune_settings(epochs=epochs, learning_rate=rate, batch_size=8)
        call: dict[str, Any] = {"task_name": "mine", "data": tmp_path}
        tasks, out = {"mine": description}, tmp_path.parent / f"{tmp_path.name}-out"
        finetune.run(
            settings.model_copy(update={"tasks": tasks}), model=pretrained, out=out / "model", **call
        )
        scoring = eval_stage.EvalSettings(
            eval=eval_stage.EvalConfig(), tasks=tasks, runtime=RuntimeConfig(threads=1, device="cpu")
        )
        return out / "model", eval_stage.run(scoring, model=out / "model", out=out / "scores", **call)

    return run


def predictions(model: Path) -> list[dict[str, Any]]:
    lines = (model.parent / "scores" / "predictions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_the_right_ending_is_learned(learn: Make) -> None:
    """It is the one with praise; BertForMultipleChoice gives each ending the same probability."""
    model, summary = learn(CHOICE, epochs=10, rate=5e-3)
    assert summary.scores["accuracy"] > 0.9
    theirs, loading = BertForMultipleChoice.from_pretrained(model, output_loading_info=True)
    assert not any(loading.values())
    for record, found in zip(records("dev")[:3], predictions(model), strict=False):
        endings = [record["ending0"], record["ending1"]]
        batch = AutoTokenizer.from_pretrained(model)([record["text"]] * 2, endings, padding=True)
        with torch.no_grad():
            logits = theirs.eval()(**{name: torch.tensor([value]) for name, value in batch.items()}).logits
        assert found["probabilities"] == pytest.approx(logits.softmax(-1)[0].tolist(), abs=1e-5)


@pytest.mark.slow
def test_any_number_of_labels_is_learned(learn: Make) -> None:
    """They are the verdicts in the text; BertForSequenceClassification gives the same probabilities."""
    model, summary = learn(LABELS, epochs=15, rate=1e-2)
    assert summary.scores["micro_f1"] > 0.7  # the best constant answer has 0.67
    theirs = BertForSequenceClassification.from_pretrained(model).eval()
    assert theirs.config.problem_type == "multi_label_classification"
    assert [theirs.config.id2label[number] for number in range(2)] == sorted(VERDICTS)
    for record, found in zip(records("dev")[:3], predictions(model), strict=False):
        with torch.no_grad():
            logits = theirs(
                **AutoTokenizer.from_pretrained(model)(record["text"], return_tensors="pt")
            ).logits
        assert list(found["probabilities"].values()) == pytest.approx(logits.sigmoid()[0].tolist(), abs=1e-5)
