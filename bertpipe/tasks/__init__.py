"""Labelled tasks: what they are, how they are read, trained on and scored."""

from bertpipe.tasks.answering import Answerer, write_answers
from bertpipe.tasks.catalog import Tasks, describe, kind_of
from bertpipe.tasks.config import AnswerConfig, FinetuneConfig
from bertpipe.tasks.device import prepare_only_device
from bertpipe.tasks.ending import Ending
from bertpipe.tasks.finetuning import Finetuning, TaskData
from bertpipe.tasks.heads import Head
from bertpipe.tasks.kinds import KINDS, TaskDescription
from bertpipe.tasks.opening import answer_split, finetuned_with
from bertpipe.tasks.start import choose, start
from bertpipe.tasks.task import Example, Judgement, Prediction, Task, notes_of

__all__ = [
    "KINDS",
    "AnswerConfig",
    "Answerer",
    "Ending",
    "Example",
    "FinetuneConfig",
    "Finetuning",
    "Head",
    "Judgement",
    "Prediction",
    "Task",
    "TaskData",
    "TaskDescription",
    "Tasks",
    "answer_split",
    "choose",
    "describe",
    "finetuned_with",
    "kind_of",
    "notes_of",
    "prepare_only_device",
    "start",
    "write_answers",
]
