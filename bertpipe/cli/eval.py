"""``bertpipe eval``."""

from pathlib import Path

import click

from bertpipe.cli import options


@click.command()
@click.option("--model", type=options.FOLDER, required=True, help="Output of 'bertpipe finetune'.")
@options.task
@options.stage("eval")
def eval(model: Path, task: str, data: Path, stage: options.StageCall) -> None:
    """Score a fine-tuned model on a split of a task."""
    from bertpipe.stages import eval as eval_stage

    settings = stage.read(eval_stage.EvalSettings)
    summary = eval_stage.run(
        settings, model=model, task_name=task, data=data, out=stage.out, progress=stage.display
    )
    stage.show(summary)
