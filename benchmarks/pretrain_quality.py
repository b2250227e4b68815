"""Whether bf16 and dropout from words of random bits train as well as fp32 with torch's dropout.

The model is ``tiny``, in the setting of ``pretrain_against_trainer.py``. Its loss rests near the unigram
entropy of the text first, where any way to compute learns the same, and when it leaves that plateau differs
much from seed to seed. So the reference leads it off the plateau once (``--shared-steps``; 0: each way
starts from random weights), or a checkpoint of another run is the start (``--start``). From there each way
goes on, its rate falling to zero, with several seeds: of the order, of the masks and of dropout. Order and
masks of a seed are the same for all ways.

Printed are, by way, the losses on held-out rows at the end (evaluated in fp32 without dropout), their mean
and spread over seeds, and mean and standard error of the differences from the reference within a seed:
beyond about 3 errors a way would be worse.

    python benchmarks/pretrain_quality.py --out DIR [--seeds N] [--steps N] [--shared-steps N]
    python benchmarks/pretrain_quality.py --out DIR --start .../step-000012007/model.safetensors --steps 500

Results are added to ``DIR/quality-START-STEPS.tsv`` as they come; what stands there is not trained again.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

from pretrain_against_trainer import Setting, make_shards, setting_of
from safetensors.torch import load_file, save_file
from torch import Tensor

from bertpipe.model import dropout
from bertpipe.pretraining import MaskedLanguageModelling
from bertpipe.progress import Silent
from bertpipe.training import Plan, Precision, Schedule, build_optimizer, evaluate, prepare_device, train

REFERENCE = "fp32, torch's dropout"
WAYS: dict[str, tuple[Precision, bool]] = {
    REFERENCE: ("fp32", False),
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
    parser.add_argument("--steps", type=int, default=1000, help="of each way and seed")
    parser.add_argument("--shared-steps", type=int, default=3000, help="before, done once")
    parser.add_argument("--start", type=Path, help="weights in a checkpoint, instead of shared updates")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    shards = make_shards(out)
    if arguments.start is not None:
        start, name = load_file(arguments.start), arguments.start.parent.name
    else:
        start, name = shared_start(arguments, shards, out), str(arguments.shared_steps)
    path = out / f"quality-{name}-{arguments.steps}.tsv"
    results = read(path)
    for seed in range(1, arguments.seeds + 1):
        for way in arguments.ways:
            if (seed, way) not in results:
                setting = setting_for(arguments, shards, way, steps=arguments.steps, seed=seed)
                results[seed, way] = figures_of(
                    trained(way, setting, setting.settings.pretrain.plan(), start)
                )
                add(path, seed, way, results[seed, way])
    report(results, arguments.ways)


def shared_start(arguments: argparse.Namespace, shards: Path, out: Path) -> Mapping[str, Tensor] | None:
    """Return the weights that all go on from, if any; the rate is constant after its warm-up."""
    steps = arguments.shared_steps
    if not steps:
        return None
    path = out / f"shared-{steps}.safetensors"
    if not path.exists():
        setting = setting_for(arguments, shards, REFERENCE, steps=steps, seed=0)
        schedule = Schedule("constant", total_steps=steps, warmup_steps=steps // 3)
        plan = replace(setting.settings.pretrain.plan(), schedule=schedule)
        problem = trained(REFERENCE, setting, plan, None)
        print("shared start:", figures_of(problem), flush=True)
        save_file(problem.model.state_dict(), path)
    return load_file(path)


def setting_for(arguments: argparse.Namespace, shards: Path, way: str, *, steps: int, seed: int) -> Setting:
    """Return the settings of one run."""
    return setting_of(
        shards,
        steps=steps,
        seed=seed,
        threads=arguments.threads,
        precision=WAYS[way][0],
        evaluate_sequences=EVALUATED,
    )


def trained(
    way: str, setting: Setting, plan: Plan, start: Mapping[str, Tensor] | None
) -> MaskedLanguageModelling:
    """Train in that way, from ``start`` or from random weights."""
    dropout._masks_are_cheap = OUR_MASKS if WAYS[way][1] else lambda x: False
    device = prepare_device(setting.settings.runtime, Silent())
    problem = setting.problem()
    if start is not None:
        problem.model.load_state_dict(start)
    optimizer = build_optimizer(problem.model, plan.optimizer)
    for _ in train(problem, optimizer, plan, device=device, first_step=0):
        pass
    return problem


def figures_of(problem: MaskedLanguageModelling) -> dict[str, float]:
    """Return the averages over the held-out rows."""
    parameter = next(problem.model.parameters())
    return evaluate(problem, precision="fp32", device=parameter.device)


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
