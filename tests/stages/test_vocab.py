import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from bertpipe.artifacts import open_artifact
from bertpipe.configs import Params, RuntimeConfig
from bertpipe.corpus import CorpusConfig, find_files
from bertpipe.corpus.cleaning import CleaningConfig
from bertpipe.errors import ArtifactError, BertpipeError, ConfigError, CorpusError
from bertpipe.executors import open_executor
from bertpipe.stages.vocab import VocabConfig, VocabSettings, VocabSummary, run
from bertpipe.vocab import ALGORITHMS, Tokenizer, counting
from bertpipe.vocab.counting import TextCounter

ROOT = Path(__file__).parents[2]
REAL = (
    "corpora/wikitext-2/valid.txt",
    "corpora/docs-ko/opensource-guide-ko.txt",
    "corpora/classic-books-en/Jane_Austen__Emma.md.gz",
)


def settings(workers: int = 1, *, corpus: dict[str, Any] | None = None, **vocab: Any) -> VocabSettings:
    return VocabSettings(
        vocab=VocabConfig(**vocab),
        corpus=CorpusConfig(**(corpus or {})),
        runtime=RuntimeConfig(workers=workers),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def write_text(folder: Path) -> list[Path]:
    """Write small files in English, Korean and both, with many ties between pairs."""
    draw = random.Random(0)
    english = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(1, 9))) for _ in range(400)]
    korean = ["".join(draw.choices("가나다라마바사아자차카타파하", k=draw.randint(1, 5))) for _ in range(400)]
    paths: list[Path] = []
    for name, words in (("en.txt", english), ("ko.txt", korean), ("mixed.jsonl.gz", english + korean)):
        text = ". ".join(" ".join(draw.choices(words, k=9)) for _ in range(150))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(json.dumps({"text": text}).encode()))
        else:
            path.write_text(text.replace(". ", ".\n\n"), encoding="utf-8")
        paths.append(path)
    return paths


SCRIPT = """
import json, sys
from pathlib import Path
from bertpipe.configs import Params
from bertpipe.stages import vocab
from bertpipe.vocab import counting
counting._PART_CHARACTERS = int(sys.argv[1])
settings = Params(json.loads(sys.argv[2])).read(vocab.VocabSettings)
vocab.run(settings, corpus=[Path(path) for path in sys.argv[4:]], out=Path(sys.argv[3]))
"""


def run_in_process(
    corpus: Sequence[Path], out: Path, *, hash_seed: int, workers: int, chunk: int, sections: dict[str, Any]
) -> dict[str, bytes]:
    """Run the stage in a fresh interpreter, as two ``dvc repro`` would."""
    values = json.dumps(sections | {"runtime": {"workers": workers}})
    arguments = [str(chunk), values, str(out), *map(str, corpus)]
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", SCRIPT, *arguments], env=environment, check=True)
    return contents(out)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("chosen", [[0], [1], [0, 1, 2]], ids=["english", "korean", "mixed"])
def test_same_text_gives_same_bytes(tmp_path: Path, chosen: list[int], algorithm: str) -> None:
    """Neither process, hash seed, order of files, number of workers nor size of parts shows in any file."""
    texts = write_text(tmp_path / "text")
    corpus = [texts[i] for i in chosen]
    sampling = {"max_characters": 9000, "sample_exponent": 0.5, "held_out_share": 0.1}
    sections = {"vocab": {"size": 500, "algorithm": algorithm, **sampling}}
    one = run_in_process(corpus, tmp_path / "one", hash_seed=1, workers=1, chunk=10**6, sections=sections)
    two = run_in_process(corpus[::-1], tmp_path / "two", hash_seed=2, workers=3, chunk=900, sections=sections)
    assert one == two
    assert {
        "tokenizer.json",
        "vocab.txt",
        "tokenizer_config.json",
        "statistics.json",
        "manifest.json",
    } == set(one)


def test_same_real_text_gives_same_bytes(real_data: Path, tmp_path: Path) -> None:
    """The same holds on English and Korean text of 2 MB."""
    corpus = [real_data / name for name in REAL]
    sections = {"vocab": {"size": 6000}, "corpus": {"documents": "heading"}}
    one = run_in_process(corpus, tmp_path / "one", hash_seed=1, workers=1, chunk=10**6, sections=sections)
    two = run_in_process(
        corpus[::-1], tmp_path / "two", hash_seed=2, workers=2, chunk=10**5, sections=sections
    )
    assert one == two
    assert one["vocab.txt"].count(b"\n") == 6000


