"""From text to shards: the same bytes always, honest labels and figures, one line for bad input."""

import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bertpipe.artifacts import growing, open_artifact, written_whole
from bertpipe.configs import RuntimeConfig
from bertpipe.corpus import CorpusConfig
from bertpipe.corpus.cleaning import CleaningConfig
from bertpipe.errors import ArtifactError, CorpusError
from bertpipe.instances import MaskingConfig, ShardSet, building, packing
from bertpipe.progress import Silent
from bertpipe.stages import prepare
from bertpipe.stages.prepare import PrepareConfig, PrepareSettings, PrepareSummary
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

# One word a token: ids tell where a token is from.
WORDS = [first + second for first in "abcdefghijklmnopqrst" for second in "abcdefghijklmnopqrst"]
FIRST = len(SPECIAL_TOKENS)
IDS = {word: FIRST + number for number, word in enumerate(WORDS)}

Texts = list[list[str]]


@pytest.fixture(scope="module")
def vocab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer folder without a manifest, as Hugging Face makes them."""
    folder = tmp_path_factory.mktemp("vocab")
    Tokenizer.build([*SPECIAL_TOKENS, *WORDS], lowercase=True).save(folder)
    return folder


def texts_of(shape: Sequence[Sequence[int]]) -> Texts:
    """Documents with sentences of so many words; a document has words of its own."""
    width = len(WORDS) // max(1, len(shape))
    texts = []
    for number, lengths in enumerate(shape):
        own = WORDS[number * width : (number + 1) * width]
        words = iter(own[position % width] for position in range(sum(lengths)))
        texts.append([" ".join(next(words) for _ in range(length)) for length in lengths])
    return texts


def write(path: Path, texts: Texts) -> Path:
    """Write documents as text: a line a sentence, an empty line between documents."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n\n".join("\n".join(sentences) for sentences in texts) + "\n", encoding="utf-8")
    return path


def run(
    corpus: Sequence[Path], vocab: Path, out: Path, *, workers: int = 1, progress: Any = None, **values: Any
) -> PrepareSummary:
    masking = MaskingConfig(mode=values.pop("mode", "dynamic"))
    cleaning = values.pop("cleaning", CleaningConfig())
    sections = PrepareSettings(
        prepare=PrepareConfig(**{"max_seq_length": 32, "dupe_factor": 2, "validation_share": 0.2, **values}),
        corpus=CorpusConfig(sentences="lines", cleaning=cleaning),
        masking=masking,
        runtime=RuntimeConfig(workers=workers),
    )
    return prepare.run(sections, corpus=corpus, vocab=vocab, out=out, progress=progress)


def rows_of(out: Path, split: str) -> list[dict[str, Any]]:
    """Read all rows of a split with pyarrow alone."""
    paths = sorted((out / split).glob("*.arrow"))
    return [row for path in paths for row in pa.ipc.open_file(str(path)).read_all().to_pylist()]


