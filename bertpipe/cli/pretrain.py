"""``bertpipe pretrain``."""

from pathlib import Path

import click

from bertpipe.cli import options


@click.command()
@click.option("--shards", type=options.FOLDER, required=True, help="Output of 'bertpipe prepare'.")
@click.option("--init", type=options.FOLDER, help="Model folder to start from; default: random weights.")
@options.stage("pretrain")
def pretrain(shards: Path, init: Path | None, stage: options.StageCall) -> None:
    """Train BERT on shards: masked LM and, where they ask for it, next sentence or sentence order.

    With several processes: torchrun --nproc-per-node N -m bertpipe pretrain ...
    """
    from bertpipe.stages import pretrain as pretrain_stage
    from bertpipe.training.world import is_first_process

    settings = stage.read(pretrain_stage.PretrainSettings)
    summary = pretrain_stage.run(settings, shards=shards, init=init, out=stage.out, progress=stage.display)
    if is_first_process():
        stage.show(summary)
