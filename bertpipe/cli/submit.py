"""``bertpipe submit``."""

from pathlib import Path

import click

from bertpipe.cli import options


@click.command()
@click.argument("predictions", nargs=-1, required=True, type=options.FOLDER, metavar="PREDICTIONS...")
@options.stage("submit", writes="Archive to write, such as glue.zip")
def submit(predictions: tuple[Path, ...], stage: options.StageCall) -> None:
    """Put outputs of predict into one archive for GLUE's leaderboard."""
    from bertpipe.configs import Settings
    from bertpipe.tools import submit as submit_tool

    stage.read(Settings)  # the command has no settings, but an unknown section is an error everywhere
    stage.show(submit_tool.run(predictions=predictions, out=stage.out))
