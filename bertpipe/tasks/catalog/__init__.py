"""The tasks that are known by name."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from bertpipe.errors import ConfigError
from bertpipe.tasks.catalog.choices import CHOICES
from bertpipe.tasks.catalog.glue import GLUE
from bertpipe.tasks.catalog.korean import KOREAN
from bertpipe.tasks.catalog.others import OTHERS
from bertpipe.tasks.catalog.questions import QUESTIONS
from bertpipe.tasks.catalog.tagging import TAGGING
from bertpipe.tasks.kinds import KINDS, TaskDescription
from bertpipe.tasks.task import Task

CATALOG: Mapping[str, TaskDescription] = {**CHOICES, **GLUE, **KOREAN, **OTHERS, **QUESTIONS, **TAGGING}


def _over_the_catalog(entries: Any) -> Any:
    """Complete an entry of a known name that does not say its kind by what the catalog says."""
    if not isinstance(entries, Mapping):
        return entries
    return {name: _completed(name, entry) for name, entry in entries.items()}


def _completed(name: str, entry: Any) -> Any:
    known = _known_as(name)
    if known is None or not isinstance(entry, Mapping) or "kind" in entry:
        return entry
    completed = known.model_dump(exclude_unset=True) | dict(entry)
    if isinstance(completed.get("files"), Mapping):
        completed["files"] = {**known.files, **completed["files"]}
    return completed


# The section: what is said of a known task goes on top of what the catalog says, files split by split.
Tasks = Annotated[dict[str, TaskDescription], BeforeValidator(_over_the_catalog)]


def describe(name: str, own: Mapping[str, TaskDescription]) -> TaskDescription:
    """Return what is known of a task: from the user's section ``tasks``, else from the catalog.

    The catalog takes upper case for lower case: official folders are called ``CoLA`` and ``MNLI``.

    Raises:
        ConfigError: neither knows the name.
    """
    known = own.get(name) or _known_as(name)
    if known is None:
        names = sorted({*CATALOG, *own})
        near = difflib.get_close_matches(name, names, n=1)
        raise ConfigError(
            f"unknown task {name!r}, known are {', '.join(names)}",
            hint=(f"did you mean {near[0]}? " if near else "")
            + "your own task is described under tasks.<name> in params.yaml",
        )
    return known


def _known_as(name: str) -> TaskDescription | None:
    return CATALOG.get(name.lower())


def kind_of(description: TaskDescription) -> type[Task[Any, Any, Any]]:
    """Return what can read, learn and restore a task that is so described."""
    return KINDS[description.kind]
