"""The tasks that are known by name."""

from collections.abc import Mapping
from typing import Any

from bertpipe.errors import ConfigError
from bertpipe.tasks.kinds import (
    KINDS,
    ClassificationDescription,
    MultipleChoiceDescription,
    RegressionDescription,
    TaskDescription,
)
from bertpipe.tasks.task import Task

_CHOICES: Mapping[str, TaskDescription] = {
    "codah": MultipleChoiceDescription(
        kind="multiple_choice",
        header=("category", "prompt", "ending0", "ending1", "ending2", "ending3", "answer"),
        context=("prompt",),
        target="answer",
    ),
    "swag": MultipleChoiceDescription(
        kind="multiple_choice", files={"dev": "val.csv"}, context=("sent1",), beginning="sent2"
    ),
}

CATALOG: Mapping[str, TaskDescription] = {
    **_CHOICES,
    "film-reviews": ClassificationDescription(kind="classification"),
    "product-reviews": RegressionDescription(kind="regression", target="score"),
}


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


def kind_of(description: TaskDescription) -> type[Task[Any, Any, Any]]:
    """Return what can read, learn and restore a task that is so described."""
    return KINDS[description.kind]