def test_output_is_a_tokenizer_folder(tmp_path: Path) -> None:
    """The folder opens here and in Hugging Face, matches its manifest, and says how it was made."""
    corpus, out = write_text(tmp_path / "text"), tmp_path / "vocab"
    summary = run(settings(size=400), corpus=corpus, out=out)
    manifest = open_artifact(out, stage="vocab")
    assert manifest.settings == {
        "vocab": VocabConfig(size=400).model_dump(),
        "corpus": CorpusConfig().recorded(),
    }
    assert set(manifest.inputs) == {"corpus"}
    tokenizer = Tokenizer.load(out)
    assert tokenizer.vocab_size == summary.vocab_size == manifest.counts["tokens"] == 400
    text = "가나다 hate [MASK]"
    assert (
        tokenizer.encode([text]).ids.tolist()
        == AutoTokenizer.from_pretrained(out)(text, add_special_tokens=False)["input_ids"]
    )


def test_statistics_are_those_of_the_text(tmp_path: Path) -> None:
    """Counts, fertility and unknown rate as counted by hand."""
    path = tmp_path / "a.txt"
    path.write_text("Ab ab ab. Ab zq\n\nab ab, ab", encoding="utf-8")
    # Words: ab 7, "." 1, "," 1, zq 1; the four most frequent characters: a, b, then "," and ".".
    # Tokens: each ab, "." and "," is one, zq is [UNK]: 10, for 8 runs between spaces.
    summary = run(settings(size=30, limit_alphabet=4), corpus=[path], out=tmp_path / "out")
    assert summary == VocabSummary(
        documents=2,
        characters=15 + 9,
        sample_share=1.0,
        distinct_words=4,
        alphabet_kept=4,
        alphabet_dropped=2,
        dropped_share=round(2 / 18, 9),
        dropped_examples=["q", "z"],
        vocab_size=5 + 4 + 1 + 1,
        unused_tokens=0,
        measured_documents=0,
        fertility=1.25,
        unknown_rate=0.1,
        unknown_characters=2,
        longest_pieces=["ab", ",", "."],
    )
    assert json.loads((tmp_path / "out" / "statistics.json").read_text()) == json.loads(
        json.dumps(summary.__dict__)
    )


class Recorder:
    """A ``Progress`` that remembers."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, float | None, str]] = []
        self.done: dict[str, float] = {}
        self.notes: list[str] = []

    def phase(
        self, name: str, *, total: float | None, unit: str, done: float = 0.0
    ) -> AbstractContextManager["Recorder"]:
        self.phases.append((name, total, unit))
        self.done[name] = done
        return nullcontext(self)

    def advance(self, amount: float, **figures: float | str) -> None:
        self.done[self.phases[-1][0]] += amount

    def doing(self, what: str | None) -> None:
        raise AssertionError("the stage has no pauses")

    def note(self, message: str) -> None:
        self.notes.append(message)

    def record(self, **facts: float | str) -> None:
        raise AssertionError("the stage has nothing to record")


def test_progress_reaches_its_totals(tmp_path: Path) -> None:
    """Bytes read are the size of the files, tokens made are the size of the vocabulary."""
    corpus = write_text(tmp_path / "text")
    recorder = Recorder()
    run(settings(size=400), corpus=corpus, out=tmp_path / "out", progress=recorder)
    size_bytes = sum(path.stat().st_size for path in corpus)
    assert recorder.phases == [("count words", size_bytes, "bytes"), ("merge", 400, "tokens")]
    assert recorder.done == {"count words": size_bytes, "merge": 400}
    assert recorder.notes == []


def test_a_vocabulary_that_stays_small_is_told(tmp_path: Path) -> None:
    """With too little text the user learns how many tokens there are, and why."""
    (tmp_path / "a.txt").write_text("ab ab cd")
    recorder = Recorder()
    run(settings(size=100), corpus=[tmp_path], out=tmp_path.with_name("out"), progress=recorder)
    assert recorder.notes == [
        "the vocabulary has 12 tokens, not 100: no pair of pieces is left that occurs 2 times"
    ]


def test_rare_characters_are_told(tmp_path: Path) -> None:
    """What the coverage drops is named, with its share; more than the coverage asks for is kept."""
    (tmp_path / "a.txt").write_text("가나다 " * 330 + "힣 뷁 뷁", encoding="utf-8")
    recorder = Recorder()
    chosen = settings(size=100, limit_alphabet=None, alphabet_coverage=0.995)
    summary = run(chosen, corpus=[tmp_path], out=tmp_path.with_name("out"), progress=recorder)
    assert recorder.notes[-1] == (
        "2 rare characters, 0.3021% of the text, are not in the alphabet of 3; "
        "words with them are unknown: 뷁 힣"
    )
    assert (summary.alphabet_dropped, summary.dropped_examples) == (2, ["뷁", "힣"])


def test_padding_is_told_and_counted(tmp_path: Path) -> None:
    """The size asked for is reached first, then the multiple."""
    recorder = Recorder()
    corpus = write_text(tmp_path / "text")
    chosen = settings(size=300, pad_to_multiple_of=64)
    summary = run(chosen, corpus=corpus, out=tmp_path / "out", progress=recorder)
    assert (summary.vocab_size, summary.unused_tokens) == (320, 20)
    assert recorder.notes == ["20 unused tokens make it 320, a multiple of 64"]
    assert Tokenizer.load(tmp_path / "out").tokens[300:302] == ["[unused0]", "[unused1]"]


def write_documents(path: Path, words: Sequence[str], *, number: int) -> None:
    """Write documents of 100 characters, each word with a number that makes it another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    documents = (f"{' '.join(words)} {n}"[:100].ljust(100, ".") for n in range(number))
    path.write_text("\n\n".join(documents), encoding="utf-8")


