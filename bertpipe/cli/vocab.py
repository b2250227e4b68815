"""``bertpipe vocab``."""

import click

from bertpipe.cli import options


@click.command()
@options.corpus
@options.workers("bertpipe.vocab.counting")
@options.stage("vocab")
def vocab(corpus: tuple[str, ...], stage: options.StageCall) -> None:
    """Build a subword vocabulary from text."""
    from bertpipe.stages import vocab as vocab_stage

    settings = stage.read(vocab_stage.VocabSettings)
    stage.show(vocab_stage.run(settings, corpus=corpus, out=stage.out, progress=stage.display))
