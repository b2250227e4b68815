"""prepare: text to shuffled shards of pre-training instances (Devlin et al. 2019, appendix A.2).

The text is split into sentences and encoded once; documents are divided into a training and a
validation split; segments are paired within a split; shards are written in a random order. Each
of the three phases spreads over workers, and the result does not depend on how many there are.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bertpipe import randomness
from bertpipe.artifacts import check_replaceable, input_hash, write_json, written_whole
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.corpus import CorpusConfig, CorpusFile, corpus_hash, find_files, read_chunks
from bertpipe.errors import CorpusError
from bertpipe.executors import map_ordered, worker_count
from bertpipe.instances import MaskingConfig
from bertpipe.instances.encoded import EncodedCorpus, encode_chunk, encoded_files
from bertpipe.instances.format import ShardInfo
from bertpipe.instances.pairing import Objective, Pairing, pair_documents, pair_tasks, split_file
from bertpipe.instances.partners import SplitDocuments
from bertpipe.instances.splits import NEEDED_TOKENS, Splits, split_documents
from bertpipe.instances.statistics import CorpusStatistics, SplitStatistics
from bertpipe.instances.writing import SpecialIds, shard_tasks, write_shard
from bertpipe.progress import Progress, Silent
from bertpipe.vocab import Tokenizer

CODE = (
    "artifacts",
    "configs.py",
    "corpus",
    "errors.py",
    "executors.py",
    "instances",
    "progress.py",
    "randomness.py",
    "stages/prepare.py",
    "vocab",
)

_CHUNK_CHARACTERS = 1_000_000
_MEBIBYTE = 2**20


class PrepareConfig(Settings):
    """The section ``prepare``: the paper's settings unless set otherwise (appendix A.2)."""

    objective: Objective = Field(
        "nsp",
        description="Second segment: nsp: the next or a random one; sop: the next, or both swapped; none.",
    )
    max_seq_length: int = Field(128, ge=8, le=65535, description="Tokens of the longest row.")
    short_seq_prob: float = Field(0.1, ge=0, le=1, description="Share of rows that are shorter on purpose.")
    dupe_factor: int = Field(
        10,
        ge=1,
        description="How often each training document is cut into rows, each time in another way; "
        "validation documents are used once.",
    )
    validation_share: float = Field(0.05, gt=0, lt=1, description="Share of documents kept for validation.")
    shard_size_mb: int = Field(64, ge=1, description="Token ids in a shard, in MiB, at most.")
    seed: int = Field(0, ge=0, description="Of the splits, segments and order.")


class PrepareSettings(Settings):
    """The sections that the stage reads."""

    prepare: PrepareConfig
    corpus: CorpusConfig
    masking: MaskingConfig
    runtime: RuntimeConfig

    def recorded(self) -> dict[str, Any]:
        """Return what changes the result; dynamic masks are drawn by pretrain."""
        return self.model_dump(include={"prepare": True, "corpus": True, "masking": {"mode"}})


@dataclass(frozen=True)
class PrepareSummary:
    """What was made, and from what.

    Attributes:
        documents: number of documents.
        skipped_documents: number of those with too few tokens for an instance.
        sentences: number of sentences.
        tokens: number of tokens in them.
        unknown_rate: share of ``[UNK]`` among those.
        train_instances: rows to train on.
        train_tokens: tokens in them, with special tokens.
        validation_instances: rows held out.
        random_or_swapped_share: share of training pairs with label 1; None where nothing is asked.
        padding_share: share of padding if training rows were filled up to the longest possible.
        shards: number of files.
    """

    documents: int
    skipped_documents: int
    sentences: int
    tokens: int
    unknown_rate: float
    train_instances: int
    train_tokens: int
    validation_instances: int
    random_or_swapped_share: float | None
    padding_share: float
    shards: int


