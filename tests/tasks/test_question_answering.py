"""Questions about texts as a kind of task: loss, threshold, scores and official files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering

from bertpipe.checkpoints import load_weights, open_model
from bertpipe.errors import TaskDataError
from bertpipe.model import TokenBatch, TokenModel
from bertpipe.tasks import describe
from bertpipe.tasks.kinds import QuestionAnswering, QuestionAnsweringDescription
from bertpipe.tasks.qa.questions import Answer, Question

torch.set_num_threads(1)

SQUAD = QuestionAnsweringDescription(kind="question_answering")


def ask(
    *answers: str, name: str = "q", is_impossible: bool | None = None, lists_answers: bool = True
) -> Question:
    found = tuple(Answer(text, "a b c d".find(text)) for text in answers)
    return Question(name, "who?", "a b c d", found, is_impossible, f"dev.json: {name}", lists_answers)


def answering() -> QuestionAnswering:
    """Return a task in which a text may hold no answer."""
    return QuestionAnswering("t", SQUAD, has_impossible=True)


def said(text: str, difference: float | None = None) -> dict[str, Any]:
    """Return a prediction as the model gives it, before the threshold is known."""
    n_best = [{"text": text, "probability": 0.5}, {"text": "", "probability": 0.25}]
    if difference is None:
        return {"prediction": text, "n_best": n_best}
    return {"prediction": text if difference <= 0 else "", "score_diff": difference, "n_best": n_best}


def test_loss_and_scores_are_those_of_transformers(tmp_path: Path) -> None:
    """With the weights of BertForQuestionAnswering, on a padded batch: its loss is the mean a window."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
    )
    theirs = BertForQuestionAnswering(config).eval()
    theirs.save_pretrained(tmp_path)
    saved = open_model(tmp_path)
    task = QuestionAnswering("t", SQUAD)
    ours = task.head.build(saved.shape).eval()
    load_weights(ours, saved, architecture=task.head.architecture)
    assert isinstance(ours, TokenModel) and saved.architecture == "BertForQuestionAnswering"
    draws = np.random.default_rng(1)
    lengths, firsts = np.array([12, 5, 9]), np.array([4, 3, 4])
    rows = [draws.integers(5, 40, size=n) for n in lengths]
    tokens = TokenBatch.of(np.concatenate(rows), lengths=lengths, first_segment_lengths=firsts)
    targets = torch.tensor([[5, 11], [0, 0], [8, 8]])
    grid = {name: torch.zeros(3, 12, dtype=torch.long) for name in ("ids", "mask", "types")}
    for n, row in enumerate(rows):
        grid["ids"][n, : len(row)] = torch.from_numpy(row)
        grid["mask"][n, : len(row)] = 1
        grid["types"][n, firsts[n] : len(row)] = 1
    # Hugging Face's loss gives padding a share of the probability: what it must not have is cut off there.
    with torch.no_grad():
        outputs = ours(tokens)
        expected = theirs(input_ids=grid["ids"], attention_mask=grid["mask"], token_type_ids=grid["types"])
    both = torch.stack([expected.start_logits, expected.end_logits], dim=-1)
    assert torch.allclose(outputs, tokens.grid.gather(both), rtol=0, atol=1e-5)
    losses = []
    for n, row in enumerate(rows):
        with torch.no_grad():
            alone = theirs(
                input_ids=torch.from_numpy(row)[None],
                token_type_ids=grid["types"][n : n + 1, : len(row)],
                start_positions=targets[n : n + 1, 0],
                end_positions=targets[n : n + 1, 1],
            )
        losses.append(float(alone.loss))
    term = task.term(outputs, targets, tokens)
    assert float(term.loss) == pytest.approx(sum(losses), abs=1e-5)
    assert task.counted(targets.numpy()) == 3


