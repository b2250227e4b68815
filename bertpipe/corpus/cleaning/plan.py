"""Cleaning: a first pass over the corpus that decides which documents stay.

Workers examine parts and return small arrays; the decision is made in reading order in one
process. So it does not depend on the number of workers or on how the corpus is cut into parts.
Of duplicates the first in reading order stays, so the names of files can decide which one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bertpipe.corpus.cleaning.duplicates import check_library, exact_duplicates, near_duplicates
from bertpipe.corpus.cleaning.figures import STAYS, Figures, P, Read, examine, switch_number
from bertpipe.corpus.cleaning.settings import CleaningConfig
from bertpipe.corpus.cleaning.tasks import TaskNgrams, read_task_ngrams
from bertpipe.errors import CorpusError
from bertpipe.executors import Executor

_EXAMPLES = 10

T = TypeVar("T")

# Which documents of a part stay, bool ``[D]``; none where all do.
Keep = NDArray[np.bool_] | None


@dataclass(frozen=True)
class Removed:
    """What one switch took.

    Attributes:
        documents: how many.
        examples: numbers of the first of them, in reading order before cleaning, from 0.
        like: for duplicates, the document that stays instead of each example; else empty.
    """

    documents: int
    examples: list[int]
    like: list[int]


@dataclass(frozen=True)
class CleaningReport:
    """What cleaning took, and why.

    Attributes:
        documents: number of documents before.
        kept: number of documents that stay.
        removed: for each switch that is set, what it took of what those before it had left.
        task_files: number of task files that were compared with.
        task_texts: number of texts in them.
        short_task_texts: number of those with too few words for an n-gram: they were not looked for.
        task_ngrams: number of different n-grams in them.
    """

    documents: int
    kept: int
    removed: dict[str, Removed]
    task_files: int = 0
    task_texts: int = 0
    short_task_texts: int = 0
    task_ngrams: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the report as it stands in ``statistics.json``."""
        return asdict(self)


@dataclass(frozen=True)
class CleaningPlan:
    """Which documents stay.

    Attributes:
        keep: for each part which of its documents stay, bool ``[D]``.
        report: what was taken, and why.
    """

    keep: list[NDArray[np.bool_]]
    report: CleaningReport