def content_of(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def segments_of(row: dict[str, Any]) -> tuple[list[int], list[int]]:
    ids, first = row["input_ids"], row["first_segment_length"]
    return ids[1 : first - 1], ids[first:-1]


MIXED = texts_of([[5, 9, 3, 30, 4], [12], [2, 2], [40, 7], [1, 6, 6, 6], [3], [8, 8, 8], [25], [1], [90]])


@pytest.mark.parametrize("objective", ["nsp", "packed"])
def test_any_number_of_workers_writes_the_same_bytes(
    vocab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objective: str
) -> None:
    """One, two and three processes make the same folder, file by file, over many parts."""
    monkeypatch.setattr(building, "_PART_CHARACTERS", 30)
    monkeypatch.setattr(packing, "_BLOCKS_A_TASK", 3)
    corpus = write(tmp_path / "corpus" / "a.txt", MIXED)
    for workers in (1, 2, 3):
        run([corpus], vocab, tmp_path / f"out{workers}", workers=workers, objective=objective)
    one = content_of(tmp_path / "out1")
    assert one == content_of(tmp_path / "out2") == content_of(tmp_path / "out3")
    assert {"manifest.json", "statistics.json", "tokenizer/tokenizer.json"} < set(one)


def test_any_order_and_place_of_files_gives_the_same_bytes(vocab: Path, tmp_path: Path) -> None:
    """Files are read in sorted order, wherever they stand and however they are named to us."""
    here = [write(tmp_path / "here" / f"{name}.txt", MIXED[part::3]) for part, name in enumerate("abc")]
    run(here, vocab, tmp_path / "first")
    run(here[::-1], vocab, tmp_path / "second")
    for path in reversed(here):
        write(tmp_path / "elsewhere" / path.name, [])
        (tmp_path / "elsewhere" / path.name).write_bytes(path.read_bytes())
    run([tmp_path / "elsewhere"], vocab, tmp_path / "third")
    assert content_of(tmp_path / "first") == content_of(tmp_path / "second") == content_of(tmp_path / "third")


def test_another_seed_is_another_draw(vocab: Path, tmp_path: Path) -> None:
    """The seed decides the pairs; the same seed gives the same bytes again."""
    corpus = write(tmp_path / "corpus.txt", MIXED)
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        run([corpus], vocab, tmp_path / name, seed=seed)
    assert content_of(tmp_path / "one") == content_of(tmp_path / "again")
    assert rows_of(tmp_path / "one", "train") != rows_of(tmp_path / "two", "train")


def test_what_is_written_is_what_is_read(vocab: Path, tmp_path: Path) -> None:
    """The trainer's reader gives the rows that stand in the files."""
    summary = run([write(tmp_path / "corpus.txt", MIXED)], vocab, tmp_path / "out")
    for split, count in (("train", summary.train_instances), ("validation", summary.validation_instances)):
        expected = rows_of(tmp_path / "out", split)
        shards = ShardSet.open(tmp_path / "out" / split)
        assert len(shards) == len(expected) == count
        rows = shards.rows(np.arange(len(shards)))
        assert rows.input_ids.tolist() == [token for row in expected for token in row["input_ids"]]
        assert rows.lengths.tolist() == [len(row["input_ids"]) for row in expected]
        assert rows.first_segment_lengths.tolist() == [row["first_segment_length"] for row in expected]
        assert rows.next_sentence_labels.tolist() == [row["next_sentence_label"] for row in expected]
        assert shards.tokenizer_hash == Tokenizer.load(tmp_path / "out" / "tokenizer").content_hash()


shapes = st.lists(
    st.lists(st.integers(1, 50), min_size=1, max_size=5).filter(lambda lengths: sum(lengths) > 1),
    min_size=4,
    max_size=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=shapes, seed=st.integers(0, 1000))
def test_the_random_segment_is_from_another_document(
    vocab: Path, tmp_path: Path, shape: list[list[int]], seed: int
) -> None:
    """In any small corpus, with one-sentence documents and two documents a split, and so labelled.

    The words tell the document, so the claim does not rest on the columns alone.
    """
    texts = texts_of(shape)
    corpus = write(tmp_path / "corpus.txt", texts)
    run([corpus], vocab, tmp_path / "out", seed=seed, dupe_factor=3)
    document_of = {
        IDS[word]: number for number, text in enumerate(texts) for line in text for word in line.split()
    }
    sides = {split: rows_of(tmp_path / "out", split) for split in ("train", "validation")}
    documents: dict[str, set[int]] = {}
    for split, rows in sides.items():
        for row in rows:
            assert len(row["input_ids"]) <= 32
            first, second = segments_of(row)
            assert {document_of[token] for token in first} == {row["first_document"]}
            assert {document_of[token] for token in second} == {row["second_document"]}
            is_other = row["first_document"] != row["second_document"]
            assert row["next_sentence_label"] == int(is_other)
        documents[split] = {row[name] for row in rows for name in ("first_document", "second_document")}
    assert not documents["train"] & documents["validation"]
    assert documents["train"] | documents["validation"] == set(range(len(texts)))


@pytest.mark.parametrize(
    "shape", [[[20]] * 40, [[2]] * 40, [[6, 6, 6]] * 40, [[1, 30, 2, 9] * 5] * 40, [[300]] * 10]
)
def test_half_of_the_pairs_are_random(vocab: Path, tmp_path: Path, shape: list[list[int]]) -> None:
    """Whatever the documents look like, the label is a fair coin (4 sigma), and so the figures say."""
    corpus = write(tmp_path / "corpus.txt", texts_of(shape))
    summary = run([corpus], vocab, tmp_path / "out", dupe_factor=40)
    labels = [row["next_sentence_label"] for row in rows_of(tmp_path / "out", "train")]
    assert abs(sum(labels) / len(labels) - 0.5) < 4 * 0.5 / len(labels) ** 0.5
    assert summary.random_or_swapped_share == pytest.approx(sum(labels) / len(labels), abs=1e-6)


def test_articles_and_one_line_reviews_do_not_tell_the_label_by_length(vocab: Path, tmp_path: Path) -> None:
    """Random segments are as long as true ones where documents are of very different length (4 sigma)."""
    corpus = write(tmp_path / "corpus.txt", texts_of([[9, 14, 5, 11] * 4] * 10 + [[7], [5], [9], [4]] * 10))
    run([corpus], vocab, tmp_path / "out", dupe_factor=60, max_seq_length=64)
    rows = rows_of(tmp_path / "out", "train")
    for low, high in ((0, 16), (16, 63), (64, 64)):
        labels = [row["next_sentence_label"] for row in rows if low <= len(row["input_ids"]) <= high]
        assert len(labels) > 200
        assert abs(sum(labels) / len(labels) - 0.5) < 4 * 0.5 / len(labels) ** 0.5


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=shapes)
def test_single_segments_hold_every_token_once(vocab: Path, tmp_path: Path, shape: list[list[int]]) -> None:
    """Without pairs and short rows the instances of a document are the document."""
    texts = texts_of(shape)
    corpus = write(tmp_path / "corpus.txt", texts)
    run([corpus], vocab, tmp_path / "out", objective="none", short_seq_prob=0.0, dupe_factor=1)
    rows = rows_of(tmp_path / "out", "train") + rows_of(tmp_path / "out", "validation")
    for number, text in enumerate(texts):
        found: Counter[int] = Counter()
        for row in rows:
            if row["first_document"] == number:
                assert (row["second_document"], row["next_sentence_label"]) == (None, -100)
                assert row["first_segment_length"] == len(row["input_ids"]) <= 32
                found.update(row["input_ids"][1:-1])
        assert found == Counter(IDS[word] for line in text for word in line.split())


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=shapes, mode=st.sampled_from(["dynamic", "static"]))
def test_packed_blocks_are_the_documents_in_a_row(
    vocab: Path, tmp_path: Path, shape: list[list[int]], mode: str
) -> None:
    """In each split: full rows, its documents in order with [SEP] between, and nothing asked of pairs.

    The file holds rows in a random order; their first documents and tokens tell where they belong.
    """
    texts = texts_of(shape)
    corpus = write(tmp_path / "corpus.txt", texts)
    run([corpus], vocab, tmp_path / "out", objective="packed", dupe_factor=1, mode=mode)
    sep = SPECIAL_TOKENS.index("[SEP]")
    held = []
    for split in ("train", "validation"):
        rows = rows_of(tmp_path / "out", split)
        for row in rows:
            for position, token in zip(
                row.get("masked_positions", []), row.get("masked_ids", []), strict=True
            ):
                assert token != sep != row["input_ids"][position]
                row["input_ids"][position] = token
            assert (row["first_segment_length"], row["next_sentence_label"]) == (len(row["input_ids"]), -100)
        documents = sorted({row[name] for row in rows for name in ("first_document", "second_document")})
        documents = sorted({*documents, *(n for row in rows for n in _between(row, texts))})
        stream = [
            slot for n in documents for slot in [*(IDS[w] for line in texts[n] for w in line.split()), sep]
        ][:-1]
        blocks = [stream[start : start + 30] for start in range(0, len(stream), 30)]
        assert sorted(row["input_ids"][1:-1] for row in rows) == sorted(blocks)
        held += documents
    assert sorted(held) == list(range(len(texts)))


