"""Entities that tags name, as conlleval and seqeval see them.

A tag is ``O`` or a prefix with a type, such as ``B-PER``. The schemes (Ramshaw and Marcus 1995; Tjong
Kim Sang and Veenstra 1999): in IOB1 an entity starts with ``B`` only after another one of its type; in
IOB2 always; in BIOES its last word has an ``E``, and a single one has an ``S``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

Scheme = Literal["iob1", "iob2", "bioes", "none"]
Tags = Sequence[str]
# Type, first word, and the word behind the last.
Entity = tuple[str, int, int]

PREFIXES: Mapping[Scheme, str] = {"iob1": "BI", "iob2": "BI", "bioes": "BEIS"}
OUTSIDE = "O"

_TAG = re.compile("[BIES]-.+", re.DOTALL)


def scheme_of(sentences: Iterable[Tags]) -> Scheme:
    """Return the scheme that tags follow: none where they name no entities, as in POS."""
    tags: set[str] = set()
    firsts = {"B": 0, "I": 0}
    for sentence in sentences:
        tags.update(sentence)
        for start, _ in _runs(sentence):
            prefix = sentence[start][0]
            firsts[prefix] = firsts.get(prefix, 0) + 1
    prefixed = tags - {OUTSIDE}
    if not prefixed or not all(_TAG.fullmatch(tag) for tag in prefixed):
        return "none"
    if {tag[0] for tag in prefixed} & {"E", "S"}:
        return "bioes"
    return "iob1" if firsts["I"] > firsts["B"] else "iob2"


def fits(tag: str, scheme: Scheme) -> bool:
    """Tell whether a tag can occur in a scheme."""
    if scheme == "none" or tag == OUTSIDE:
        return True
    return _TAG.fullmatch(tag) is not None and tag[0] in PREFIXES[scheme]


def entities(tags: Tags) -> set[Entity]:
    """Return the entities of a sentence as conlleval sees them, in any scheme.

    An ``I`` or ``E`` that has nothing of its type to go on with starts an entity; this is
    seqeval's default.
    """
    return {(_split(tags[start])[1], start, end) for start, end in _runs(tags)}


def strict_entities(tags: Tags, scheme: Scheme) -> set[Entity]:
    """Return the entities of a sentence that are well-formed: seqeval's strict mode."""
    well_formed = _WELL_FORMED[scheme]
    return {
        (_split(tags[start])[1], start, end)
        for start, end in (well_formed(tags, *run) for run in _runs(tags))
        if start < end
    }


def _runs(tags: Tags) -> Iterator[tuple[int, int]]:
    """Yield where words stand together: a run goes on with ``I`` and ``E`` of its type, until an ``E``."""
    start: int | None = None
    before = (OUTSIDE, "")
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, kind = _split(tag)
        if not (prefix in ("I", "E") and before[0] in ("B", "I") and kind == before[1]):
            if start is not None:
                yield start, place
            start = None if prefix == OUTSIDE else place
        before = prefix, kind


def _split(tag: str) -> tuple[str, str]:
    prefix, _, kind = tag.partition("-")
    return prefix, kind


def _iob1(tags: Tags, start: int, end: int) -> tuple[int, int]:
    """Return the well-formed part of a run; nothing of it: an empty one.

    A ``B`` that separates nothing does not count, what follows it does. seqeval also leaves out a
    lone ``B`` with a ``B`` of another type behind it.
    """
    if tags[start][0] != "B":
        return start, end
    kind = _split(tags[start])[1]
    if start == 0 or tags[start - 1] == OUTSIDE or _split(tags[start - 1])[1] != kind:
        return start + 1, end
    behind = tags[end] if end < len(tags) else OUTSIDE
    return (end, end) if end - start == 1 and behind[0] == "B" and _split(behind)[1] != kind else (start, end)


def _iob2(tags: Tags, start: int, end: int) -> tuple[int, int]:
    return (start, end) if tags[start][0] == "B" else (end, end)


def _bioes(tags: Tags, start: int, end: int) -> tuple[int, int]:
    first, last = tags[start][0], tags[end - 1][0]
    whole = first == "S" or (first == "B" and last == "E")
    return (start, end) if whole else (end, end)


_WELL_FORMED: Mapping[Scheme, Callable[[Tags, int, int], tuple[int, int]]] = {
    "iob1": _iob1,
    "iob2": _iob2,
    "bioes": _bioes,
}
