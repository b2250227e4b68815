"""Whether bf16 and dropout from words of random bits train as well as fp32 with torch's dropout.

Each way trains the same small model on the books, with several seeds: of the weights, of the order, of the
masks and of dropout. Printed are mean and spread of the loss on held-out rows at the end, and how far the
means lie from that of the reference, in standard errors: beyond about 3 a way would be worse.

    python benchmarks/pretrain_quality.py [--seeds N] [--steps N] [--cache DIR]
"""

import argparse
import tempfile
from pathlib import Path
from statistics import mean, stdev

import torch
from pretrain_speed import make_shards

from bertpipe import randomness
from bertpipe.configs import RuntimeConfig
from bertpipe.instances import MaskingConfig, ShardSet
from bertpipe.model import ModelShape, PretrainingModel, dropout
from bertpipe.pretraining import BatchMaker, MaskedLanguageModelling, TrainingData, ValidationData
from bertpipe.progress import Silent
from bertpipe.training import (
    OptimizerConfig,
    Plan,
    Precision,
    Schedule,
    build_optimizer,
    evaluate,
    prepare_device,
    train,
)
from bertpipe.vocab import Tokenizer

WAYS: dict[str, tuple[Precision, bool]] = {
    "fp32, torch's dropout": ("fp32", False),
    "fp32": ("fp32", True),
    "bf16": ("bf16", True),
}
OUR_MASKS = dropout._masks_are_cheap


def main() -> None:
    """Print a line for each run, then one for each way."""
    parser = argparse.ArgumentParser(description="Compare what ways to compute learn.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--megabytes", type=int, default=30, help="of text")
    parser.add_argument("--length", type=int, default=128, help="tokens of a row")
    parser.add_argument("--threads", type=int, help="unset: one a core")
    parser.add_argument("--cache", type=Path, help="folder that keeps the shards for the next time")
    arguments = parser.parse_args()
    losses: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        cache = (arguments.cache or Path(folder)).resolve()
        shards = make_shards(cache, arguments.megabytes, arguments.length)
        for seed in range(1, arguments.seeds + 1):
            for way in WAYS:
                losses[way].append(trained(way, shards, seed, arguments))
                print(f"seed {seed}, {way}: held-out loss {losses[way][-1]:.4f}", flush=True)
    reference = next(iter(losses.values()))
    for way, values in losses.items():
        error = ((stdev(values) ** 2 + stdev(reference) ** 2) / len(values)) ** 0.5
        apart = (mean(values) - mean(reference)) / error
        print(f"{way}: {mean(values):.4f} +- {stdev(values):.4f}, {apart:+.1f} standard errors apart")


def trained(way: str, shards: Path, seed: int, arguments: argparse.Namespace) -> float:
    """Return the held-out loss after training from random weights."""
    precision, has_our_masks = WAYS[way]
    dropout._masks_are_cheap = OUR_MASKS if has_our_masks else lambda x: False
    device = prepare_device(RuntimeConfig(device="cpu", threads=arguments.threads), Silent())
    problem = problem_of(shards, seed, arguments.batch_size)
    plan = Plan(
        Schedule("linear", total_steps=arguments.steps, warmup_steps=arguments.steps // 10),
        OptimizerConfig(learning_rate=1e-3),
        precision=precision,
        seed=seed,
    )
    optimizer = build_optimizer(problem.model, plan.optimizer)
    for _ in train(problem, optimizer, plan, device=device, first_step=0):
        pass
    return evaluate(problem, precision="fp32", device=device)["loss"]


def problem_of(shards: Path, seed: int, batch_size: int) -> MaskedLanguageModelling:
    """Return a model of two layers with the data of a seed."""
    tokenizer = Tokenizer.load(shards / "tokenizer")
    rows, held_out = (ShardSet.open(shards / split) for split in ("train", "validation"))
    maker = BatchMaker(MaskingConfig(), tokenizer, rows.max_seq_length)
    shape = ModelShape(
        hidden_size=128, num_hidden_layers=2, num_attention_heads=2, vocab_size=tokenizer.vocab_size
    )
    torch.manual_seed(randomness.torch_seed(seed, "weights"))
    return MaskedLanguageModelling(
        PretrainingModel(shape, predicts_next_sentence=True),
        TrainingData(rows, maker, batch_size, seed),
        ValidationData(held_out, maker, 256, 64),
    )


if __name__ == "__main__":
    main()
