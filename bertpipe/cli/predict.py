"""``bertpipe predict``."""

from pathlib import Path

import click

from bertpipe.cli import options


@click.command()
@click.option("--model", type=options.FOLDER, required=True, help="Output of 'bertpipe finetune'.")
@options.task
@click.option("--split", help="Part of the data, short for --set predict.split=NAME; default: test.")
@options.stage("predict")
def predict(model: Path, task: str, data: Path, stage: options.StageCall) -> None:
    """Let a fine-tuned model answer data that may have no labels."""
    from bertpipe.tools import predict as predict_tool

    settings = stage.read(predict_tool.PredictSettings)
    summary = predict_tool.run(
        settings, model=model, task_name=task, data=data, out=stage.out, progress=stage.display
    )
    stage.show(summary)
