"""``bertpipe pretrain``."""

from pathlib import Path

import click

from bertpipe.cli import options


@click.command()
@click.option("--shards", type=options.FOLDER, required=True, help="Output of 'bertpipe prepare'.")
@click.option("--init", type=options.FOLDER, help="Model folder to start from; default: random weights.")
@options.stage("pretrain")
def pretrain(shards: Path, init: Path | None, stage: options.StageCall) -> None:
    """Train BERT on shards: masked LM and next sentence prediction."""
    from bertpipe.stages import pretrain as pretrain_stage

    settings = stage.read(pretrain_stage.PretrainSettings)
    stage.show(pretrain_stage.run(settings, shards=shards, init=init, out=stage.out, progress=stage.display))
