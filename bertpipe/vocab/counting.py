"""The pieces of a corpus, counted part by part in as many processes as there are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, repeat
from typing import Any

from pydantic import Field

from bertpipe.configs import Settings
from bertpipe.corpus import CorpusConfig, CorpusFile, Part, read_parts
from bertpipe.corpus.cleaning import Keep, kept, plan_cleaning
from bertpipe.executors import Executor
from bertpipe.progress import Progress
from bertpipe.vocab.sampling import DocumentHash, Sample, Sizes
from bertpipe.vocab.words import PieceCounts, count_pieces

_PART_CHARACTERS = 4_000_000


class SamplingConfig(Settings):
    """Which text a vocabulary is trained on."""

    max_characters: int | None = Field(
        200_000_000,
        ge=1,
        description="Characters to train on; of a larger corpus a sample of whole documents is taken, "
        "chosen by their content. Bounds the memory; unset: all text.",
    )
    max_words: int | None = Field(
        1_000_000,
        ge=1,
        description="Different runs of characters between spaces to train on, the most frequent. Bounds the "
        "memory, at about a kilobyte each; unset: all.",
    )
    sample_exponent: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Weight of each top-level file or folder in the sample: its size to this power. "
        "1: as in the corpus; 0: all alike; multilingual BERT: 0.7.",
    )
    held_out_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of documents, chosen by their content, that only the statistics are measured on; "
        "0: they are measured on the text of the training.",
    )


@dataclass
class CountedText:
    """What was counted in a part of the corpus, or in all of it.

    Attributes:
        documents: number of documents to train on.
        characters: characters in them.
        pieces: how often each run between spaces occurs in them.
        held_out_documents: number of documents held out.
        held_out: the same for these.
        sample_share: characters of the sample, of those of the corpus.
        cleaning: which documents were left out, as JSON; none where no switch is set.
    """

    documents: int = 0
    characters: int = 0
    pieces: PieceCounts = field(default_factory=PieceCounts)
    held_out_documents: int = 0
    held_out: PieceCounts = field(default_factory=PieceCounts)
    sample_share: float = 1.0
    cleaning: dict[str, Any] | None = None

    def add(self, other: "CountedText") -> None:
        """Count what was counted elsewhere too."""
        self.documents += other.documents
        self.characters += other.characters
        self.pieces.add(other.pieces)
        self.held_out_documents += other.held_out_documents
        self.held_out.add(other.held_out)


@dataclass(frozen=True)
class _Piecework:
    """A part of one group of files, and which of its documents stay: what a worker is given at a time."""

    group: str
    part: Part
    keep: Keep = None

    @property
    def read_bytes(self) -> int:
        """Stored bytes of the part."""
        return self.part.read_bytes

    def documents(self, config: CorpusConfig) -> list[list[str]]:
        """Return the documents that stay."""
        documents = self.part.documents(config)
        return documents if self.keep is None else kept(documents, self.keep)


@dataclass(frozen=True)
class TextCounter:
    """Counts the pieces of files.

    Attributes:
        files: from ``find_files``.
        corpus: how files become documents.
        config: which documents count.
        executor: where they are counted.
        progress: where to report to.
    """

    files: Sequence[CorpusFile]
    corpus: CorpusConfig
    config: SamplingConfig
    executor: Executor
    progress: Progress

    def count(self) -> CountedText:
        """Return the counts of all documents, or of a sample where there are too many.

        Text is read once if it stays below the budget. Where it does not, reading ends there: then
        it is read for the sizes of documents, and once more to count those that were chosen.

        Raises:
            CorpusError: the text cannot be read.
            ConfigError: the budget is too small for a single document.
        """
        keep, cleaning = self._clean()
        text = self._count(keep, None)
        if text is None:
            text = self._count_sample(keep)
        text.cleaning = cleaning
        return text

    def _clean(self) -> tuple[list[Keep] | None, dict[str, Any] | None]:
        """Return for each part which of its documents stay, and the report; none where all do."""
        if not self.corpus.cleaning.is_on:
            return None, None
        with self.progress.phase("clean", total=self._size_bytes, unit="bytes") as phase:
            plan = plan_cleaning(
                self._work(None),
                self.corpus.cleaning,
                read=partial(_Piecework.documents, config=self.corpus),
                executor=self.executor,
                on_read=phase.advance,
            )
        return list(plan.keep), plan.report.as_json()

    def _count_sample(self, keep: list[Keep] | None) -> CountedText:
        """Count as many documents as the budget holds, chosen by their content."""
        sample = self._choose(keep)
        self.progress.note(
            f"the corpus is larger than vocab.max_characters = {self.config.max_characters}: "
            f"the vocabulary is trained on {sample.share:.2%} of it"
        )
        text = self._count(keep, sample)
        assert text is not None, "the sample fits"
        text.sample_share = sample.share
        return text

    def _count(self, keep: list[Keep] | None, sample: Sample | None) -> CountedText | None:
        """Count the documents of the sample; unset: all, unless there are too many."""
        whole = CountedText()
        budget = self.config.max_characters
        count = partial(
            _count_part, corpus=self.corpus, sample=sample, held_out_share=self.config.held_out_share
        )
        with self.progress.phase("count words", total=self._size_bytes, unit="bytes") as phase:
            for read_bytes, characters, text in self.executor.map_ordered(count, self._work(keep)):
                whole.add(text)
                if budget is not None:
                    budget -= characters
                    if budget < 0:
                        return None
                phase.advance(read_bytes)
        return whole

    def _choose(self, keep: list[Keep] | None) -> Sample:
        sizes = Sizes({})
        measure = partial(_measure_part, corpus=self.corpus)
        with self.progress.phase("choose a sample", total=self._size_bytes, unit="bytes") as phase:
            for read_bytes, group, characters in self.executor.map_ordered(measure, self._work(keep)):
                sizes.add(group, characters)
                phase.advance(read_bytes)
        assert self.config.max_characters is not None
        return sizes.choose(self.config.max_characters, exponent=self.config.sample_exponent)

    def _work(self, keep: list[Keep] | None) -> Iterator[_Piecework]:
        keeps: Iterator[Keep] = iter(keep) if keep is not None else repeat(None)
        for group, files in groupby(self.files, key=self._group):
            parts = read_parts(list(files), self.corpus, characters=_PART_CHARACTERS)
            yield from (_Piecework(group, part, next(keeps)) for part in parts)

    def _group(self, file: CorpusFile) -> str:
        """Return the top-level file or folder; the files come in the order of their names."""
        return file.name.split("/")[0] if self.config.sample_exponent != 1 else ""

    @property
    def _size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def _count_part(
    work: _Piecework, *, corpus: CorpusConfig, sample: Sample | None, held_out_share: float
) -> tuple[int, int, CountedText]:
    """Return the bytes read, the characters of all documents that count, and their pieces."""
    train: list[list[str]] = []
    held_out: list[list[str]] = []
    for document in work.documents(corpus):
        # Where all are taken, there is no need to know which.
        found = DocumentHash.of(document) if sample is not None or held_out_share else None
        if found is None:
            train.append(document)
        elif sample is None or sample.holds(work.group, found):
            (held_out if found.share < held_out_share else train).append(document)
    text = CountedText(
        documents=len(train),
        characters=_characters(train),
        pieces=count_pieces(map("\n".join, train)),
        held_out_documents=len(held_out),
        held_out=count_pieces(map("\n".join, held_out)),
    )
    return work.read_bytes, text.characters + _characters(held_out), text


def _measure_part(work: _Piecework, *, corpus: CorpusConfig) -> tuple[int, str, Counter[int]]:
    """Return the bytes read, the group, and the characters in each bucket."""
    characters: Counter[int] = Counter()
    for document in work.documents(corpus):
        characters[DocumentHash.of(document).bucket] += _characters([document])
    return work.read_bytes, work.group, characters


def _characters(documents: Sequence[Sequence[str]]) -> int:
    return sum(len(paragraph) for document in documents for paragraph in document)
