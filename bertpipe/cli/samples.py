"""``bertpipe samples``."""

import click

from bertpipe.cli import options


@click.command()
@options.stage("samples")
def samples(stage: options.StageCall) -> None:
    """Fetch real text and labels to try the pipeline on."""
    from bertpipe.stages import samples as samples_stage

    settings = stage.read(samples_stage.SamplesSettings)
    stage.show(samples_stage.run(settings, out=stage.out, progress=stage.display))