def run(
    settings: PrepareSettings,
    *,
    corpus: Sequence[Path],
    vocab: Path,
    out: Path,
    progress: Progress | None = None,
) -> PrepareSummary:
    """Turn ``corpus`` into shards of pre-training instances and write them to ``out``.

    Memory grows with the number of documents (tens of bytes for each) and with the longest of
    them, not with the size of the corpus; the encoded corpus and an index of all instances are
    kept on disk meanwhile.

    Args:
        settings: the sections.
        corpus: text files and folders.
        vocab: an output of ``vocab``, or a Hugging Face tokenizer folder.
        out: the folder of shards to write.
        progress: where to report to.

    Raises:
        CorpusError: the text cannot be read, is too little, or changed meanwhile.
        ArtifactError: ``vocab`` is no tokenizer, or ``out`` exists and is not ours.
        ResourceError: a worker was killed.
    """
    check_replaceable(out, stage="prepare", inputs=[*corpus, vocab])
    files = find_files(corpus)
    before = _state(files)
    tokenizer = Tokenizer.load(vocab)
    inputs = {"corpus": corpus_hash(files), "vocab": input_hash(vocab)}
    with written_whole(out, stage="prepare", settings=settings.recorded(), inputs=inputs) as output:
        job = _Job.start(settings, tokenizer, folder=output.folder, progress=progress or Silent())
        text, splits = _encode(files, job)
        if _state(files) != before:
            raise CorpusError("the corpus changed while it was read", hint="run the command again")
        train = _pair("train", splits.train, job)
        validation = _pair("validation", splits.validation, job)
        shards = _write("train", train, job) + _write("validation", validation, job)
        shutil.rmtree(job.scratch)
        skipped = text.documents - len(splits.train) - len(splits.validation)
        figures = {
            **asdict(job.info),
            "corpus": text.as_json(skipped=skipped),
            "train": train.as_json(documents=len(splits.train)),
            "validation": validation.as_json(documents=len(splits.validation)),
        }
        write_json(output.folder / "statistics.json", figures)
        output.counts.update(train=train.instances, validation=validation.instances)
    return PrepareSummary(
        documents=text.documents,
        skipped_documents=skipped,
        sentences=text.sentences,
        tokens=text.tokens,
        unknown_rate=text.unknown_rate,
        train_instances=train.instances,
        train_tokens=train.tokens,
        validation_instances=validation.instances,
        random_or_swapped_share=train.random_or_swapped_share,
        padding_share=train.padding_share,
        shards=shards,
    )


@dataclass(frozen=True)
class _Job:
    """What all phases share.

    Attributes:
        settings: the sections.
        info: what the shards say about themselves.
        pairing: how instances are made.
        specials: ids around segments.
        folder: the output in the making.
        scratch: folder for the encoded corpus and the index of instances.
        progress: where to report to.
    """

    settings: PrepareSettings
    info: ShardInfo
    pairing: Pairing
    specials: SpecialIds
    folder: Path
    scratch: Path
    progress: Progress

    @classmethod
    def start(
        cls, settings: PrepareSettings, tokenizer: Tokenizer, *, folder: Path, progress: Progress
    ) -> Self:
        config = settings.prepare
        (folder / "tokenizer").mkdir()
        tokenizer.save(folder / "tokenizer")
        scratch = folder / "scratch"
        scratch.mkdir()
        return cls(
            settings=settings,
            info=ShardInfo(
                vocab_size=tokenizer.vocab_size,
                tokenizer_hash=tokenizer.content_hash(),
                max_seq_length=config.max_seq_length,
                objective=config.objective,
            ),
            pairing=Pairing(config.objective, config.max_seq_length, config.short_seq_prob, config.seed),
            specials=SpecialIds(tokenizer.cls_id, tokenizer.sep_id),
            folder=folder,
            scratch=scratch,
            progress=progress,
        )

    @property
    def workers(self) -> int:
        return worker_count(self.settings.runtime.workers)

    def instances(self, split: str) -> Path:
        """Where the index of a split's instances is kept."""
        return self.scratch / f"{split}.bin"


