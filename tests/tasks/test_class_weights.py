"""Weights of classes: as scikit-learn balances them, and as torch averages with them."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from bertpipe.configs import Params, Settings
from bertpipe.errors import ConfigError
from bertpipe.model import ModelShape, SequenceModel
from bertpipe.tasks import FinetuneConfig, Finetuning, Task, TaskData
from bertpipe.tasks.class_weights import resolved
from bertpipe.tasks.formats import Sentence
from bertpipe.tasks.kinds import (
    Classification,
    ClassificationDescription,
    MultiLabel,
    MultiLabelDescription,
    MultipleChoice,
    MultipleChoiceDescription,
    Regression,
    RegressionDescription,
    Tagging,
    TaggingDescription,
)
from bertpipe.tasks.texts import TextExample
from bertpipe.training import Cut, build_optimizer, train
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

torch.set_num_threads(1)

TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *"abcdefghij"], lowercase=True)
SHAPE = ModelShape(
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    vocab_size=15,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
EXAMPLES = [
    TextExample(str(n), (" ".join("abcdefghij"[n % 4 : 2 + n % 9]),), "no" if n % 4 else "yes", "p")
    for n in range(9)
]


class Section(Settings):
    finetune: FinetuneConfig


def task(weights: Any = None) -> Classification:
    learned = Classification.learn("t", ClassificationDescription(kind="classification"), EXAMPLES)
    return learned if weights is None else learned.weighted(weights, EXAMPLES)


def problem(weights: Any) -> Finetuning:
    torch.manual_seed(0)
    asked = task(weights)
    inputs = asked.encode(EXAMPLES, TOKENIZER, max_seq_length=16)
    data = TaskData(inputs, asked.targets(EXAMPLES, inputs))
    return Finetuning(asked, SequenceModel(SHAPE, outputs=2), data, data, batch_size=9, seed=0)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=5))
def test_balanced_is_scikit_learn_s(counts: list[int]) -> None:
    """All examples / (classes x examples of the class)."""
    labels = [str(number) for number in range(len(counts))]
    every = np.repeat(labels, counts)
    expected = compute_class_weight("balanced", classes=np.array(labels), y=every)
    assert resolved("balanced", labels=labels, counts=np.array(counts)) == pytest.approx(expected)


@pytest.mark.parametrize("weights", ["balanced", {"yes": 0.05}, {"yes": 3.0, "no": 0.01}])
def test_the_loss_is_torch_s_weighted_mean(weights: Any) -> None:
    """Sum and divisor together are CrossEntropyLoss(weight), also where all weights add up to less than 1."""
    weighed = task(weights)
    torch.manual_seed(1)
    outputs, gold = torch.randn(9, 2), torch.from_numpy(np.array([0, 0, 1, 0, 1, 0, 0, 0, 1]))
    expected = torch.nn.CrossEntropyLoss(weight=torch.tensor(weighed.weights))(outputs, gold)
    term = weighed.term(outputs, gold, None)  # type: ignore[arg-type]
    assert float(term.loss) / weighed.counted(gold.numpy()) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("cut", [Cut(), Cut(micro_batch_size=2)])
@pytest.mark.parametrize("weights", ["balanced", {"yes": 0.05, "no": 0.01}])
def test_an_update_moves_by_the_gradient_of_the_weighted_mean(cut: Cut, weights: Any) -> None:
    """Also in pieces: loss and norm of the gradients are torch's; examples count alike as right."""
    ours, theirs = problem(weights), problem(weights)
    (batch,) = theirs.micro_batches(0)
    outputs = theirs.model(batch.tokens)
    loss = torch.nn.CrossEntropyLoss(weight=torch.tensor(task(weights).weights))(outputs, batch.targets)
    loss.backward()
    norm = torch.cat([p.grad.flatten() for p in theirs.model.parameters() if p.grad is not None]).norm()
    config = FinetuneConfig(epochs=1)
    plan = config.plan(steps_an_epoch=1, layers=1, new=("head.",))
    plan = plan if cut.micro_batch_size is None else type(plan)(**(vars(plan) | {"micro_batch_size": 2}))
    optimizer = build_optimizer(ours.model, config)
    (report,) = train(ours, optimizer, plan, device=torch.device("cpu"), first_step=0)
    assert report.sums["task.loss"] / report.sums["task.count"] == pytest.approx(
        float(loss.detach()), rel=1e-5
    )
    assert report.gradient_norm == pytest.approx(float(norm), rel=1e-4)
    assert report.sums["task.asked"] == 9
    assert report.sums["task.correct"] == int((outputs.argmax(1) == batch.targets).sum())


def test_an_unknown_label_is_told() -> None:
    """With the labels that there are."""
    with pytest.raises(ConfigError, match="names 'maybe', the labels are no, yes"):
        task({"maybe": 2.0})


