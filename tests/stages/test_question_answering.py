"""Questions about texts, from files to a model, predictions, scores and official files."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertpipe.artifacts import read_manifest
from bertpipe.checkpoints import open_model
from bertpipe.configs import RuntimeConfig
from bertpipe.errors import TaskDataError
from bertpipe.stages import eval as eval_stage
from bertpipe.stages import finetune
from bertpipe.stages.eval import EvalConfig, EvalSettings
from bertpipe.tasks import FinetuneConfig
from bertpipe.tasks.kinds import QuestionAnsweringDescription

RUNTIME = RuntimeConfig(workers=1, threads=1, device="cpu")
PLACES = ("house", "river", "garden", "road")
# Texts that need two windows, and questions that have no answer now and then.
OWN = QuestionAnsweringDescription(kind="question_answering", doc_stride=6, n_best=5, max_answer_length=4)


def question(number: int, draws: random.Random) -> dict[str, Any]:
    """Return a paragraph of one question: what was in a place, which the text says or not."""
    words = [draws.choice(("film", "book", "letter")) for _ in PLACES]
    context = " ".join(f"the {w} was in the {p} ." for w, p in zip(words, PLACES, strict=True))
    asked = draws.randrange(len(PLACES))
    start = context.index(f"{words[asked]} was in the {PLACES[asked]}")
    place, answers = PLACES[asked], [{"text": words[asked], "answer_start": start}]
    if number % 4 == 3:
        place, answers = "winter", []
    qa = {"id": f"q{number}", "question": f"the {place}", "answers": answers, "is_impossible": not answers}
    return {"context": context, "qas": [qa]}


def write(path: Path, paragraphs: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("questions")
    draws = random.Random("questions")
    for split, size in (("train", 24), ("dev", 12), ("test", 8)):
        write(folder / f"{split}.json", [question(number, draws) for number in range(size)])
    return folder


@pytest.fixture(scope="module")
def model(data: Path, pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that was fine-tuned on the questions."""
    out = tmp_path_factory.mktemp("model") / "questions"
    settings = finetune.FinetuneSettings(
        finetune=FinetuneConfig(learning_rate=5e-3, batch_size=8, epochs=4, max_seq_length=24, seed=1),
        tasks={"own": OWN},
        runtime=RUNTIME,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTPIPE_WORK", str(tmp_path_factory.mktemp("side")))
        finetune.run(settings, model=pretrained, task_name="own", data=data, out=out)
    return out


@pytest.fixture
def score(data: Path, tmp_path: Path) -> Callable[..., eval_stage.EvalSummary]:
    def run(model: Path, name: str = "out", *, folder: Path = data, **changes: Any) -> Any:
        settings = EvalSettings(
            eval=EvalConfig(**({"split": "test"} | changes)), tasks={"own": OWN}, runtime=RUNTIME
        )
        return eval_stage.run(settings, model=model, task_name="own", data=folder, out=tmp_path / name)

    return run


def test_a_model_learns_to_answer(model: Path, score: Callable[..., Any], tmp_path: Path) -> None:
    """Its folder has the threshold; eval writes predictions with the n best, and the official files."""
    saved = open_model(model)
    assert saved.architecture == "BertForQuestionAnswering"
    threshold = saved.extra["no_answer_threshold"]
    assert isinstance(threshold, float) and json.loads((model / "metrics.json").read_text())["dev"]["f1"] > 0
    summary = score(model)
    assert f"|n:8|norm:official-v2.0|answerable:6|threshold:{threshold:.3f}|" in summary.signature
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [f"q{number}" for number in range(8)]
    assert all(line.keys() == {"id", "target", "prediction", "score_diff", "n_best"} for line in lines)
    assert all(
        line["prediction"] == ("" if line["score_diff"] > threshold else line["n_best"][0]["text"])
        or line["n_best"][0]["text"] == ""
        for line in lines
    )
    assert all(len(line["n_best"]) in (5, 6) for line in lines)
    official = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert official == {line["id"]: line["prediction"] for line in lines}
    assert json.loads((tmp_path / "out" / "na_prob.json").read_text()).keys() == official.keys()
    assert read_manifest(tmp_path / "out").notes == []


def test_the_batch_size_does_not_change_answers(
    model: Path, score: Callable[..., Any], tmp_path: Path
) -> None:
    """Windows are sorted by length into batches, and come back to their questions."""
    for size in (1, 64):
        score(model, str(size), batch_size=size)
    one, many = ((tmp_path / str(n) / "predictions.json").read_bytes() for n in (1, 64))
    assert one == many


def test_a_test_file_without_answers_is_refused(
    model: Path, score: Callable[..., Any], tmp_path: Path
) -> None:
    """Before the model has worked, and nothing is written."""
    paragraph = question(0, random.Random(0))
    del paragraph["qas"][0]["is_impossible"]
    paragraph["qas"][0]["answers"] = []
    write(tmp_path / "data" / "test.json", [paragraph])
    with pytest.raises(TaskDataError, match=r"qas\[0\]: no answers, as in all 1 questions"):
        score(model, folder=tmp_path / "data")
    assert not (tmp_path / "out").exists()


def test_answers_that_were_skipped_are_noted(data: Path, pretrained: Path, tmp_path: Path) -> None:
    """In the manifest of the model; the rest is learned."""
    paragraphs = json.loads((data / "train.json").read_text())["data"][0]["paragraphs"][:8]
    paragraphs[1]["qas"][0]["answers"][0]["answer_start"] += 1
    write(tmp_path / "data" / "train.json", paragraphs)
    (tmp_path / "data" / "dev.json").write_bytes((data / "dev.json").read_bytes())

    def run(**changes: Any) -> None:
        settings = finetune.FinetuneSettings(
            finetune=FinetuneConfig(batch_size=1, epochs=1, max_seq_length=24),
            tasks={"own": OWN.model_copy(update=changes)},
            runtime=RUNTIME,
        )
        finetune.run(
            settings, model=pretrained, task_name="own", data=tmp_path / "data", out=tmp_path / "model"
        )

    with pytest.raises(TaskDataError, match=r"paragraphs\[1\]\.qas\[0\]: the answer .* 1 of 8 questions"):
        run()
    run(skip_misaligned=True)
    (note,) = read_manifest(tmp_path / "model").notes
    assert note.startswith("train: 1 of 8 questions have an answer that is not at its answer_start")


def test_a_sequence_that_holds_no_text_is_told(data: Path, pretrained: Path, tmp_path: Path) -> None:
    """With the length that is needed, before anything is trained."""
    settings = finetune.FinetuneSettings(
        finetune=FinetuneConfig(max_seq_length=10), tasks={"own": OWN}, runtime=RUNTIME
    )
    with pytest.raises(TaskDataError, match=r"max_seq_length = 10 is too short .* need \d+$"):
        finetune.run(settings, model=pretrained, task_name="own", data=data, out=tmp_path / "model")
