"""prepare: text to shuffled shards of pre-training instances (Devlin et al. 2019, appendix A.2).

The text is split into sentences and encoded once; documents are divided into a training and a
validation split; segments are paired within a split; shards are written in a random order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from bertpipe.artifacts import (
    check_replaceable,
    input_hash,
    link_folder,
    work_folder,
    write_json,
    written_whole,
)
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.corpus import CorpusConfig, CorpusFile, corpus_inputs, find_files, local_roots
from bertpipe.executors import Executor, open_executor
from bertpipe.instances import MaskingConfig
from bertpipe.instances.building import Builder
from bertpipe.instances.format import ShardInfo, SpecialIds
from bertpipe.instances.masking import Masker
from bertpipe.instances.pairing import Objective, Pairing
from bertpipe.instances.split_work import Split
from bertpipe.instances.splits import NEEDED_TOKENS, split_documents
from bertpipe.progress import Progress, Silent
from bertpipe.vocab import Tokenizer

CODE = (
    "artifacts",
    "compression.py",
    "configs.py",
    "corpus",
    "errors.py",
    "executors",
    "extras.py",
    "instances",
    "progress.py",
    "randomness.py",
    "stages/prepare.py",
    "vocab",
)

_MEBIBYTE = 2**20


class PrepareConfig(Settings):
    """The section ``prepare``: the paper's settings unless set otherwise (appendix A.2)."""

    objective: Objective = Field(
        "nsp",
        description="Second segment: nsp: the next or a random one; sop: the next, or both swapped; none. "
        "packed: full blocks, cut from all documents in a row, with [SEP] between them.",
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

    @model_validator(mode="after")
    def _blocks_are_full(self) -> Self:
        if self.objective == "packed" and "short_seq_prob" in self.model_fields_set and self.short_seq_prob:
            raise ValueError(
                f"short_seq_prob = {self.short_seq_prob} with objective = packed, whose blocks are full: "
                "set it to 0 or leave it unset"
            )
        return self

    def recorded(self) -> dict[str, Any]:
        """Return all settings, with what they mean for packed blocks."""
        return self.model_dump() | ({"short_seq_prob": 0.0} if self.objective == "packed" else {})


class PrepareSettings(Settings):
    """The sections that the stage reads."""

    prepare: PrepareConfig
    corpus: CorpusConfig
    masking: MaskingConfig
    runtime: RuntimeConfig

    def recorded(self) -> dict[str, Any]:
        """Return what changes the result; dynamic masks are drawn by pretrain."""
        masking = None if self.masking.mode == "static" else {"mode"}
        return {
            "prepare": self.prepare.recorded(),
            "corpus": self.corpus.recorded(),
            "masking": self.masking.model_dump(include=masking),
        }


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
    corpus: Sequence[str | Path],
    vocab: Path,
    out: Path,
    progress: Progress | None = None,
) -> PrepareSummary:
    """Turn ``corpus`` into shards of pre-training instances and write them to ``out``.

    Memory grows with the number of documents (tens of bytes for each) and with the longest of
    them, not with the size of the corpus; the encoded corpus and an index of all instances are
    kept on disk meanwhile, in the work folder, where a run that was killed is gone on with.

    Args:
        settings: the sections.
        corpus: files, folders, patterns, lists and URLs, as for ``find_files``.
        vocab: an output of ``vocab``, or a Hugging Face tokenizer folder.
        out: the folder of shards to write.
        progress: where to report to.

    Raises:
        CorpusError: the text cannot be read, is too little, or changed meanwhile.
        ArtifactError: ``vocab`` is no tokenizer, or ``out`` exists and is not ours.
        ResourceError: a worker was killed, or no scheduler answers.
        BusyError: another process prepares the same.
    """
    config, runtime = settings.prepare, settings.runtime
    check_replaceable(out, stage="prepare", inputs=[*local_roots(corpus), vocab])
    files = find_files(corpus)
    tokenizer = Tokenizer.load(vocab)
    inputs = {**corpus_inputs(files, settings.corpus), "vocab": input_hash(vocab)}
    recorded = settings.recorded()
    reads = [file.path for file in files if isinstance(file.path, Path)]
    with (
        work_folder(
            "prepare", settings=recorded, inputs=inputs, code=CODE, old_progress=runtime.old_progress
        ) as work,
        open_executor(runtime, reads=reads, folder=work.path) as executor,
    ):
        builder = _builder(settings, files, tokenizer, work.path, executor, progress or Silent())
        cleaning = builder.clean()
        text = builder.encode()
        encoded = builder.encoded()
        splits = split_documents(
            encoded.draws,
            encoded.token_counts() >= NEEDED_TOKENS[config.objective],
            validation_share=config.validation_share,
            objective=config.objective,
        )
        both = [
            Split("train", splits.train, config.dupe_factor),
            Split("validation", splits.validation, dupe_factor=1),
        ]
        train, validation = paired = builder.pair(both)
        train_masks, validation_masks = builder.write(
            list(zip(both, paired, strict=True)), shard_size_bytes=config.shard_size_mb * _MEBIBYTE
        )
        skipped = text.documents - len(splits.train) - len(splits.validation)
        with written_whole(out, stage="prepare", settings=recorded, inputs=inputs) as output:
            output.notes.extend(work.notes)
            for made in (builder.vocab, builder.shards("train"), builder.shards("validation")):
                link_folder(made, output.folder / made.name)
            figures = {
                **builder.info.as_json(),
                "corpus": text.as_json(skipped=skipped),
                **({"cleaning": cleaning} if cleaning else {}),
                "train": train.as_json(documents=len(splits.train), masks=train_masks),
                "validation": validation.as_json(documents=len(splits.validation), masks=validation_masks),
            }
            write_json(output.folder / "statistics.json", figures)
            output.counts.update(train=train.instances, validation=validation.instances)
            shards = sum(1 for _ in output.folder.glob("*/shard-*"))
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


def _builder(
    settings: PrepareSettings,
    files: Sequence[CorpusFile],
    tokenizer: Tokenizer,
    folder: Path,
    executor: Executor,
    progress: Progress,
) -> Builder:
    """Return what makes the shards, with the tokenizer copied into its folder."""
    config = settings.prepare
    masker = Masker.of(settings.masking, tokenizer, max_seq_length=config.max_seq_length)
    copied = folder / "tokenizer"
    copied.mkdir(exist_ok=True)
    tokenizer.save(copied)
    return Builder(
        files=files,
        corpus_config=settings.corpus,
        vocab=copied,
        info=ShardInfo(
            vocab_size=tokenizer.vocab_size,
            tokenizer_hash=tokenizer.content_hash(),
            max_seq_length=config.max_seq_length,
            objective=config.objective,
            masking=masker.config.model_dump_json() if masker.config.mode == "static" else None,
        ),
        pairing=Pairing(config.objective, config.max_seq_length, config.short_seq_prob, config.seed),
        specials=SpecialIds(tokenizer.cls_id, tokenizer.sep_id),
        masker=masker,
        folder=folder,
        executor=executor,
        progress=progress,
    )
