"""The tasks that are known by name."""

import difflib
from collections.abc import Mapping
from typing import Any

from bertpipe.errors import ConfigError
from bertpipe.tasks.catalog.choices import CHOICES
from bertpipe.tasks.catalog.glue import GLUE
from bertpipe.tasks.catalog.korean import KOREAN
from bertpipe.tasks.catalog.others import OTHERS
from bertpipe.tasks.kinds import KINDS, TaskDescription
from bertpipe.tasks.task import Task

CATALOG: Mapping[str, TaskDescription] = {**CHOICES, **GLUE, **KOREAN, **OTHERS}


def describe(name: str, own: Mapping[str, TaskDescription]) -> TaskDescription:
    """Return what is known of a task: from the user's section ``tasks``, else from the catalog.

    Raises:
        ConfigError: neither knows the name.
    """
    known = {**CATALOG, **own}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise ConfigError(
            f"unknown task {name!r}, known are {', '.join(sorted(known))}",
            hint=(f"did you mean {near[0]}? " if near else "")
            + "your own task is described under tasks.<name> in params.yaml",
        )
    return known[name]


def kind_of(description: TaskDescription) -> type[Task[Any, Any, Any]]:
    """Return what can read, learn and restore a task that is so described."""
    return KINDS[description.kind]