def _between(row: dict[str, Any], texts: Texts) -> set[int]:
    """Return the documents of a row by its words; each word is of one document."""
    words = {IDS[word]: n for n, text in enumerate(texts) for line in text for word in line.split()}
    return {words[token] for token in row["input_ids"] if token in words}


def test_packed_figures_tell_how_many_rows_cross_documents(vocab: Path, tmp_path: Path) -> None:
    """Forty documents of ten tokens in rows of thirty slots: every row holds several, and none is padded."""
    corpus = write(tmp_path / "corpus.txt", texts_of([[10]] * 40))
    summary = run([corpus], vocab, tmp_path / "out", objective="packed", dupe_factor=1)
    figures = json.loads((tmp_path / "out" / "statistics.json").read_text(encoding="utf-8"))
    assert figures["objective"] == "packed"
    rows = rows_of(tmp_path / "out", "train")
    crossing = sum(row["first_document"] != row["second_document"] for row in rows)
    assert figures["train"]["several_documents_share"] == pytest.approx(crossing / len(rows), abs=1e-6)
    assert crossing > 0.9 * len(rows)
    assert figures["corpus"]["sentences_cut_for_length"] == 0
    assert sum(len(row["input_ids"]) < 32 for row in rows) <= 1
    assert summary.random_or_swapped_share is None


