"""One update after another: exact sums, clipping, dropout as a function of the step."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bertpipe.training import Cut, OptimizerConfig, Plan, build_optimizer, evaluate, train
from bertpipe.training.loop import StepReport

CPU = torch.device("cpu")
Make = Callable[..., Any]


def run(problem: Any, plan: Plan, *, first_step: int = 0) -> list[StepReport]:
    optimizer = build_optimizer(problem.model, plan.optimizer)
    return list(train(problem, optimizer, plan, device=CPU, first_step=first_step))


def weights(problem: Any) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in problem.model.parameters()])


@pytest.mark.parametrize("pieces", [2, 4])
def test_micro_batches_do_not_change_an_update(pieces: int, make_problem: Make, make_plan: Make) -> None:
    """Two or four pieces with unequal items give the gradient, loss and weights of one.

    SGD at rate 1 shows the gradient itself; Adam would hide a wrong scale.
    """
    whole, cut = make_problem(), make_problem()
    reports: list[StepReport] = []
    for problem, size in ((whole, None), (cut, 8 // pieces)):
        optimizer_config = OptimizerConfig(learning_rate=1.0, max_grad_norm=1e9)
        plan = make_plan(1, warmup_steps=1, optimizer=optimizer_config, micro_batch_size=size)
        optimizer = torch.optim.SGD(problem.model.parameters(), lr=1.0)
        reports += train(problem, optimizer, plan, device=CPU, first_step=0)
    assert torch.allclose(weights(whole), weights(cut), rtol=0, atol=1e-6)
    assert reports[0].sums == pytest.approx(reports[1].sums, rel=1e-6)
    assert reports[0].gradient_norm == pytest.approx(reports[1].gradient_norm, rel=1e-6)
    assert reports[0].tokens == reports[1].tokens == 24


def test_the_gradient_is_that_of_the_sum_over_all_items(make_problem: Make, make_plan: Make) -> None:
    """One SGD step of rate 1 equals autograd on sum of errors / 5 + sum of sizes / 8, by hand."""
    problem, by_hand = make_problem(), make_problem()
    (batch,) = by_hand.micro_batches(0)
    terms = by_hand.terms(batch)
    (terms["fit"].loss / 5 + terms["size"].loss / 8).backward()
    expected = torch.cat([(p - p.grad).detach().flatten() for p in by_hand.model.parameters()])
    optimizer = torch.optim.SGD(problem.model.parameters(), lr=9.0)
    optimizer_config = OptimizerConfig(learning_rate=1.0, max_grad_norm=1e9)
    plan = make_plan(1, warmup_steps=1, optimizer=optimizer_config, micro_batch_size=2)
    list(train(problem, optimizer, plan, device=CPU, first_step=0))
    assert torch.allclose(weights(problem), expected, rtol=0, atol=1e-6)


def test_gradients_are_clipped_over_all_weights(make_problem: Make, make_plan: Make) -> None:
    """The move of an SGD step of rate 1 has the norm 0.01; the report tells the norm before."""
    problem = make_problem()
    before = weights(problem)
    optimizer = torch.optim.SGD(problem.model.parameters(), lr=1.0)
    plan = make_plan(1, warmup_steps=1, optimizer=OptimizerConfig(learning_rate=1.0, max_grad_norm=0.01))
    (report,) = train(problem, optimizer, plan, device=CPU, first_step=0)
    assert (weights(problem) - before).norm().item() == pytest.approx(0.01, rel=1e-3)
    assert report.gradient_norm > 0.1


def test_updates_follow_the_schedule(make_problem: Make, make_plan: Make) -> None:
    """Rates of 0.01 with two updates of warm-up in four: half, all, all, half; steps count from 1."""
    reports = run(make_problem(), make_plan(4))
    assert [report.learning_rate for report in reports] == pytest.approx([0.005, 0.01, 0.01, 0.005])
    assert [report.step for report in reports] == [1, 2, 3, 4]


def test_each_update_asks_for_its_own_data(make_problem: Make, make_plan: Make) -> None:
    """Building ahead neither skips nor repeats a step, and does not run past the end."""
    problem = make_problem()
    run(problem, make_plan(6), first_step=2)
    assert problem.asked == [2, 3, 4, 5]


def test_dropout_depends_on_step_and_piece_only(make_problem: Make, make_plan: Make) -> None:
    """Whatever the global generator did before, a run gives the same bits; another seed does not."""
    problems = [make_problem(dropout=0.5) for _ in range(3)]
    torch.manual_seed(123)
    run(problems[0], make_plan(3, micro_batch_size=4))
    torch.manual_seed(456)
    run(problems[1], make_plan(3, micro_batch_size=4))
    run(problems[2], make_plan(3, micro_batch_size=4, seed=8))
    assert torch.equal(weights(problems[0]), weights(problems[1]))
    assert not torch.equal(weights(problems[0]), weights(problems[2]))


def test_every_piece_of_every_update_has_dropout_of_its_own(make_problem: Make, make_plan: Make) -> None:
    """Six forward passes have six seeds; a run that starts at the third update has its two."""
    whole, late = make_problem(), make_problem()
    run(whole, make_plan(3, micro_batch_size=4))
    run(late, make_plan(3, micro_batch_size=4), first_step=2)
    assert len(set(whole.seeds)) == 6 and late.seeds == whole.seeds[4:]


def test_a_tiny_problem_is_learned(make_problem: Make, make_plan: Make) -> None:
    """In two hundred updates the loss falls to less than a fifth."""
    reports = run(make_problem(), make_plan(200, optimizer=OptimizerConfig(learning_rate=0.05)))
    assert reports[-1].sums["fit.loss"] < reports[0].sums["fit.loss"] / 5


def test_an_update_that_is_not_finite_moves_nothing(make_problem: Make, make_plan: Make) -> None:
    """The report says so, and the weights are those of the last good update."""
    problem, good = make_problem(broken_at=3), make_problem()
    for one, updates in ((problem, 4), (good, 3)):
        steps = train(
            one, build_optimizer(one.model, make_plan(8).optimizer), make_plan(8), device=CPU, first_step=0
        )
        reports = [next(steps) for _ in range(updates)]
        steps.close()
        assert [report.moved for report in reports] == [True, True, True, False][:updates]
    assert torch.equal(weights(problem), weights(good))


def test_the_wait_for_data_is_told(make_problem: Make, make_plan: Make) -> None:
    """Data that take 50 ms to build after updates of next to nothing are waited for; ready ones are not."""
    problem = make_problem()
    build = problem.micro_batches

    def slowly(step: int, cut: Cut) -> Any:
        time.sleep(0.05)
        return build(step, cut)

    problem.micro_batches = slowly
    reports = run(problem, make_plan(4))
    assert sum(report.data_wait_seconds for report in reports) > 0.1
    steps = train(
        make_problem(), torch.optim.SGD(problem.model.parameters()), make_plan(2), device=CPU, first_step=0
    )
    next(steps)
    time.sleep(0.05)
    assert next(steps).data_wait_seconds < 0.04


def test_evaluation_is_without_dropout_and_goes_back_to_training(make_problem: Make) -> None:
    """Two passes agree although dropout is on, no gradient is kept, and training goes on."""
    problem = make_problem(dropout=0.5)
    problem.model.train()
    first, second = (evaluate(problem, precision="fp32", device=CPU) for _ in range(2))
    assert first == second and problem.model.training
    assert all(parameter.grad is None for parameter in problem.model.parameters())
    problem.model.eval()
    batches = list(problem.validation_batches())
    losses = [float(problem.terms(batch)["fit"].loss.detach()) for batch in batches]
    assert first["fit_loss"] == pytest.approx(sum(losses) / 24)