def _encode(files: Sequence[CorpusFile], job: _Job) -> tuple[CorpusStatistics, Splits]:
    """Encode the corpus into the scratch folder; choose the documents of the splits."""
    config = job.settings.prepare
    statistics = CorpusStatistics()
    draws: list[NDArray[np.uint64]] = []
    encode = partial(
        encode_chunk,
        vocab=job.folder / "tokenizer",
        corpus_config=job.settings.corpus,
        max_tokens=job.pairing.max_tokens,
        seed=config.seed,
    )
    chunks = read_chunks(files, job.settings.corpus, characters=_CHUNK_CHARACTERS)
    size_bytes = sum(file.path.stat().st_size for file in files)
    with (
        job.progress.phase("encode", total=size_bytes, unit="bytes") as phase,
        encoded_files(job.scratch) as writer,
    ):
        for chunk in map_ordered(encode, chunks, workers=job.workers):
            writer.append(chunk)
            statistics.add(chunk)
            draws.append(chunk.draws)
            phase.advance(chunk.read_bytes)
    if not statistics.tokens:
        raise CorpusError("the corpus holds no token, only white space and control characters")
    token_counts = EncodedCorpus.open(job.scratch, vocab_size=job.info.vocab_size).token_counts()
    splits = split_documents(
        np.concatenate(draws),
        token_counts >= NEEDED_TOKENS[config.objective],
        validation_share=config.validation_share,
        objective=config.objective,
    )
    return statistics, splits


def _pair(split: str, documents: NDArray[np.int64], job: _Job) -> SplitStatistics:
    """Make the instances of a split, as an index into the encoded corpus."""
    token_counts = EncodedCorpus.open(job.scratch, vocab_size=job.info.vocab_size).token_counts()[documents]
    SplitDocuments.of(documents, token_counts).save(split_file(job.scratch, split))
    dupe_factor = job.settings.prepare.dupe_factor if split == "train" else 1
    tasks = pair_tasks(token_counts, dupe_factor=dupe_factor)
    pair = partial(
        pair_documents,
        pairing=job.pairing,
        folder=job.scratch,
        vocab_size=job.info.vocab_size,
        split=split,
    )
    statistics = SplitStatistics(job.pairing)
    with (
        job.progress.phase(f"pair {split}", total=len(documents) * dupe_factor, unit="documents") as phase,
        job.instances(split).open("wb") as index,
    ):
        for task, paired in zip(tasks, map_ordered(pair, tasks, workers=job.workers), strict=True):
            index.write(paired.instances.tobytes())
            statistics.add(paired)
            phase.advance(task.end - task.start)
    return statistics


def _write(split: str, statistics: SplitStatistics, job: _Job) -> int:
    """Write the shards of a split; return how many there are."""
    (job.folder / split).mkdir()
    tasks = shard_tasks(
        rows=statistics.instances,
        tokens=statistics.tokens,
        id_bytes=job.info.id_dtype.itemsize,
        shard_size_bytes=job.settings.prepare.shard_size_mb * _MEBIBYTE,
    )
    write = partial(
        write_shard,
        out=job.folder / split,
        encoded=job.scratch,
        instances=job.instances(split),
        info=job.info,
        specials=job.specials,
        order_key=randomness.key(job.settings.prepare.seed, "shuffle", split),
    )
    with job.progress.phase(f"write {split}", total=statistics.instances, unit="instances") as phase:
        for rows in map_ordered(write, tasks, workers=job.workers):
            phase.advance(rows)
    return len(tasks)


def _state(files: Sequence[CorpusFile]) -> list[tuple[int, int]]:
    """Return size and time of the last change of each file, to notice that one changed."""
    try:
        return [(file.path.stat().st_size, file.path.stat().st_mtime_ns) for file in files]
    except OSError as error:
        raise CorpusError(f"{error.filename}: cannot be read: {error.strerror}") from None