def test_packed_blocks_are_cut_elsewhere_each_time(vocab: Path, tmp_path: Path) -> None:
    """With a dupe_factor each token is in as many rows, and these begin at different tokens."""
    corpus = write(tmp_path / "corpus.txt", MIXED)
    for factor in (1, 3):
        run([corpus], vocab, tmp_path / f"out{factor}", objective="packed", dupe_factor=factor)
    once, thrice = (
        Counter(t for row in rows_of(tmp_path / f"out{n}", "train") for t in row["input_ids"] if t >= FIRST)
        for n in (1, 3)
    )
    assert thrice == Counter({token: 3 * count for token, count in once.items()})
    begins = Counter(tuple(row["input_ids"]) for row in rows_of(tmp_path / "out3", "train"))
    assert max(begins.values()) == 1


def test_short_rows_of_full_blocks_are_refused() -> None:
    """Who asks for both is told; unset, the share means nothing, and is recorded as 0."""
    with pytest.raises(ValidationError, match=r"short_seq_prob = 0\.3 with objective = packed"):
        PrepareConfig(objective="packed", short_seq_prob=0.3)
    for config in (PrepareConfig(objective="packed"), PrepareConfig(objective="packed", short_seq_prob=0.0)):
        assert config.recorded()["short_seq_prob"] == 0.0
    assert PrepareConfig().recorded()["short_seq_prob"] == 0.1


def test_swapped_segments_are_neighbours(vocab: Path, tmp_path: Path) -> None:
    """Sentence order: both segments from one document, the label says which came first."""
    corpus = write(tmp_path / "corpus.txt", texts_of([[4, 3, 5, 2, 4]] * 12))
    run([corpus], vocab, tmp_path / "out", objective="sop", dupe_factor=20)
    rows = rows_of(tmp_path / "out", "train")
    for row in rows:
        first, second = segments_of(row)
        assert row["first_document"] == row["second_document"]
        # In these documents each word's id is one more than that of the word before.
        assert (first[0] > second[0]) == (row["next_sentence_label"] == 1)
    share = sum(row["next_sentence_label"] for row in rows) / len(rows)
    assert abs(share - 0.5) < 4 * 0.5 / len(rows) ** 0.5


def test_copies_of_a_document_are_on_one_side(vocab: Path, tmp_path: Path) -> None:
    """No text is both learned and evaluated."""
    texts = texts_of([[5, 5], [6, 6], [7], [8], [3, 9], [4, 4, 4]])
    corpus = write(tmp_path / "corpus.txt", texts * 4)
    run([corpus], vocab, tmp_path / "out", validation_share=0.4)
    train, validation = (
        {row["first_document"] % len(texts) for row in rows_of(tmp_path / "out", split)}
        for split in ("train", "validation")
    )
    assert not train & validation


