"""Labelled tasks: what they are, how they are read, trained on and scored."""

from bertpipe.tasks.catalog import describe, learn_task, restore_task
from bertpipe.tasks.config import FinetuneConfig
from bertpipe.tasks.features import encode
from bertpipe.tasks.finetuning import ARCHITECTURE, Finetuning, TaskData, answer
from bertpipe.tasks.task import Example, Judgement, Split, Task, TaskDescription, read_examples

__all__ = [
    "ARCHITECTURE",
    "Example",
    "FinetuneConfig",
    "Finetuning",
    "Judgement",
    "Split",
    "Task",
    "TaskData",
    "TaskDescription",
    "answer",
    "describe",
    "encode",
    "learn_task",
    "read_examples",
    "restore_task",
]
