"""Fine-tuning as a problem of the loop."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import BertForSequenceClassification

from bertpipe.checkpoints import write_model
from bertpipe.model import ModelShape, SequenceModel
from bertpipe.tasks import FinetuneConfig, Finetuning, TaskData
from bertpipe.tasks.kinds import Classification, ClassificationDescription
from bertpipe.tasks.texts import TextExample
from bertpipe.training import Cut, build_optimizer, train
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

torch.set_num_threads(1)

TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *"abcdefghij"], lowercase=True)
SHAPE = ModelShape(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=15)
EXAMPLES = [
    TextExample(id=str(n), texts=(" ".join("abcdefghij"[: 1 + (3 * n) % 10]),), target="xy"[n % 2], place="p")
    for n in range(11)
]


def problem(*, batch_size: int = 4, seed: int = 0, shape: ModelShape = SHAPE) -> Finetuning:
    torch.manual_seed(0)
    task = Classification.learn("t", ClassificationDescription(kind="classification"), EXAMPLES)
    inputs = task.encode(EXAMPLES, TOKENIZER, max_seq_length=16)
    data = TaskData(inputs, task.targets(EXAMPLES, inputs))
    return Finetuning(task, SequenceModel(shape, outputs=2), data, data, batch_size, seed)


def lengths(problem: Finetuning, step: int) -> list[int]:
    """Return the lengths of an update's examples, by which they are told apart (but for one pair)."""
    (batch,) = problem.micro_batches(step)
    bounds = [*batch.tokens.starts.tolist(), batch.size_tokens]
    return [end - start for start, end in pairwise(bounds)]


@pytest.mark.parametrize("batch_size", [1, 4, 11, 32])
def test_an_epoch_sees_every_example_once(batch_size: int) -> None:
    """The last update of an epoch is smaller; the next epoch has another order."""
    data = problem(batch_size=batch_size)
    steps = data.steps_an_epoch
    assert steps == -(-11 // batch_size)
    epochs = [
        [n for step in range(e * steps, (e + 1) * steps) for n in lengths(data, step)] for e in range(3)
    ]
    expected = sorted(data.training.inputs.lengths.tolist())
    assert all(sorted(epoch) == expected for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_a_token_costs_what_its_examples_cost() -> None:
    """One layer, read at first tokens alone, pooler and two scores, by hand: three passes, two operations."""
    data = problem()
    sizes = data.training.inputs.lengths.tolist()
    keys_and_values = sum(size * 2 * 16 * 16 for size in sizes)
    read = sum(2 * 16 * 16 + 2 * 16 * 64 + 2 * size * 16 for size in sizes)
    head = len(sizes) * (16 * 16 + 16 * 2)
    expected = 6 * (keys_and_values + read + head) / sum(sizes)
    assert data.flops_per_token == pytest.approx(expected, rel=1e-12)


def test_the_order_is_a_function_of_seed_and_step() -> None:
    """Asked again, in any order, an update has the same examples; another seed has others."""
    one, two = problem(), problem()
    first = {step: lengths(one, step) for step in (5, 0, 2)}
    assert {step: lengths(two, step) for step in (0, 2, 5)} == first
    assert [lengths(one, s) for s in range(3)] != [lengths(problem(seed=1), s) for s in range(3)]


def test_an_update_may_be_done_in_pieces() -> None:
    """Its pieces hold its examples in its order."""
    data = problem()
    (whole,) = data.micro_batches(1)
    pieces = data.micro_batches(1, Cut(micro_batch_size=3))
    assert [len(piece.targets) for piece in pieces] == [2, 2]
    assert torch.equal(torch.cat([piece.tokens.input_ids for piece in pieces]), whole.tokens.input_ids)
    assert torch.equal(torch.cat([piece.targets for piece in pieces]), whole.targets)


def test_targets_go_with_their_examples() -> None:
    """Shuffling and sorting move texts and targets together."""
    data = problem()
    inputs, targets = data.training.inputs, data.training.targets
    known = {
        tuple(ids.tolist()): int(target[0]) for ids, target in zip(inputs.input_ids, targets, strict=True)
    }
    batches = [data.micro_batches(step)[0] for step in range(3)] + list(data.validation_batches())
    seen = 0
    for batch in batches:
        assert batch.counts == {"task": len(batch.targets)}
        rows = torch.tensor_split(batch.tokens.input_ids, batch.tokens.starts[1:])
        for row, target in zip(rows, batch.targets.tolist(), strict=True):
            assert known[tuple(row.tolist())] == target
            seen += 1
    assert seen == 2 * 11


def test_updates_are_those_of_transformers_and_adamw(tmp_path: Path) -> None:
    """Without dropout: losses and norms of the same model under AdamW, no decay on norms and biases.

    The batches are ours, and so are the rates.
    """
    shape = SHAPE.model_copy(update={"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    data = problem(shape=shape)
    network = data.model
    assert isinstance(network, SequenceModel)
    write_model(
        tmp_path, network, shape=shape, architecture="BertForSequenceClassification", tokenizer=TOKENIZER
    )
    theirs = BertForSequenceClassification.from_pretrained(tmp_path, num_labels=2).train()
    spared = [p for name, p in theirs.named_parameters() if "LayerNorm" in name or name.endswith("bias")]
    decayed = [p for p in theirs.parameters() if all(p is not other for other in spared)]
    groups = [{"params": decayed, "weight_decay": 1.0}, {"params": spared, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=1.0, eps=1e-6)

    config = FinetuneConfig(learning_rate=0.01, batch_size=4, epochs=3, weight_decay=1.0)
    plan = config.plan(steps_an_epoch=data.steps_an_epoch, layers=1, new=())
    reports = train(
        data,
        build_optimizer(network, plan.optimizer, scale=plan.scale),
        plan,
        device=torch.device("cpu"),
        first_step=0,
    )
    for step, report in enumerate(reports):
        (batch,) = data.micro_batches(step)
        spread = batch.tokens.grid.spread
        loss = theirs(
            input_ids=spread(batch.tokens.input_ids[:, None])[..., 0],
            attention_mask=spread(torch.ones(batch.size_tokens, 1))[..., 0],
            labels=batch.targets,
        ).loss
        assert report.sums["task.loss"] / report.sums["task.count"] == pytest.approx(loss.item(), rel=1e-6)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        assert report.gradient_norm == pytest.approx(norm.item(), rel=1e-3)
        for group in adamw.param_groups:
            group["lr"] = report.learning_rate
        adamw.step()
        adamw.zero_grad()
    assert step == 8