def test_the_figures_are_counted_right(vocab: Path, tmp_path: Path) -> None:
    """Statistics, summary and manifest agree with a count of the rows themselves."""
    corpus = write(tmp_path / "corpus.txt", [*MIXED, ["aa unknownword ab"]])
    summary = run([corpus], vocab, tmp_path / "out")
    figures = json.loads((tmp_path / "out" / "statistics.json").read_text(encoding="utf-8"))
    assert figures["corpus"] == {
        "documents": 11,
        "skipped_documents": 1,
        "sentences": 22,
        "sentences_cut_for_length": 3,
        "tokens": sum(len(line.split()) for text in MIXED for line in text) + 3,
        "unknown_tokens": 1,
        "unknown_rate": round(1 / figures["corpus"]["tokens"], 6),
        "replaced_sequences": 0,
    }
    manifest = open_artifact(tmp_path / "out", stage="prepare")
    for split in ("train", "validation"):
        rows = rows_of(tmp_path / "out", split)
        lengths = [len(row["input_ids"]) for row in rows]
        found = figures[split]
        assert found["instances"] == manifest.counts[split] == len(rows)
        assert found["instance_tokens"] == sum(lengths)
        assert found["documents"] == len({row["first_document"] for row in rows})
        assert found["padding_share"] == pytest.approx(1 - sum(lengths) / len(rows) / 32, abs=1e-6)
        for bucket in found["lengths"]:
            inside = [length for length in lengths if bucket["from"] <= length <= bucket["to"]]
            assert bucket["instances"] == len(inside)
        assert sum(bucket["instances"] for bucket in found["lengths"]) == len(rows)
    assert (summary.documents, summary.skipped_documents, summary.shards) == (11, 1, 2)
    assert summary.train_tokens == figures["train"]["instance_tokens"]


def test_the_manifest_names_inputs_and_settings(vocab: Path, tmp_path: Path) -> None:
    """What changes the result is in it; the number of workers and where things stand is not."""
    run([write(tmp_path / "corpus.txt", MIXED)], vocab, tmp_path / "out", seed=3)
    manifest = open_artifact(tmp_path / "out", stage="prepare")
    assert set(manifest.inputs) == {"corpus", "vocab"}
    assert set(manifest.settings) == {"prepare", "corpus", "masking"}
    assert manifest.settings["prepare"]["seed"] == 3
    assert manifest.settings["masking"] == {"mode": "dynamic"}
    assert str(tmp_path) not in "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "out").rglob("*.json")
    )
    assert not list((tmp_path / "out").rglob("*scratch*"))


class KilledError(Exception):
    """What a signal would do, without one."""


