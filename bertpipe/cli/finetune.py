"""``bertpipe finetune``."""

from pathlib import Path

import click

from bertpipe.cli import options


@click.command()
@click.option("--model", type=options.FOLDER, required=True, help="Pre-trained model folder.")
@options.task
@options.stage("finetune")
def finetune(model: Path, task: str, data: Path, stage: options.StageCall) -> None:
    """Train a pre-trained model on a task."""
    from bertpipe.stages import finetune as finetune_stage

    settings = stage.read(finetune_stage.FinetuneSettings)
    summary = finetune_stage.run(
        settings, model=model, task_name=task, data=data, out=stage.out, progress=stage.display
    )
    stage.show(summary)