def test_a_task_without_classes_refuses_weights() -> None:
    """A regression has none."""
    examples = [TextExample(str(n), ("t",), n, "p") for n in range(3)]
    numbers = Regression.learn("stars", RegressionDescription(kind="regression"), examples)
    with pytest.raises(ConfigError, match="stars has no classes to weigh"):
        numbers.weighted("balanced", examples)


@pytest.mark.parametrize("text", ["balance", "3", "[1, 2]", "{yes: 0}", "{yes: .inf}", "{yes: true}"])
def test_a_setting_that_is_no_weights_is_told_in_one_sentence(text: str) -> None:
    """Whatever it is instead."""
    with pytest.raises(
        ConfigError, match=r"finetune\.class_weights = .*: expected balanced, or a number"
    ) as caught:
        Params({}).load(None, [f"finetune.class_weights={text}"]).read(Section)
    assert ";" not in caught.value.message


def test_labels_that_yaml_reads_as_numbers_are_names() -> None:
    """As they are in the data."""
    settings = Params.load(None, ["finetune.class_weights={0: 2, 1: 0.5}"]).read(Section)
    assert settings.finetune.class_weights == {"0": 2, "1": 0.5}


@pytest.mark.parametrize(
    ("weights", "expected"),
    # Three of nine are yes: -(1/3 log 1/3 + 2/3 log 2/3); balanced, both weigh alike: log 2.
    [(None, 0.636514), ("balanced", 0.693147), ({"yes": 0.1}, 0.191444)],
)
def test_the_best_constant_answer_has_the_entropy_of_the_labels(weights: Any, expected: float) -> None:
    """As they weigh; no other constant distribution has a lower loss."""
    weighed = task(weights)
    joined = np.concatenate(weighed.targets(EXAMPLES, None))  # type: ignore[arg-type]
    found = weighed.baseline_loss(joined)
    assert found == pytest.approx(expected, rel=1e-5)
    weight = torch.tensor(weighed.weights) if weighed.weights else None
    losses = [
        float(
            torch.nn.CrossEntropyLoss(weight=weight)(
                torch.tensor([[1 - share, share]]).log().expand(9, 2), torch.from_numpy(joined)
            )
        )
        for share in np.linspace(0.001, 0.999, 999).tolist()
    ]
    assert min(losses) == pytest.approx(found, rel=1e-4) and min(losses) >= found - 1e-6


def test_tags_are_weighed_as_torch_weighs_them() -> None:
    """The averaged loss is CrossEntropyLoss(weight), which leaves out what has no tag."""
    sentences = [Sentence(str(n), tuple("ab"), ("B-X", "O") if n else ("O", "O"), "p") for n in range(3)]
    tagger = Tagging.learn("t", TaggingDescription(kind="tagging"), sentences)
    assert tagger.labels == ("B-X", "I-X", "O")
    weighed = tagger.weighted("balanced", sentences)
    assert weighed.weights == pytest.approx((6 / (2 * 2), 1.0, 6 / (2 * 4)))  # I-X is never right
    inputs = weighed.encode(sentences, TOKENIZER, max_seq_length=8)
    targets = np.concatenate(weighed.targets(sentences, inputs))
    torch.manual_seed(0)
    outputs, gold = torch.randn(len(targets), 3), torch.from_numpy(targets)
    term = weighed.term(outputs, gold, inputs.batch(np.arange(3)))
    expected = torch.nn.CrossEntropyLoss(weight=torch.tensor(weighed.weights))(outputs, gold)
    assert float(term.loss) / weighed.counted(targets) == pytest.approx(float(expected), rel=1e-6)
    assert term.asked is not None and int(term.asked) == 6


@pytest.mark.parametrize(
    ("asked", "targets", "width", "expected"),
    [
        # Two of six words have one tag: -(1/3 log 1/3 + 2/3 log 2/3); -100 asks for nothing.
        (Tagging("t", TaggingDescription(kind="tagging"), ("O", "X")), [0, 0, -100, 1, 0, 0, 1], 1, 0.636514),
        # Four endings that look alike: log 4, whatever their places.
        (MultipleChoice("t", MultipleChoiceDescription(kind="multiple_choice")), [0, 0, 1], 4, 1.386294),
        # One label for half of the examples, one for all of them: (log 2 + 0) / 2.
        (
            MultiLabel("t", MultiLabelDescription(kind="multi_label"), ("a", "b")),
            [[1, 1], [0, 1]],
            1,
            0.346574,
        ),
    ],
)
def test_every_kind_with_classes_has_a_loss_to_beat(
    asked: Task[Any, Any, Any], targets: Any, width: int, expected: float
) -> None:
    """By hand."""
    assert asked.baseline_loss(np.array(targets), width=width) == pytest.approx(expected, rel=1e-5)