@dataclass
class Mortal:
    """An executor that is killed after so many items."""

    left: int
    done: int = 0

    def map_ordered(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            if not self.left:
                raise KilledError
            self.left -= 1
            self.done += 1
            yield function(item)


@pytest.mark.parametrize(("objective", "mode"), [("nsp", "dynamic"), ("nsp", "static"), ("packed", "static")])
@pytest.mark.parametrize("every", [1, 3])
def test_killed_anywhere_it_goes_on(
    vocab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int, objective: str, mode: Any
) -> None:
    """However often it is killed, the output is the same, and nothing that was whole is done again."""
    monkeypatch.setattr(growing, "_SECONDS_BETWEEN_RECORDS", 0.0)
    monkeypatch.setattr(building, "_PART_CHARACTERS", 60)
    monkeypatch.setattr(packing, "_BLOCKS_A_TASK", 3)
    monkeypatch.setattr(prepare, "_MEBIBYTE", 1)
    corpus = [write(tmp_path / "corpus.txt", MIXED)]
    cleaning = CleaningConfig(exact_duplicates=True)
    common: dict[str, Any] = {
        "shard_size_mb": 200,
        "mode": mode,
        "cleaning": cleaning,
        "objective": objective,
    }
    executors: list[Mortal] = []

    def run_with(lives: int, out: Path) -> None:
        executors.append(Mortal(lives))
        monkeypatch.setattr(prepare, "open_executor", lambda *_, **__: nullcontext(executors[-1]))
        run(corpus, vocab, out, **common)

    run_with(10_000, tmp_path / "whole")
    whole = executors.pop().done
    for _ in range(whole):
        with suppress(KilledError):
            # What stays is decided over all parts at once, so the first run has to get further.
            run_with(every if executors else whole // 2, tmp_path / "killed")
            break
    assert content_of(tmp_path / "killed") == content_of(tmp_path / "whole")
    assert len(executors) > 1
    assert sum(executor.done for executor in executors) == whole


def test_task_files_are_an_input(vocab: Path, tmp_path: Path) -> None:
    """The corpus is cleaned of what they hold now: their content is recorded, where they stand is not."""
    corpus = [write(tmp_path / "corpus.txt", MIXED)]
    tasks = write(tmp_path / "tasks" / "test.txt", [MIXED[3][:1]])
    cleaning = CleaningConfig(decontaminate=(str(tasks.parent),), decontamination_words=5)
    manifests = []
    for number in range(2):
        summary = run(corpus, vocab, tmp_path / "out", cleaning=cleaning)
        manifests.append(open_artifact(tmp_path / "out", stage="prepare"))
        assert summary.documents == len(MIXED) - 1 - number
        write(tasks, [MIXED[3][:1], MIXED[9]])
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text(encoding="utf-8")
    assert manifests[0].inputs["task_files"] != manifests[1].inputs["task_files"]
    assert manifests[0].settings == manifests[1].settings


def test_cleaning_that_leaves_nothing_is_told(vocab: Path, tmp_path: Path) -> None:
    """One line that says which switch took how many, and no output."""
    corpus = write(tmp_path / "corpus" / "a.txt", MIXED)
    with pytest.raises(CorpusError, match="leaves nothing of 10 documents: min_characters took 10"):
        run([corpus], vocab, tmp_path / "out", cleaning=CleaningConfig(min_characters=10_000))
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_many_shards(vocab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a shard decides their number, not what is in them all together."""
    corpus = write(tmp_path / "corpus.txt", MIXED)
    run([corpus], vocab, tmp_path / "one")
    monkeypatch.setattr(prepare, "_MEBIBYTE", 1)
    summary = run([corpus], vocab, tmp_path / "many", shard_size_mb=64)
    assert summary.shards > 6
    assert rows_of(tmp_path / "one", "train") == rows_of(tmp_path / "many", "train")


def test_too_few_documents_for_pairs_leave_nothing_behind(vocab: Path, tmp_path: Path) -> None:
    """One line with what was found and what is needed, and no output."""
    corpus = write(tmp_path / "corpus" / "a.txt", texts_of([[5, 5], [6], [1]]))
    with pytest.raises(CorpusError, match=r"found 2 documents.*needed are 4"):
        run([corpus], vocab, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_progress_of_a_version_that_counted_other_things_is_told(
    vocab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to continue what it cannot, the command says so in one line, with the way out; which works."""
    monkeypatch.setenv("BERTPIPE_WORK", str(tmp_path / "side"))
    monkeypatch.setattr(growing, "_SECONDS_BETWEEN_RECORDS", 0.0)
    monkeypatch.setattr(building, "_PART_CHARACTERS", 60)
    corpus = [write(tmp_path / "corpus.txt", MIXED)]
    monkeypatch.setattr(prepare, "open_executor", lambda *_, **__: nullcontext(Mortal(2)))
    with pytest.raises(KilledError):
        run(corpus, vocab, tmp_path / "out")
    (record,) = (tmp_path / "side").rglob("encoded/done.json")
    content = json.loads(record.read_text(encoding="utf-8"))
    del content["state"]["replaced"]
    record.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ArtifactError, match="counted other things") as caught:
        run(corpus, vocab, tmp_path / "out")
    assert "runtime.old_progress=restart" in str(caught.value.hint)


def test_bad_text_is_named_through_the_workers(vocab: Path, tmp_path: Path) -> None:
    """A byte that is not UTF-8 is told with its file and line, and nothing is left behind."""
    corpus = write(tmp_path / "corpus" / "a.txt", MIXED)
    corpus.write_bytes(corpus.read_bytes() + b"\nfine\n\xff\n")
    lines = corpus.read_bytes().count(b"\n")
    with pytest.raises(CorpusError, match=rf"a\.txt:{lines}"):
        run([corpus], vocab, tmp_path / "out", workers=2)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_text_without_a_token_is_told(vocab: Path, tmp_path: Path) -> None:
    """Control characters are no text to a tokenizer."""
    corpus = write(tmp_path / "corpus.txt", [["\u0001"]] * 5)
    with pytest.raises(CorpusError, match="no token"):
        run([corpus], vocab, tmp_path / "out")


def test_a_corpus_that_changes_meanwhile_is_told(vocab: Path, tmp_path: Path) -> None:
    """The manifest would name text that was not read."""
    corpus = write(tmp_path / "corpus.txt", MIXED)

    class Changes(Silent):
        def phase(self, name: str, **facts: Any) -> Any:
            if name == "encode":
                write(corpus, [*MIXED, ["aa ab"]])
            return super().phase(name, **facts)

    with pytest.raises(CorpusError, match="changed while it was read"):
        run([corpus], vocab, tmp_path / "out", progress=Changes())
    assert not (tmp_path / "out").exists()


def test_a_damaged_vocabulary_is_refused(vocab: Path, tmp_path: Path) -> None:
    """A tokenizer folder that is missing, or differs from its manifest, is named."""
    corpus = write(tmp_path / "corpus.txt", MIXED)
    with pytest.raises(ArtifactError, match="nowhere"):
        run([corpus], tmp_path / "nowhere", tmp_path / "out")
    ours = tmp_path / "ours"
    with written_whole(ours, stage="vocab", settings={}, inputs={}) as output:
        Tokenizer.load(vocab).save(output.folder)
    (ours / "vocab.txt").write_text("changed", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"vocab\.txt is damaged"):
        run([corpus], ours, tmp_path / "out")


def test_what_is_not_ours_is_not_overwritten(vocab: Path, tmp_path: Path) -> None:
    """A folder with other things in it stays as it is."""
    write(tmp_path / "out" / "thesis.txt", MIXED)
    with pytest.raises(ArtifactError, match="not an output of bertpipe"):
        run([write(tmp_path / "corpus.txt", MIXED)], vocab, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "values",
    [
        {"max_seq_length": 7},
        {"max_seq_length": 70_000},
        {"short_seq_prob": 1.5},
        {"dupe_factor": 0},
        {"validation_share": 0.0},
        {"objective": "nps"},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any]) -> None:
    """Rows that hold no pair, shares that are none, an objective that there is not."""
    with pytest.raises(ValidationError):
        PrepareConfig(**values)


def test_no_torch_is_imported() -> None:
    """A data stage depends on no model code."""
    code = "import sys, bertpipe.stages.prepare; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


def test_a_real_book(real_data: Path, tmp_path: Path) -> None:
    """Chapters of a novel: every row can be read back as text of its documents."""
    book = real_data / "corpora" / "classic-books-en" / "Anna_Sewell__Black_Beauty.md.gz"
    text = gzip.decompress(book.read_bytes()).decode("utf-8").lower()
    words = sorted(
        {*"".join(c if c.isalpha() and c.isascii() else " " for c in text).split(), *".,;!?'\"-()"}
    )
    vocab = tmp_path / "vocab"
    vocab.mkdir()
    tokenizer = Tokenizer.build([*SPECIAL_TOKENS, *words], lowercase=True)
    tokenizer.save(vocab)
    sections = PrepareSettings(
        prepare=PrepareConfig(dupe_factor=1),
        corpus=CorpusConfig(documents="heading"),
        masking=MaskingConfig(),
        runtime=RuntimeConfig(workers=1),
    )
    summary = prepare.run(sections, corpus=[book], vocab=vocab, out=tmp_path / "out")
    assert summary.documents > 40
    assert summary.unknown_rate < 0.01
    assert summary.padding_share < 0.2
    plain = " ".join("".join(c if c.isalpha() and c.isascii() else " " for c in text).split())
    tokens = tokenizer.tokens
    for row in rows_of(tmp_path / "out", "train")[:50]:
        for segment in segments_of(row):
            known = [tokens[token] for token in segment if token != tokenizer.unk_id]
            if len(known) == len(segment):
                assert " ".join(word for word in known if word.isalpha()) in plain
