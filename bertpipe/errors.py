"""What can go wrong for a user: one class per kind of failure, one exit code per class.

Whoever raises one of these names the offending value and its place in the message and the way
out in the hint. The command line prints both and exits with the class's code; any other
exception is a bug and keeps its traceback.
"""

from typing import ClassVar


class BertpipeError(Exception):
    """A failure that the user can understand and mend.

    Attributes:
        message: one line: what is wrong, with the value and its place.
        hint: one line: the way out.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(BertpipeError):
    """A setting is unknown or impossible."""

    exit_code = 3


class CorpusError(BertpipeError):
    """The text cannot be read, or does not hold what the stage needs."""

    exit_code = 4


class TaskDataError(BertpipeError):
    """Labelled data cannot be read, or does not fit the task."""

    exit_code = 4


class ArtifactError(BertpipeError):
    """An output folder is missing, incomplete, changed, or was made by something else."""

    exit_code = 5


class CheckpointError(BertpipeError):
    """A model's names, shapes or vocabulary do not fit."""

    exit_code = 6


class TrainingDivergedError(BertpipeError):
    """The loss is not finite."""

    exit_code = 7


class ReproductionError(BertpipeError):
    """Two runs that have to agree do not."""

    exit_code = 8


class ResourceError(BertpipeError):
    """The machine lacks something: disk space, memory, the network, a program."""

    exit_code = 9


class BusyError(BertpipeError):
    """Another process is at work on the same folder."""

    exit_code = 10


class StoppedError(BertpipeError):
    """A signal asked the command to stop; its exit code is 128 plus the signal's number."""

    def __init__(self, signal_number: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number
