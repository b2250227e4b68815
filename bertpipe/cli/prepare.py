"""``bertpipe prepare``."""

from pathlib import Path

import click

from bertpipe.cli import options


@click.command()
@options.corpus
@click.option("--vocab", type=options.FOLDER, required=True, help="Tokenizer folder, as of 'bertpipe vocab'.")
@options.workers("bertpipe.instances.building")
@options.stage("prepare")
def prepare(corpus: tuple[str, ...], vocab: Path, stage: options.StageCall) -> None:
    """Turn text into shards of pre-training instances."""
    from bertpipe.stages import prepare as prepare_stage

    settings = stage.read(prepare_stage.PrepareSettings)
    stage.show(prepare_stage.run(settings, corpus=corpus, vocab=vocab, out=stage.out, progress=stage.display))
