"""The command line: options in, one call of a stage, its result out.

Nothing heavy is imported before a subcommand runs, so ``bertpipe --help`` is instant.
"""

import errno
import importlib
import signal
import sys
from types import FrameType

import click

from bertpipe import __version__
from bertpipe.errors import BertpipeError, ResourceError, StoppedError

# Each name is a module here that holds a command of that name: the stages in the order of the pipeline,
# then what one does with finished models.
STAGES = ("samples", "vocab", "prepare", "pretrain", "finetune", "eval", "report")
TOOLS = ("predict", "submit", "compare")
COMMANDS = (*STAGES, *TOOLS)

_RESOURCE_ERRORS = {
    errno.ENOSPC: "free some disk space and run the command again",
    errno.EDQUOT: "free some disk space and run the command again",
    errno.EFBIG: "free some disk space and run the command again",
    errno.EACCES: "check the permissions",
    errno.EPERM: "check the permissions",
    errno.EROFS: "name a place that can be written",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENOMEM: "free some memory",
}


class Pipeline(click.Group):
    """The root group: loads subcommands late, and turns errors into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the pipeline, the tools after the stages."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one subcommand."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"bertpipe.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> None:
        """Run; what a user can mend becomes two lines and an exit code, a bug keeps its traceback."""
        try:
            super().invoke(ctx)
        except KeyboardInterrupt:
            _fail(ctx, StoppedError(signal.SIGINT, "stopped"))
        except BertpipeError as error:
            _fail(ctx, error)
        except (MemoryError, RuntimeError) as error:
            if not _is_shortage(error):
                raise
            _fail(ctx, ResourceError("out of memory", hint="use smaller batches or fewer workers"))
        except OSError as error:
            if error.errno not in _RESOURCE_ERRORS:
                raise
            place = f"{error.filename}: " if error.filename else ""
            hint = _RESOURCE_ERRORS[error.errno]
            _fail(ctx, ResourceError(f"{place}{error.strerror or error}", hint=hint))


def _is_shortage(error: Exception) -> bool:
    """Tell a lack of memory; torch has ways of its own to say it."""
    if "torch" not in sys.modules:  # the end of --help is a RuntimeError too, and has to be instant
        return isinstance(error, MemoryError)
    from bertpipe.training.shortage import is_shortage

    return is_shortage(error)


def _fail(ctx: click.Context, error: BertpipeError) -> None:
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
    ctx.exit(128 + error.signal_number if isinstance(error, StoppedError) else error.exit_code)


def _stop(number: int, frame: FrameType | None) -> None:
    raise StoppedError(number, f"stopped by {signal.Signals(number).name}")


@click.group(cls=Pipeline, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bertpipe")
def main() -> None:
    """From raw text in any language to GLUE and SQuAD numbers, one cached stage at a time."""
    from bertpipe.cli import under_dvc

    signal.signal(signal.SIGTERM, _stop)
    under_dvc.check()
