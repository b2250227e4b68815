"""The loss of pre-training against ``transformers``, and that it can be learned."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import BertForPreTraining

from bertpipe.checkpoints import write_model
from bertpipe.instances import MaskingConfig, ShardSet
from bertpipe.model import ModelShape, PretrainingModel
from bertpipe.pretraining import BatchMaker, MaskedLanguageModelling, TrainingData, ValidationData
from bertpipe.training import Cut, OptimizerConfig, Plan, Schedule, Tally, evaluate, train
from bertpipe.training.optimizers import build_optimizer
from bertpipe.training.problem import sums_of
from bertpipe.vocab import Tokenizer

Shards = Callable[[str], ShardSet]
CPU = torch.device("cpu")


def problem_of(
    shards: ShardSet, tokenizer: Tokenizer, *, batch_size: int = 8, dropout: float = 0.0
) -> MaskedLanguageModelling:
    torch.manual_seed(4)
    shape = ModelShape(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=24,
        vocab_size=tokenizer.vocab_size,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.1,
    )
    maker = BatchMaker(MaskingConfig(), tokenizer, shards.max_seq_length)
    return MaskedLanguageModelling(
        model=PretrainingModel(shape, predicts_next_sentence=shards.objective != "none"),
        training=TrainingData(shards, maker, batch_size, seed=1),
        validation=ValidationData(shards, maker, 21, 8),
    )


def test_the_loss_is_that_of_transformers(tmp_path: Path, make_shards: Shards, tokenizer: Tokenizer) -> None:
    """Mean over predicted tokens plus mean over sequences, as BertForPreTraining adds them."""
    problem = problem_of(make_shards("nsp"), tokenizer)
    problem.model.eval()
    shape = problem.model.encoder.shape
    write_model(tmp_path, problem.model, shape=shape, architecture="BertForPreTraining", tokenizer=tokenizer)
    (batch,) = problem.micro_batches(0)
    tally = Tally()
    tally.add(sums_of(problem.terms(batch), batch.counts))
    tokens = batch.tokens
    labels = torch.full_like(tokens.input_ids, -100)
    labels[batch.predicted] = batch.labels
    ones = torch.ones_like(tokens.input_ids)

    def grid(values: torch.Tensor, padding: int) -> torch.Tensor:
        full = torch.full((tokens.sequences, tokens.grid.longest), padding)
        full.view(-1)[tokens.grid.cells] = values
        return full

    with torch.no_grad():
        theirs = BertForPreTraining.from_pretrained(tmp_path, attn_implementation="eager").eval()(
            input_ids=grid(tokens.input_ids, 0),
            token_type_ids=grid(tokens.token_type_ids, 0),
            attention_mask=grid(ones, 0),
            labels=grid(labels, -100),
            next_sentence_label=batch.next_sentence_labels,
        )
    assert tally.figures()["loss"] == pytest.approx(float(theirs.loss), rel=1e-6)


@pytest.mark.parametrize("micro", [4, 2])
def test_micro_batches_do_not_change_an_update(micro: int, make_shards: Shards, tokenizer: Tokenizer) -> None:
    """Rows hide unequal numbers of tokens, and two or four pieces still move BERT as one batch does."""
    shards = make_shards("nsp")
    pieces = problem_of(shards, tokenizer).micro_batches(0, Cut(micro_batch_size=2))
    counts = [batch.counts["mlm"] for batch in pieces]
    assert len(set(counts)) > 1
    moved = []
    for size in (8, micro):
        problem = problem_of(shards, tokenizer)
        optimizer_config = OptimizerConfig(learning_rate=1.0, max_grad_norm=1e9)
        plan = Plan(Schedule("linear", 1, 1), optimizer_config, "fp32", seed=0, micro_batch_size=size)
        optimizer = torch.optim.SGD(problem.model.parameters(), lr=1.0)
        list(train(problem, optimizer, plan, device=CPU, first_step=0))
        moved.append(torch.cat([parameter.detach().flatten() for parameter in problem.model.parameters()]))
    assert torch.allclose(moved[0], moved[1], rtol=0, atol=1e-6)


def test_without_an_objective_nothing_is_asked(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """Single segments have the masked-token term alone, and a model without pooler."""
    problem = problem_of(make_shards("none"), tokenizer)
    assert problem.model.pooler is None
    assert problem.terms(problem.micro_batches(0)[0]).keys() == {"mlm"}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_few_rows_are_learned(precision: str, make_shards: Shards, tokenizer: Tokenizer) -> None:
    """The held-out loss (on the rows trained on) falls by a quarter, next sentences become known."""
    problem = problem_of(make_shards("nsp"), tokenizer, batch_size=21)
    plan = Plan(Schedule("linear", 45, 3), OptimizerConfig(learning_rate=1e-2), precision, 0)  # type: ignore[arg-type]
    before = evaluate(problem, precision="fp32", device=CPU)
    list(train(problem, build_optimizer(problem.model, plan.optimizer), plan, device=CPU, first_step=0))
    after = evaluate(problem, precision="fp32", device=CPU)
    assert before["mlm_loss"] > 5 and after["mlm_loss"] < before["mlm_loss"] * 3 / 4
    assert after["nsp_accuracy"] > 0.8
