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
    # YAML reads a name such as 2024 as a number.
    return {str(name): _completed(str(name), entry) for name, entry in entries.items()}


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

    A name of the catalog may be in upper case, here and in the section: official folders are called
    ``CoLA`` and ``MNLI``.

    Raises:
        ConfigError: neither knows the name.
    """
    known = own.get(name) or _said_of(name, own) or _known_as(name)
    if known is None:
        names = sorted({*CATALOG, *own})
        near = difflib.get_close_matches(name, names, n=1)
        raise ConfigError(
            f"unknown task {name!r}, known are {', '.join(names)}",
            hint=(f"did you mean {near[0]}? " if near else "")
            + "your own task is described under tasks.<name> in params.yaml",
        )
    return known


def _said_of(name: str, own: Mapping[str, TaskDescription]) -> TaskDescription | None:
    """Return what the user says of a task of the catalog, in whatever case either name is."""
    lowered = name.lower()
    said = (entry for other, entry in own.items() if other.lower() == lowered)
    return next(said, None) if lowered in CATALOG else None


def _known_as(name: str) -> TaskDescription | None:
    return CATALOG.get(name.lower())


def kind_of(description: TaskDescription) -> type[Task[Any, Any, Any]]:
    """Return what can read, learn and restore a task that is so described."""
    return KINDS[description.kind]
