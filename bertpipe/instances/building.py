"""The phases of ``prepare``: clean, encode, pair, write.

Each keeps what it has done in the work folder, part by part, so that a run that was killed goes on
from there; each hands its parts to an executor, and no result depends on what kind that is.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.artifacts import growing_files, make_durable, write_json
from bertpipe.corpus import CorpusConfig, CorpusFile, Part, empty_corpus, read_parts
from bertpipe.corpus.cleaning import Keep, plan_cleaning
from bertpipe.errors import CorpusError
from bertpipe.executors import Executor
from bertpipe.instances.encoded import ENCODED_FILES, EncodedCorpus, append, encode_part
from bertpipe.instances.format import ShardInfo, SpecialIds, shard_name
from bertpipe.instances.mask_statistics import MaskStatistics
from bertpipe.instances.masking import Masker
from bertpipe.instances.packing import Blocks, Stream, block_tasks, pack_blocks
from bertpipe.instances.pairing import Paired, Pairing, PairTask, pair_documents, pair_tasks, split_file
from bertpipe.instances.partners import SplitDocuments
from bertpipe.instances.static import StaticMasks
from bertpipe.instances.statistics import CorpusStatistics, SplitStatistics
from bertpipe.instances.writing import shard_tasks, write_shard
from bertpipe.progress import Progress

_PART_CHARACTERS = 2_000_000
_INSTANCES = "instances.bin"


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

    def pair(self, split: str, documents: NDArray[np.int64], *, dupe_factor: int) -> SplitStatistics:
        """Make the instances of a split, as an index into the encoded corpus."""
        prepared = self._packing if self.pairing.objective == "packed" else self._pairing
        tasks, make = prepared(split, documents, dupe_factor=dupe_factor)
        unit = "blocks" if self.pairing.objective == "packed" else "documents"
        with growing_files(self._index(split).parent, [_INSTANCES]) as grown:
            state = grown.restored(SplitStatistics(self.pairing).state)
            statistics = SplitStatistics.of(self.pairing, state)
            if not grown.is_complete:
                left = tasks[grown.items :]
                done, total = left[0].start if left else tasks[-1].end, tasks[-1].end
                with self.progress.phase(f"pair {split}", total=total, unit=unit, done=done) as phase:
                    for task, paired in zip(left, self.executor.map_ordered(make, left), strict=True):
                        grown.append(_INSTANCES, paired.instances)
                        statistics.add(paired)
                        grown.finish_item(statistics.state)
                        phase.advance(task.end - task.start)
                grown.complete()
        return statistics

    def _pairing(
        self, split: str, documents: NDArray[np.int64], *, dupe_factor: int
    ) -> tuple[list[PairTask], Callable[[PairTask], Paired]]:
        """Return the tasks that make pairs and single segments, and what does one of them."""
        token_counts = self.encoded().token_counts()[documents]
        SplitDocuments.of(documents, token_counts).save(split_file(self._encoded, split))
        pair = partial(
            pair_documents,
            pairing=self.pairing,
            folder=self._encoded,
            vocab_size=self.info.vocab_size,
            split=split,
        )
        return pair_tasks(token_counts, dupe_factor=dupe_factor), pair

    def _packing(
        self, split: str, documents: NDArray[np.int64], *, dupe_factor: int
    ) -> tuple[list[PairTask], Callable[[PairTask], Paired]]:
        """Return the tasks that cut blocks, and what does one of them."""
        stream = Stream.of(documents, self.encoded())
        stream.save(split_file(self._encoded, split))
        blocks = Blocks(stream.slots, self.pairing.max_tokens, dupe_factor)
        pack = partial(pack_blocks, blocks=blocks, stream=split_file(self._encoded, split))
        return block_tasks(blocks), pack

    def write(self, split: str, statistics: SplitStatistics, *, shard_size_bytes: int) -> MaskStatistics:
        """Write the shards of a split to ``shards(split)``; return counts of the masks stored in them."""
        tasks = shard_tasks(
            rows=statistics.instances,
            tokens=statistics.tokens,
            id_bytes=self.info.id_dtype.itemsize,
            shard_size_bytes=shard_size_bytes,
        )
        out = self.shards(split)
        out.mkdir(parents=True, exist_ok=True)
        seed = self.pairing.seed
        is_static = self.info.masking is not None
        write = partial(
            write_shard,
            out=out,
            encoded=self._encoded,
            instances=self._index(split),
            info=self.info,
            specials=self.specials,
            order_key=randomness.key(seed, "shuffle", split),
            stream=split_file(self._encoded, split) if self.pairing.objective == "packed" else None,
            static=StaticMasks.of(self.masker, seed=seed, split=split) if is_static else None,
        )
        with growing_files(self.folder / f"{split}-shards") as grown:
            masks = MaskStatistics(**grown.restored(asdict(MaskStatistics())))
            left = tasks[grown.items :]
            done = left[0].start if left else statistics.instances
            with self.progress.phase(
                f"write {split}", total=statistics.instances, unit="instances", done=done
            ) as phase:
                for task, written in zip(left, self.executor.map_ordered(write, left), strict=True):
                    make_durable(out / shard_name(task.number, task.count))
                    masks += written.masks
                    grown.finish_item(asdict(masks))
                    phase.advance(written.rows)
            grown.complete()
        return masks

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
        return self.folder / f"{split}-instances" / _INSTANCES

    def _parts(self) -> Iterator[Part]:
        return read_parts(self.files, self.corpus_config, characters=_PART_CHARACTERS)

    def _kept(self) -> Iterator[Keep]:
        """Yield for each part which of its documents stay."""
        if not self.corpus_config.cleaning.is_on:
            yield from repeat(None)
        with np.load(self.folder / "kept.npz") as kept:
            yield from (kept[name] for name in kept.files)