def test_a_sample_fits_the_budget(tmp_path: Path) -> None:
    """The budget holds and is nearly used up; the user is told how much of the corpus that is."""
    write_documents(tmp_path / "text/en.txt", ["english", "words"], number=1000)
    recorder = Recorder()
    chosen = settings(max_characters=20_000, size=200)
    summary = run(chosen, corpus=[tmp_path / "text"], out=tmp_path / "out", progress=recorder)
    assert 19_000 < summary.characters <= 20_000
    assert summary.sample_share == summary.characters / 100_000
    assert recorder.notes[0] == (
        "the corpus is larger than vocab.max_characters = 20000: the vocabulary is trained on "
        f"{summary.sample_share:.2%} of it"
    )
    names = [name for name, _, _ in recorder.phases]
    assert names == ["count words", "choose a sample", "count words", "merge"]


@pytest.mark.parametrize(("exponent", "documents"), [(1.0, (10, 30)), (0.0, (95, 100))])
def test_a_flat_sample_helps_small_languages(
    tmp_path: Path, exponent: float, documents: tuple[int, int]
) -> None:
    """With exponent 0 a folder of 100 documents gets half of the budget for 200, by size only 20."""
    write_documents(tmp_path / "text/en/a.txt", ["english"], number=900)
    write_documents(tmp_path / "text/ko/a.txt", ["한국어"], number=100)
    chosen = settings(max_characters=20_000, sample_exponent=exponent)
    with open_executor(RuntimeConfig(workers=1)) as executor:
        files = find_files([tmp_path / "text"])
        text = TextCounter(files, CorpusConfig(), chosen.vocab, executor, Recorder()).count()
    low, high = documents
    assert low <= text.pieces.by_piece()["한국어"] <= high


def test_a_budget_that_is_not_reached_changes_nothing(tmp_path: Path) -> None:
    """All text is read once, and the vocabulary is that without a budget."""
    corpus = write_text(tmp_path / "text")
    run(settings(size=400, max_characters=None), corpus=corpus, out=tmp_path / "all")
    run(settings(size=400, max_characters=10**6, sample_exponent=0.3), corpus=corpus, out=tmp_path / "in")
    for name in ("tokenizer.json", "vocab.txt", "statistics.json"):
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()


def test_too_many_words_are_told(tmp_path: Path) -> None:
    """Only the most frequent take part, and the user learns how many there are."""
    (tmp_path / "a.txt").write_text("ab ab ab cd cd cd rare", encoding="utf-8")
    recorder = Recorder()
    chosen = settings(size=12, max_words=2)
    summary = run(chosen, corpus=[tmp_path], out=tmp_path.with_name("out"), progress=recorder)
    assert summary.distinct_words == 2
    assert recorder.notes[0] == (
        "of 3 different runs between spaces the vocabulary is trained on the most frequent, "
        "vocab.max_words = 2"
    )


def test_held_out_documents_are_measured_and_not_trained_on(tmp_path: Path) -> None:
    """Documents of words of their own are unknown to the vocabulary when they are held out."""
    path = tmp_path / "a.txt"
    letters = [chr(0xAC00 + number) for number in range(1000)]
    path.write_text("\n\n".join(f"{letter}{letter}" for letter in letters), encoding="utf-8")
    summary = run(
        settings(size=5000, limit_alphabet=None, held_out_share=0.2), corpus=[path], out=tmp_path / "out"
    )
    assert 150 < summary.measured_documents < 250
    assert summary.documents + summary.measured_documents == 1000
    assert summary.unknown_rate == 1.0
    assert summary.unknown_characters == summary.measured_documents
    assert summary.alphabet_kept == summary.documents


