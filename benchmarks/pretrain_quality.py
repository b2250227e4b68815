"""Whether bf16 and dropout from words of random bits train as well as fp32 with torch's dropout.

Each way trains a model of two layers on the books, in the setting of ``pretrain_against_trainer.py``, with
several seeds: of the weights, of the order, of the masks and of dropout. Weights, order and masks of a seed
are the same for all ways, so that ways are compared within a seed. Printed are, by way, mean and spread over
seeds of the loss on held-out rows at the end (evaluated in fp32 without dropout), and mean and standard
error of the differences from the reference: beyond about 3 errors a way would be worse.

The run has to be long enough that the loss leaves the plateau near the unigram entropy: what is learned
there, any way learns.

    python benchmarks/pretrain_quality.py --out DIR [--seeds N] [--steps N]

Results are added to ``DIR/quality-STEPS.tsv`` as they come; what stands there is not trained again.
"""

import argparse
from pathlib import Path
from statistics import mean, stdev

from pretrain_against_trainer import Setting, make_shards, setting_of

from bertpipe.model import dropout
from bertpipe.progress import Silent
from bertpipe.training import Precision, build_optimizer, evaluate, prepare_device, train

WAYS: dict[str, tuple[Precision, bool]] = {
    "fp32, torch's dropout": ("fp32", False),
    "fp32": ("fp32", True),
    "bf16": ("bf16", True),
}
FIGURES = ("loss", "mlm_loss", "mlm_accuracy", "nsp_accuracy")
EVALUATED = 4000  # held-out rows
OUR_MASKS = dropout._masks_are_cheap

Results = dict[tuple[int, str], dict[str, float]]


def main() -> None:
    """Train what is not there yet, then print a line for each way."""
    parser = argparse.ArgumentParser(description="Compare what ways to compute learn.")
    parser.add_argument("--out", type=Path, required=True, help="folder for shards and results")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    shards, path = make_shards(out), out / f"quality-{arguments.steps}.tsv"
    results = read(path)
    for seed in range(1, arguments.seeds + 1):
        for way in arguments.ways:
            if (seed, way) not in results:
                precision, has_our_masks = WAYS[way]
                setting = setting_of(
                    shards,
                    steps=arguments.steps,
                    seed=seed,
                    threads=arguments.threads,
                    precision=precision,
                    evaluate_sequences=EVALUATED,
                )
                results[seed, way] = trained(setting, has_our_masks=has_our_masks)
                add(path, seed, way, results[seed, way])
    report(results, arguments.ways)


def trained(setting: Setting, *, has_our_masks: bool) -> dict[str, float]:
    """Return the figures on held-out rows after training from random weights."""
    dropout._masks_are_cheap = OUR_MASKS if has_our_masks else lambda x: False
    device = prepare_device(setting.settings.runtime, Silent())
    problem, plan = setting.problem(), setting.settings.pretrain.plan()
    optimizer = build_optimizer(problem.model, plan.optimizer)
    for _ in train(problem, optimizer, plan, device=device, first_step=0):
        pass
    return evaluate(problem, precision="fp32", device=device)


def report(results: Results, ways: list[str]) -> None:
    """Print a line for each way, over the seeds that all of them have."""
    seeds = [seed for seed, way in results if way == ways[0] and all((seed, w) in results for w in ways)]
    print("| way | " + " | ".join(f"seed {seed}" for seed in seeds) + " | mean | spread | difference |")
    print("|---|" + " ---: |" * (len(seeds) + 3))
    for way in ways:
        losses = [results[seed, way]["loss"] for seed in seeds]
        apart = [loss - results[seed, ways[0]]["loss"] for seed, loss in zip(seeds, losses, strict=True)]
        difference = "" if way == ways[0] else f"{mean(apart):+.4f} ± {stdev(apart) / len(apart) ** 0.5:.4f}"
        cells = [f"{loss:.4f}" for loss in (*losses, mean(losses), stdev(losses))]
        print(f"| {way} | {' | '.join(cells)} | {difference} |")


def read(path: Path) -> Results:
    """Return what was trained before."""
    if not path.exists():
        return {}
    _, *lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {
        (int(seed), way): dict(zip(FIGURES, map(float, figures), strict=True))
        for seed, way, *figures in lines
    }


def add(path: Path, seed: int, way: str, figures: dict[str, float]) -> None:
    """Add the line of one run."""
    is_new = not path.exists()
    with path.open("a", encoding="utf-8") as file:
        if is_new:
            print("seed", "way", *FIGURES, sep="\t", file=file)
        print(seed, way, *(f"{figures[name]:.8g}" for name in FIGURES), sep="\t", file=file)


if __name__ == "__main__":
    main()
