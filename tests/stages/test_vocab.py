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
from bertpipe.corpus import CorpusConfig
from bertpipe.errors import ArtifactError, BertpipeError, ConfigError, CorpusError
from bertpipe.stages.vocab import VocabConfig, VocabSettings, VocabSummary, run
from bertpipe.vocab import Tokenizer

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("BERTPIPE_DATA") or ROOT.parent / "shared" / "data")
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
vocab._CHUNK_CHARACTERS = int(sys.argv[1])
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


@pytest.mark.parametrize("chosen", [[0], [1], [0, 1, 2]], ids=["english", "korean", "mixed"])
def test_same_text_gives_same_bytes(tmp_path: Path, chosen: list[int]) -> None:
    """Neither process, hash seed, order of files, number of workers nor chunk size shows in any file."""
    texts = write_text(tmp_path / "text")
    corpus = [texts[i] for i in chosen]
    sections = {"vocab": {"size": 500}}
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


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no data at {DATA}: set BERTPIPE_DATA")
def test_same_real_text_gives_same_bytes(tmp_path: Path) -> None:
    """The same holds on English and Korean text of 2 MB."""
    corpus = [DATA / name for name in REAL]
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
        "corpus": CorpusConfig().model_dump(),
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
        sentences=3,
        characters=9 + 5 + 9,
        distinct_words=4,
        alphabet_kept=4,
        alphabet_dropped=2,
        dropped_examples=["q", "z"],
        vocab_size=5 + 4 + 1 + 1,
        fertility=1.25,
        unknown_rate=0.1,
        longest_pieces=["##b", "ab", ",", ".", "a", "b"],
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


@pytest.mark.parametrize(
    ("content", "vocab", "error", "message"),
    [
        (b"", {}, CorpusError, r"the corpus is empty: no text in .*a\.txt"),
        (b"\x00 \x01", {}, CorpusError, "holds no word"),
        (b"fine\n\xff", {}, CorpusError, r"a\.txt:2: not valid UTF-8"),
        (b"abc bcd", {"size": 9}, ConfigError, r"vocab\.size = 9: the alphabet alone needs 12"),
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
    [{"size": 5}, {"size": 10**7}, {"algorithm": "unigram"}, {"limit_alphabet": 0}, {"min_frequency": 0}],
)
def test_impossible_settings_are_refused(values: dict[str, Any]) -> None:
    """Each is named with its value when the settings are read."""
    (name, value), *_ = values.items()
    with pytest.raises(ConfigError, match=rf"vocab\.{name} = {value!r}"):
        Params({"vocab": values}).read(VocabSettings)