def test_korean_is_known_to_every_algorithm(tmp_path: Path) -> None:
    """On held-out Korean text that was lower-cased, hardly a token is unknown."""
    (korean,) = [path for path in write_text(tmp_path / "text") if path.name == "ko.txt"]
    for algorithm in ALGORITHMS:
        chosen = settings(size=600, algorithm=algorithm, held_out_share=0.2)
        summary = run(chosen, corpus=[korean], out=tmp_path / "out")
        assert summary.measured_documents > 10
        assert summary.unknown_rate == 0.0


def test_a_budget_below_every_document_is_refused(tmp_path: Path) -> None:
    """The error says what the smallest sample needs; nothing is written."""
    write_documents(tmp_path / "text/a.txt", ["words"], number=3)
    with pytest.raises(ConfigError, match=r"vocab\.max_characters = 99: .* has 100 characters"):
        run(settings(max_characters=99), corpus=[tmp_path / "text"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_holding_out_every_document_is_refused(tmp_path: Path) -> None:
    """With nothing left to train on, the way out is named."""
    write_documents(tmp_path / "text/a.txt", ["words"], number=3)
    with pytest.raises(CorpusError, match="all 3 documents are held out") as caught:
        run(settings(held_out_share=0.999999), corpus=[tmp_path / "text"], out=tmp_path / "out")
    assert caught.value.hint == "set vocab.held_out_share lower"


@pytest.mark.parametrize(
    ("content", "vocab", "error", "message"),
    [
        (b"", {}, CorpusError, r"the corpus is empty: no text in .*a\.txt"),
        (b"\x00 \x01", {}, CorpusError, "holds no word"),
        (b"fine\n\xff", {}, CorpusError, r"a\.txt:2: not valid UTF-8"),
        (b"abc bcd", {"size": 9}, ConfigError, r"vocab\.size = 9: the alphabet alone needs 12"),
        (
            b"abc",
            {"size": 200, "algorithm": "bpe"},
            ConfigError,
            r"vocab\.size = 200: the bytes alone need 261",
        ),
    ],
)
def test_bad_input_leaves_nothing_behind(
    tmp_path: Path, content: bytes, vocab: dict[str, Any], error: type[BertpipeError], message: str
) -> None:
    """One line that names the place, and neither an output nor a partial one."""
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_bytes(content)
    for workers in (1, 2):
        with pytest.raises(error, match=message):
            run(settings(workers, **vocab), corpus=[tmp_path / "text"], out=tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_a_foreign_output_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    """What is not ours stays as it is; the corpus is not even looked for."""
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ArtifactError, match="is not an output of bertpipe"):
        run(settings(), corpus=[tmp_path / "missing"], out=tmp_path)
    assert contents(tmp_path) == {"mine.txt": b"precious"}


@pytest.mark.parametrize(
    "values",
    [
        {"size": 5},
        {"size": 10**7},
        {"algorithm": "unknown"},
        {"limit_alphabet": 0},
        {"min_frequency": 0},
        {"alphabet_coverage": 0.0},
        {"alphabet_coverage": 1.5},
        {"pad_to_multiple_of": 0},
        {"max_characters": 0},
        {"max_words": 0},
        {"sample_exponent": 1.1},
        {"held_out_share": 1.0},
        {"unicode_form": "nfkd"},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any]) -> None:
    """Each is named with its value when the settings are read."""
    (name, value), *_ = values.items()
    with pytest.raises(ConfigError, match=rf"vocab\.{name} = {value!r}"):
        Params({"vocab": values}).read(VocabSettings)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cleaning_takes_is_not_counted(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeated documents change nothing once they are left out, and the figures say how many there were."""
    monkeypatch.setattr(counting, "_PART_CHARACTERS", 500)
    paths = write_text(tmp_path / "once")
    once = tmp_path / "a"
    run(settings(size=100), corpus=paths, out=once)
    repeated = tmp_path / "twice" / "en.txt"
    repeated.parent.mkdir()
    text = paths[0].read_text(encoding="utf-8")
    repeated.write_text(f"{text}\n\n{text}", encoding="utf-8")
    clean = settings(workers, corpus={"cleaning": CleaningConfig(exact_duplicates=True)}, size=100)
    cleaned = tmp_path / "b"
    run(clean, corpus=[repeated, *paths[1:]], out=cleaned)
    assert (cleaned / "tokenizer.json").read_bytes() == (once / "tokenizer.json").read_bytes()
    figures = json.loads((cleaned / "statistics.json").read_text(encoding="utf-8"))
    taken = figures["cleaning"]["removed"]["exact_duplicates"]["documents"]
    assert taken == figures["cleaning"]["documents"] - figures["documents"] >= text.count("\n\n")
