"""The phases of ``prepare``: clean, encode, pair, write.

Each keeps what it has done in the work folder, part by part, so that a run that was killed goes on
from there; each hands its parts to an executor, and no result depends on what kind that is.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bertpipe import randomness
from bertpipe.artifacts import growing_files, write_json
from bertpipe.corpus import CorpusConfig, CorpusFile, Part, empty_corpus, read_parts
from bertpipe.corpus.cleaning import Keep, plan_cleaning
from bertpipe.errors import CorpusError
from bertpipe.executors import Executor
from bertpipe.instances.encoded import ENCODED_FILES, EncodedCorpus, append, encode_part
from bertpipe.instances.format import ShardInfo, SpecialIds
from bertpipe.instances.mask_statistics import MaskStatistics
from bertpipe.instances.masking import Masker
from bertpipe.instances.packing import Blocks, Stream, block_tasks, pack_blocks
from bertpipe.instances.pairing import Paired, Pairing, PairTask, pair_documents, pair_tasks, split_file
from bertpipe.instances.partners import SplitDocuments
from bertpipe.instances.split_work import INSTANCES, Split, SplitIndex, SplitShards
from bertpipe.instances.static import StaticMasks
from bertpipe.instances.statistics import CorpusStatistics, SplitStatistics
from bertpipe.instances.writing import shard_tasks, write_shard
from bertpipe.progress import Progress

Result = TypeVar("Result")

_PART_CHARACTERS = 2_000_000


@dataclass(frozen=True)
class Builder:
    """What all phases share.

    Attributes:
        files: the corpus.
        corpus_config: how text becomes documents of sentences.
        vocab: tokenizer folder.
        info: what the shards say about themselves.
        pairing: how instances are made.
        specials: ids around segments.
        masker: draws the masks; stored in the shards where its mode is static.
        folder: where progress is kept.
        executor: does the work.
        progress: where to report to.
    """

    files: Sequence[CorpusFile]
    corpus_config: CorpusConfig
    vocab: Path
    info: ShardInfo
    pairing: Pairing
    specials: SpecialIds
    masker: Masker
    folder: Path
    executor: Executor
    progress: Progress

    def clean(self) -> dict[str, Any] | None:
        """Decide which documents stay; return the report, None where no switch is set.

        Raises:
            CorpusError: the text cannot be read, or nothing is left of it.
        """
        if not self.corpus_config.cleaning.is_on:
            return None
        report, kept = self.folder / "cleaning.json", self.folder / "kept.npz"
        if not report.exists():
            with self.progress.phase("clean", total=self._size_bytes, unit="bytes") as phase:
                plan = plan_cleaning(
                    self._parts(),
                    self.corpus_config.cleaning,
                    read=partial(Part.documents, config=self.corpus_config),
                    executor=self.executor,
                    on_read=phase.advance,
                )
            np.savez(kept, *plan.keep)
            write_json(report, plan.report.as_json())
        return json.loads(report.read_text(encoding="utf-8"))

    def encode(self) -> CorpusStatistics:
        """Turn the corpus into token ids on disk.

        Raises:
            CorpusError: the text cannot be read, or there is no token in it.
        """
        encode = partial(
            encode_part,
            vocab=self.vocab,
            corpus_config=self.corpus_config,
            max_tokens=self.pairing.longest_sentence,
            seed=self.pairing.seed,
        )
        with growing_files(self._encoded, ENCODED_FILES) as grown:
            statistics = CorpusStatistics(**grown.restored(asdict(CorpusStatistics())))
            if not grown.is_complete:
                items = zip(self._parts(), self._kept(), strict=False)
                done = sum(part.read_bytes for part, _ in islice(items, grown.items))
                with self.progress.phase("encode", total=self._size_bytes, unit="bytes", done=done) as phase:
                    for part in self.executor.map_ordered(encode, items):
                        append(part, grown, tokens=statistics.tokens)
                        statistics.add(part)
                        grown.finish_item(asdict(statistics))
                        phase.advance(part.read_bytes)
                grown.complete()
        if not statistics.documents:
            raise empty_corpus(self.files)
        if not statistics.tokens:
            raise CorpusError("the corpus holds no token, only white space and control characters")
        return statistics

    def encoded(self) -> EncodedCorpus:
        """Return what ``encode`` has made."""
        return EncodedCorpus.open(self._encoded, vocab_size=self.info.vocab_size)

    def pair(self, splits: Sequence[Split]) -> list[SplitStatistics]:
        """Make the instances of all splits, as indexes into the encoded corpus."""
        prepared = self._packing if self.pairing.objective == "packed" else self._pairing
        unit = "blocks" if self.pairing.objective == "packed" else "documents"
        with ExitStack() as stack:
            indexes = [
                SplitIndex(
                    *prepared(split),
                    stack.enter_context(growing_files(self._index(split.name).parent, [INSTANCES])),
                    self.pairing,
                )
                for split in splits
            ]
            left = [(index, task) for index in indexes for task in index.left]
            total, done = sum(index.total for index in indexes), sum(index.done for index in indexes)
            with self.progress.phase("pair", total=total, unit=unit, done=done) as phase:
                work = [partial(index.make, task) for index, task in left]
                for (index, task), paired in zip(left, self._results(work, indexes), strict=True):
                    index.add(paired)
                    phase.advance(task.end - task.start)
            for index in indexes:
                index.grown.complete()
        return [index.statistics for index in indexes]

    def _pairing(self, split: Split) -> tuple[list[PairTask], Callable[[PairTask], Paired]]:
        """Return the tasks that make pairs and single segments, and what does one of them."""
        token_counts = self.encoded().token_counts()[split.documents]
        SplitDocuments.of(split.documents, token_counts).save(split_file(self._encoded, split.name))
        pair = partial(
            pair_documents,
            pairing=self.pairing,
            folder=self._encoded,
            vocab_size=self.info.vocab_size,
            split=split.name,
        )
        return pair_tasks(token_counts, dupe_factor=split.dupe_factor), pair

    def _packing(self, split: Split) -> tuple[list[PairTask], Callable[[PairTask], Paired]]:
        """Return the tasks that cut blocks, and what does one of them."""
        stream = Stream.of(split.documents, self.encoded())
        stream.save(split_file(self._encoded, split.name))
        blocks = Blocks(stream.slots, self.pairing.max_tokens, split.dupe_factor)
        pack = partial(pack_blocks, blocks=blocks, stream=split_file(self._encoded, split.name))
        return block_tasks(blocks), pack

    def write(
        self, splits: Sequence[tuple[Split, SplitStatistics]], *, shard_size_bytes: int
    ) -> list[MaskStatistics]:
        """Write the shards of each split to ``shards(split)``; return counts of the masks stored in them."""
        with ExitStack() as stack:
            outputs = [
                self._shards_of(split, statistics, stack, shard_size_bytes=shard_size_bytes)
                for split, statistics in splits
            ]
            left = [(shards, task) for shards in outputs for task in shards.left]
            total = sum(shards.tasks[-1].end for shards in outputs)
            done = total - sum(task.end - task.start for _, task in left)
            with self.progress.phase("write", total=total, unit="instances", done=done) as phase:
                work = [partial(shards.write, task) for shards, task in left]
                for (shards, _), written in zip(left, self._results(work, outputs), strict=True):
                    shards.add(written)
                    phase.advance(written.rows)
            for shards in outputs:
                shards.grown.complete()
        return [shards.masks for shards in outputs]

    def _shards_of(
        self, split: Split, statistics: SplitStatistics, stack: ExitStack, *, shard_size_bytes: int
    ) -> SplitShards:
        """Return the shards of a split as far as they are written, and what writes the others."""
        out = self.shards(split.name)
        out.mkdir(parents=True, exist_ok=True)
        seed = self.pairing.seed
        is_static = self.info.masking is not None
        is_packed = self.pairing.objective == "packed"
        write = partial(
            write_shard,
            out=out,
            encoded=self._encoded,
            instances=self._index(split.name),
            info=self.info,
            specials=self.specials,
            order_key=randomness.key(seed, "shuffle", split.name),
            stream=split_file(self._encoded, split.name) if is_packed else None,
            static=StaticMasks.of(self.masker, seed=seed, split=split.name) if is_static else None,
        )
        tasks = shard_tasks(
            rows=statistics.instances,
            tokens=statistics.tokens,
            id_bytes=self.info.id_dtype.itemsize,
            shard_size_bytes=shard_size_bytes,
        )
        grown = stack.enter_context(growing_files(self.folder / f"{split.name}-shards"))
        return SplitShards(tasks, write, grown)

    def _results(
        self, work: Sequence[Callable[[], Result]], splits: Sequence[SplitIndex | SplitShards]
    ) -> Iterator[Result]:
        """Yield what each piece of work on the splits gives, in order; they are worked on side by side.

        Where each split is one piece, that is done before another process could have begun.
        """
        if all(len(split.tasks) == 1 for split in splits):
            return (piece() for piece in work)
        return self.executor.map_ordered(_call, work)

    def shards(self, split: str) -> Path:
        """Return the folder of a split's shards."""
        return self.folder / split

    @property
    def _encoded(self) -> Path:
        return self.folder / "encoded"

    @property
    def _size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def _index(self, split: str) -> Path:
        return self.folder / f"{split}-instances" / INSTANCES

    def _parts(self) -> Iterator[Part]:
        return read_parts(self.files, self.corpus_config, characters=_PART_CHARACTERS)

    def _kept(self) -> Iterator[Keep]:
        """Yield for each part which of its documents stay."""
        if not self.corpus_config.cleaning.is_on:
            yield from repeat(None)
        with np.load(self.folder / "kept.npz") as kept:
            yield from (kept[name] for name in kept.files)


def _call(work: Callable[[], Result]) -> Result:
    return work()
