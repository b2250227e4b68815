"""``bertpipe report``."""

from pathlib import Path

import click

from bertpipe.cli import options


@click.command()
@click.option("--samples", type=options.FOLDER, help="Output of 'bertpipe samples', where it was used.")
@click.option("--vocab", type=options.FOLDER, help="Output of 'bertpipe vocab'.")
@click.option("--shards", type=options.FOLDER, help="Output of 'bertpipe prepare'.")
@click.option("--model", type=options.FOLDER, help="Output of 'bertpipe pretrain'.")
@click.option(
    "--scores",
    type=options.FOLDER,
    required=True,
    help="Folder with an output of 'bertpipe eval' in each TASK/RUN.",
)
@click.option(
    "--show",
    type=options.FOLDER,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, folder: _show_again(ctx, folder),
    help="Only print a finished report again.",
)
@options.stage("report")
def report(
    samples: Path | None,
    vocab: Path | None,
    shards: Path | None,
    model: Path | None,
    scores: Path,
    stage: options.StageCall,
) -> None:
    """Put figures and curves of all stages on one page."""
    from bertpipe.configs import Settings
    from bertpipe.stages import report as report_stage

    stage.read(Settings)  # the stage has no settings, but an unknown section is an error everywhere
    summary = report_stage.run(
        samples=samples,
        vocab=vocab,
        shards=shards,
        model=model,
        scores=scores,
        out=stage.out,
        progress=stage.display,
    )
    if not stage.as_json:
        _print_tables(stage.out)
    stage.show(summary)


def _show_again(ctx: click.Context, folder: Path | None) -> None:
    if folder is not None and not ctx.resilient_parsing:
        _print_tables(folder)
        ctx.exit()


def _print_tables(folder: Path) -> None:
    """Print the tables of a report, and what took how long where the run log tells."""
    from bertpipe.cli import results, runlog
    from bertpipe.reports import read_log, terminal_tables, timings_table
    from bertpipe.stages.report import read_report

    runs, bad_lines = read_log(runlog.path())
    tables = [*terminal_tables(read_report(folder)), timings_table(runs, bad_lines=bad_lines)]
    for table in tables:
        results.print_table(table)