def plan_cleaning(
    parts: Iterable[P],
    config: CleaningConfig,
    *,
    read: Read[P],
    executor: Executor,
    on_read: Callable[[int], None] | None = None,
) -> CleaningPlan:
    """Decide which documents of a corpus stay.

    This process needs about 10 bytes for each document; where exact duplicates are looked for 70
    more; and for near duplicates ``4 * permutations + 100`` more, and some 4 kB for each document
    that stays and shares a bucket with another. A worker needs what a part takes, and about 8
    bytes for each character of the longest document.

    Args:
        parts: of the corpus, in reading order.
        config: the switches.
        read: gives the paragraphs of a part's documents; can be pickled.
        executor: does the examining.
        on_read: told the ``read_bytes`` of each part when it was examined.

    Raises:
        CorpusError: nothing is left; or a part or a task file cannot be read.
        ConfigError: near duplicates are asked for without the library for them.
    """
    if config.near_duplicates is not None:
        check_library()
    tasks = _task_ngrams(config)
    examine_part = partial(examine, read=read, config=config, task_ngrams=tasks.hashes)
    figures: list[Figures] = []
    for examined in executor.map_ordered(examine_part, parts):
        figures.append(examined)
        if on_read is not None:
            on_read(examined.read_bytes)
    sizes = [len(one.taken_by) for one in figures]
    verdicts = _decide(figures, config)
    report = _report(verdicts, config, tasks)
    if report.documents and not report.kept:
        raise _nothing_left(report)
    ends = np.cumsum(sizes).tolist()
    stays = verdicts.taken_by == STAYS
    keep = [stays[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    return CleaningPlan(keep, report)


def kept(documents: Sequence[T], keep: NDArray[np.bool_]) -> list[T]:
    """Return the documents of a part that stay.

    Raises:
        CorpusError: they are not as many as when the corpus was examined.
    """
    if len(documents) != len(keep):
        raise CorpusError("the corpus changed while it was read", hint="run the command again")
    return [document for document, stays in zip(documents, keep.tolist(), strict=True) if stays]


@dataclass(frozen=True)
class _Verdicts:
    """What becomes of each document of the corpus.

    Attributes:
        taken_by: number of the switch that takes it, or ``STAYS``, uint8 ``[D]``.
        like: for a duplicate the document that stays instead, else its own number, int64 ``[D]``.
    """

    taken_by: NDArray[np.uint8]
    like: NDArray[np.int64]

    def take(self, name: str, documents: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Let a switch take the duplicates among some documents; return which of them stay.

        Args:
            name: the switch.
            documents: their numbers, int64 ``[S]``.
            first: for each the place in ``documents`` of the one it repeats, or its own, int64 ``[S]``.
        """
        is_duplicate = first != np.arange(len(documents))
        self.taken_by[documents[is_duplicate]] = switch_number(name)
        self.like[documents[is_duplicate]] = documents[first[is_duplicate]]
        return ~is_duplicate


def _decide(figures: list[Figures], config: CleaningConfig) -> _Verdicts:
    """Decide in reading order; the figures are used up, so that no two copies are in memory."""
    empty = np.zeros(0, dtype=np.uint8)
    taken_by = np.concatenate([empty, *(one.taken_by for one in figures)])
    verdicts = _Verdicts(taken_by, np.arange(len(taken_by), dtype=np.int64))
    documents = np.flatnonzero(taken_by == STAYS)
    stays = np.ones(len(documents), dtype=bool)
    if config.exact_duplicates and len(documents):
        hashes = np.concatenate([one.text_hashes for one in figures])
        stays = verdicts.take("exact_duplicates", documents, exact_duplicates(hashes))
    if config.near_duplicates is not None and len(documents):
        signatures = _signatures_of_those(figures, stays)
        first = near_duplicates(signatures, threshold=config.near_duplicates)
        verdicts.take("near_duplicates", documents[stays], first)
    return verdicts


def _signatures_of_those(figures: list[Figures], stays: NDArray[np.bool_]) -> NDArray[np.uint32]:
    permutations = figures[0].signatures.shape[1]
    rows = np.empty((int(stays.sum()), permutations), dtype=np.uint32)
    filled = seen = 0
    figures.reverse()
    while figures:
        signatures = figures.pop().signatures
        chosen = signatures[stays[seen : seen + len(signatures)]]
        rows[filled : filled + len(chosen)] = chosen
        filled += len(chosen)
        seen += len(signatures)
    return rows


def _task_ngrams(config: CleaningConfig) -> TaskNgrams:
    if not config.decontaminate:
        return TaskNgrams(np.zeros(0, dtype=np.uint64), files=0, texts=0, short_texts=0)
    return read_task_ngrams(config.decontaminate, n=config.decontamination_words)


def _report(verdicts: _Verdicts, config: CleaningConfig, tasks: TaskNgrams) -> CleaningReport:
    return CleaningReport(
        documents=len(verdicts.taken_by),
        kept=int((verdicts.taken_by == STAYS).sum()),
        removed={name: _removed(verdicts, name) for name in config.switches},
        task_files=tasks.files,
        task_texts=tasks.texts,
        short_task_texts=tasks.short_texts,
        task_ngrams=len(tasks.hashes),
    )


def _removed(verdicts: _Verdicts, name: str) -> Removed:
    taken = np.flatnonzero(verdicts.taken_by == switch_number(name))
    examples = taken[:_EXAMPLES]
    like = verdicts.like[examples].tolist() if name.endswith("duplicates") else []
    return Removed(len(taken), examples.tolist(), like)


def _nothing_left(report: CleaningReport) -> CorpusError:
    took = {name: removed.documents for name, removed in report.removed.items() if removed.documents}
    most = max(took, key=lambda name: took[name])
    counts = ", ".join(f"{name} took {count}" for name, count in took.items())
    return CorpusError(
        f"cleaning leaves nothing of {report.documents} documents: {counts}",
        hint=f"loosen or unset corpus.cleaning.{most}",
    )