def test_what_is_not_known_is_not_learned() -> None:
    """A window whose answer stands elsewhere adds no loss, no count and no gradient; padding neither."""
    task = QuestionAnswering("t", SQUAD)
    tokens = TokenBatch.of(np.zeros(7, int), lengths=np.array([4, 3]), first_segment_lengths=np.array([2, 2]))
    outputs = torch.randn(7, 2, requires_grad=True)
    targets = torch.tensor([[2, 3], [-100, -100]])
    term = task.term(outputs, targets, tokens)
    assert task.counted(targets.numpy()) == 1
    expected = -(outputs[:4].log_softmax(0)[[2, 3], [0, 1]].mean())
    assert float(term.loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    (gradient,) = torch.autograd.grad(term.loss, outputs)
    assert gradient[:4].any() and not gradient[4:].any() and gradient.isfinite().all()


def test_a_window_is_right_where_both_ends_are() -> None:
    """Counted over windows of unequal length."""
    tokens = TokenBatch.of(np.zeros(7, int), lengths=np.array([4, 3]), first_segment_lengths=np.array([2, 2]))
    outputs = -torch.ones(7, 2)  # below the zeros that padding has in a grid
    outputs[2, 0] = outputs[3, 1] = outputs[5, 0] = outputs[6, 1] = 0.0
    task = QuestionAnswering("t", SQUAD)
    right = task.term(outputs, torch.tensor([[2, 3], [1, 2]]), tokens).correct
    half = task.term(outputs, torch.tensor([[2, 3], [1, 1]]), tokens).correct
    assert right is not None and half is not None and (int(right), int(half)) == (2, 1)


def test_whether_there_may_be_no_answer_is_learned() -> None:
    """From the training questions, unless the description says it."""
    whole, mixed = [ask("a")], [ask("a"), ask(is_impossible=True), ask()]
    assert not QuestionAnswering.learn("t", SQUAD, whole).has_impossible
    assert QuestionAnswering.learn("t", SQUAD, mixed).has_impossible
    said_so = SQUAD.model_copy(update={"impossible": True})
    assert QuestionAnswering.learn("t", said_so, whole).has_impossible
    denied = SQUAD.model_copy(update={"impossible": False})
    with pytest.raises(TaskDataError, match=r"dev\.json: no: no answers, but t is a task where each"):
        QuestionAnswering.learn("t", denied, [ask("a"), ask(name="no", is_impossible=True)])


@pytest.mark.parametrize(
    ("silent", "message"),
    [
        (ask(name="typo", lists_answers=False), "dev.json: typo: neither answers, nor is_impossible: true"),
        (ask(name="lost", is_impossible=False), "dev.json: lost: no answers, but the data says"),
    ],
)
def test_answers_that_are_missing_are_no_silence(silent: Question, message: str) -> None:
    """A question has no answer where the data says so; a mistyped field must not make it one."""
    for check in (lambda some: QuestionAnswering.learn("t", SQUAD, some), answering().check):
        with pytest.raises(TaskDataError, match=message):
            check([ask("a"), silent])


def test_whoever_says_that_there_may_be_no_answer_need_not_list_none() -> None:
    """``impossible: true`` in the description says it of all questions without answers."""
    said_so = SQUAD.model_copy(update={"impossible": True})
    assert QuestionAnswering.learn("t", said_so, [ask("a"), ask(lists_answers=False)]).has_impossible


def test_nothing_to_learn_is_told() -> None:
    """All questions impossible, or none with an answer."""
    with pytest.raises(TaskDataError, match="none of the 2 training questions of t has an answer"):
        QuestionAnswering.learn("t", SQUAD, [ask(is_impossible=True), ask()])


def test_a_split_without_answers_is_told() -> None:
    """SQuAD 2.0's test file has empty answers and no is_impossible: it is no file of impossible questions."""
    task = QuestionAnswering("t", SQUAD, has_impossible=True)
    with pytest.raises(TaskDataError, match=r"dev\.json: q: no answers, as in all 2 questions"):
        task.check([ask(), ask()])
    task.check([ask(), ask("a")])
    task.check([ask(is_impossible=True)])
    with pytest.raises(TaskDataError, match=r"dev\.json: q: no answers, but t"):
        QuestionAnswering("t", SQUAD).check([ask("a"), ask()])


def test_the_threshold_goes_with_the_model() -> None:
    """From dev by the official search into config.json, and back; a task of SQuAD 1.1 has none."""
    task = QuestionAnswering("t", SQUAD, has_impossible=True)
    questions = [ask("a"), ask("b"), ask(is_impossible=True), ask("c")]
    predictions = [said("a", 1.0), said("b", -2.0), said("a", 2.0), said("d", 3.0)]
    assert [one["prediction"] for one in predictions] == ["", "b", "", ""]
    found, chosen = task.calibrated(questions, predictions)
    assert found.facts == {"no_answer_threshold": 1.0}
    assert [one["prediction"] for one in chosen] == ["a", "b", "", ""]
    config = json.loads(json.dumps({"architectures": [], **found.facts}))
    assert QuestionAnswering.restore("t", SQUAD, labels=(), config=config) == found
    assert QuestionAnswering("t", SQUAD).facts == {}
    assert QuestionAnswering("t", SQUAD).calibrated(questions, [said("a")])[1] == [said("a")]
    elsewhere = QuestionAnswering.restore("t", SQUAD, labels=(), config={})
    assert not elsewhere.has_impossible and elsewhere.facts == {}


def test_it_may_be_best_to_answer_nothing() -> None:
    """Then the threshold lies under every question."""
    task = QuestionAnswering("t", SQUAD, has_impossible=True)
    found, chosen = task.calibrated([ask("a"), ask(is_impossible=True)], [said("b", -3.0), said("a", -5.0)])
    assert found.no_answer_threshold < -5.0
    assert [one["prediction"] for one in chosen] == ["", ""]
    assert found.judge([ask("a"), ask(is_impossible=True)], chosen, split="dev").constant_prediction


def test_scores_by_hand() -> None:
    """SQuAD 2.0: all, those with and without an answer, and what another threshold would give."""
    task = QuestionAnswering("t", SQUAD, has_impossible=True)
    questions = [ask("b c"), ask("b", "c"), ask(is_impossible=True), ask(is_impossible=True)]
    predictions = [said("b", -1.0), said("c", 1.0), said("d", 2.0), said("d", -2.0)]
    judgement = task.judge(questions, predictions, split="dev")
    assert judgement.report.scores == pytest.approx(
        {
            "exact_match": 1 / 4,
            "f1": (2 / 3 + 1) / 4,
            "has_answer_exact": 0.0,
            "has_answer_f1": 1 / 3,
            "no_answer_exact": 1 / 2,
            "no_answer_f1": 1 / 2,
            "best_exact": 2 / 4,  # none answered, or all but the third
            "best_f1": (1 + 2 / 3 + 1) / 4,  # all but the third
        }
    )
    assert judgement.report.primary == "f1" and judgement.baseline == {"f1_of_no_answers": 0.5}
    signature = judgement.report.signature()
    assert "|split:dev|n:4|norm:official-v2.0|answerable:2|threshold:0.000|" in signature


def test_scores_of_a_selection_count_a_question_as_often_as_it_is_drawn() -> None:
    """For intervals, numbers may repeat; every selection has the scores that the whole has."""
    questions = [ask("b"), ask("c"), ask(is_impossible=True)]
    predictions = [said("b", -1.0), said("d", -1.0), said("d", 2.0)]
    scorer = (
        QuestionAnswering("t", SQUAD, has_impossible=True).judge(questions, predictions, split="dev").scorer
    )
    drawn = scorer(np.array([0, 0, 1]))
    assert drawn["f1"] == drawn["has_answer_f1"] == pytest.approx(2 / 3)
    assert drawn["no_answer_f1"] == 0.0 and drawn.keys() == scorer(np.arange(3)).keys()
    old = QuestionAnswering("t", SQUAD).judge(questions[:2], [said("b"), said("d")], split="dev").scorer
    assert old(np.array([1, 1, 0])) == pytest.approx({"exact_match": 1 / 3, "f1": 1 / 3})


@pytest.mark.parametrize(
    ("name", "norm"),
    [("squad-v1.1", "official-v1.1"), ("xquad-de", "official-v1.1"), ("korquad-v1.0", "korquad-1.0")],
)
def test_known_tasks_say_whose_rules_they_follow(name: str, norm: str) -> None:
    """With the official file names; KorQuAD's F1 is over characters."""
    description = describe(name, {})
    assert isinstance(description, QuestionAnsweringDescription)
    task = QuestionAnswering.learn(name, description, [ask("a b")])
    judgement = task.judge([ask("a b")], [said("a")], split="dev")
    assert f"|norm:{norm}|" in judgement.report.signature()
    assert judgement.report.scores["f1"] == pytest.approx(2 / 3 if norm == "korquad-1.0" else 0.0)
    assert description.files[next(iter(description.files))].endswith(".json")


def test_official_files_hold_the_answers_by_id() -> None:
    """With SQuAD 2.0 also the probability of no answer, which the official script does not cut by itself."""
    questions = [ask("a", name="x"), ask("b", name="한")]
    assert QuestionAnswering("t", SQUAD).submission(questions, [said("a"), said("é")]) == {
        "predictions.json": '{\n"x": "a",\n"한": "é"\n}\n'
    }
    files = QuestionAnswering("t", SQUAD, has_impossible=True).submission(
        questions, [said("a", -800.0), said("b", 3e38)]
    )
    assert json.loads(files["predictions.json"]) == {"x": "a", "한": ""}
    shares = json.loads(files["na_prob.json"])
    assert shares["x"] == pytest.approx(0.0) and shares["한"] == 1.0
