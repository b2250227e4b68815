"""The tasks that are known by name, and the kinds that they can be of."""

from collections.abc import Mapping, Sequence
from typing import Any

from bertpipe.errors import ConfigError
from bertpipe.tasks.classification import Classification
from bertpipe.tasks.regression import Regression
from bertpipe.tasks.task import Example, Task, TaskDescription

CATALOG: Mapping[str, TaskDescription] = {
    "film-reviews": TaskDescription(kind="classification"),
    "product-reviews": TaskDescription(kind="regression", target="score"),
}

KINDS: Mapping[str, Any] = {"classification": Classification, "regression": Regression}


def describe(name: str, own: Mapping[str, TaskDescription]) -> TaskDescription:
    """Return what is known of a task: from the user's section ``tasks``, else from the catalog.

    Raises:
        ConfigError: neither knows the name.
    """
    known = {**CATALOG, **own}
    if name not in known:
        raise ConfigError(
            f"unknown task {name!r}, known are {', '.join(sorted(known))}",
            hint="describe your own task under tasks.<name> in params.yaml",
        )
    return known[name]


def learn_task(name: str, description: TaskDescription, examples: Sequence[Example]) -> Task:
    """Return the task with what only its training examples tell, such as the labels."""
    task: Task = KINDS[description.kind].learn(name, description, examples)
    return task


def restore_task(name: str, description: TaskDescription, labels: tuple[str, ...]) -> Task:
    """Return the task of a fine-tuned model."""
    task: Task = KINDS[description.kind](name, description, labels)
    return task
