# ruff: noqa: RUF001 (signs that look like others are what this is about)
import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bertpipe.corpus import CorpusConfig, find_files, read_parts
from bertpipe.corpus.cleaning import CleaningConfig, CleaningPlan, kept, plan_cleaning
from bertpipe.errors import ConfigError, CorpusError
from bertpipe.executors.local import LocalExecutor

WORDS = [
    f"{first}{second}" for first in ("ka", "lo", "mi", "Nu", "pé") for second in ("ra", "sto", "ti", "한")
]


@dataclass(frozen=True)
class SomeDocuments:
    """A part that is already read."""

    paragraphs: list[list[str]]
    read_bytes: int = 10


read = attrgetter("paragraphs")


def parts(documents: Sequence[str], size: int) -> Iterator[SomeDocuments]:
    for start in range(0, len(documents), size):
        yield SomeDocuments([document.split("\n") for document in documents[start : start + size]])


def plan(documents: Sequence[str], *, size: int = 100, workers: int = 1, **settings: Any) -> CleaningPlan:
    return plan_cleaning(
        parts(documents, size), CleaningConfig(**settings), read=read, executor=LocalExecutor(workers)
    )


def stays(documents: Sequence[str], **settings: Any) -> list[int]:
    """Return the numbers of the documents that stay."""
    keep = plan(documents, **settings).keep
    return np.flatnonzero(np.concatenate(keep)).tolist()


def some_documents(number: int, *, seed: int = 1) -> list[str]:
    """Return documents of which some repeat or resemble earlier ones, some are short, some full of signs."""
    draw = random.Random(seed)
    documents: list[str] = []
    for _ in range(number):
        words = [draw.choice(WORDS) + str(draw.randrange(50)) for _ in range(60)]
        kind = draw.randrange(6) if documents else 0
        if kind == 1:
            words = draw.choice(documents).replace("\n", " \n ").split(" ")
        elif kind == 2:
            words = draw.choice(documents).split(" ")
            words[draw.randrange(len(words))] = "changed"
        elif kind == 3:
            words = words[:2]
        elif kind == 4:
            words = [*words, "!?" * 300]
        documents.append(" ".join(words))
    return documents


def test_without_a_switch_everything_stays() -> None:
    """Cleaning is off unless it is asked for."""
    assert not CleaningConfig().is_on
    assert stays(["a", "a", "!"]) == [0, 1, 2]


def test_white_space_makes_no_other_text() -> None:
    """The first of documents that differ in spaces, line ends or paragraphs stays; case is a difference."""
    documents = ["one  two\nthree", "One two three", "one\ttwo three ", "one two\nthree", "onetwo three"]
    assert stays(documents, exact_duplicates=True) == [0, 1, 4]


def test_lengths_count_runs_of_white_space_once() -> None:
    """Both bounds belong to what stays."""
    documents = ["ab", "a  b", "a \n b c", "abcdef", "abcdefg"]
    assert stays(documents, min_characters=3) == [1, 2, 3, 4]
    assert stays(documents, max_characters=5) == [0, 1, 2]
    assert stays(documents, min_characters=3, max_characters=6) == [1, 2, 3]


def test_documents_with_more_signs_than_allowed_go() -> None:
    """The share itself is allowed."""
    assert stays(["ab!!", "ab!!!", "한국어 !!!"], max_non_letter_share=0.5) == [0, 2]


def test_near_duplicates_are_similar_not_only_equal() -> None:
    """A few changed words are looked through, half of them are not."""
    pytest.importorskip("rensa")
    words = [f"word{number}" for number in range(200)]
    little = ["Other", *words[1:100], "words", *words[101:]]
    much = [word if number % 2 else word.upper() + "x" for number, word in enumerate(words)]
    documents = [" ".join(words), " ".join(little), " ".join(much), "“" + ", ".join(words).upper() + "”"]
    assert stays(documents, near_duplicates=0.8) == [0, 2]


@pytest.mark.parametrize(
    ("unit", "size", "one", "other"),
    [
        ("words", 3, "这部电影非常好看，我推荐给大家。", "这部电影非常好看我推荐给大家"),
        ("characters", 3, "정말 재미있는 영화 였어요", "정말재미있는 영화였어요!!"),
    ],
)
def test_near_duplicates_without_spaces(unit: str, size: int, one: str, other: str) -> None:
    """Chinese has words of one letter; Korean with loose spacing is compared by characters."""
    pytest.importorskip("rensa")
    settings = {"near_duplicates": 0.9, "shingles": unit, "shingle_size": size}
    assert stays([one, "완전히 다른 글입니다 好的", other], **settings) == [0, 1]


def test_documents_that_hold_a_task_text_go(tmp_path: Path) -> None:
    """One n-gram is enough, in other case and with other signs; one word less is not."""
    task = tmp_path / "dev.jsonl"
    text = "It was the best of times, it was the worst of times, it was the age"
    task.write_text(json.dumps({"text": text, "label": "negative"}))
    documents = [
        "He wrote: “IT WAS the best of times - it was the worst of times it” and stopped.",
        "He wrote: it was the best of times it was the worst of times and stopped.",
        "Nothing of that.",
    ]
    found = plan(documents, decontaminate=[str(task)])
    assert np.concatenate(found.keep).tolist() == [False, True, True]
    assert found.report.removed["decontaminate"].examples == [0]
    assert (found.report.task_files, found.report.task_texts, found.report.short_task_texts) == (1, 2, 1)
    assert stays(documents, decontaminate=[str(task)], decontamination_words=12) == [2]


def test_a_document_counts_for_the_first_switch_that_takes_it() -> None:
    """Copies of a document that goes for another reason are no duplicates, and the counts add up."""
    documents = ["ab", "ab", "abc!!!!!!", "abcdef", "abc  def", "abc def"]
    report = plan(documents, min_characters=3, max_non_letter_share=0.5, exact_duplicates=True).report
    assert list(report.removed) == ["min_characters", "max_non_letter_share", "exact_duplicates"]
    assert [removed.documents for removed in report.removed.values()] == [2, 1, 1]
    assert report.documents - report.kept == 4
    assert report.removed["exact_duplicates"].examples == [5]
    assert report.removed["exact_duplicates"].like == [4]


def test_the_report_is_json_without_text() -> None:
    """It holds counts and numbers of documents only, and of those no more than a few."""
    documents = ["secret"] * 40
    found = plan(documents, size=7, exact_duplicates=True).report.as_json()
    assert json.loads(json.dumps(found)) == found
    assert "secret" not in json.dumps(found)
    assert found["removed"]["exact_duplicates"] == {
        "documents": 39,
        "examples": list(range(1, 11)),
        "like": [0] * 10,
    }


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_and_parts_make_no_difference(workers: int, tmp_path: Path) -> None:
    """However the corpus is cut and whoever works, the same documents stay and the report is the same."""
    pytest.importorskip("rensa")
    documents = some_documents(300)
    task = tmp_path / "dev.txt"
    task.write_text(documents[0] + "\n" + documents[50])
    settings: dict[str, Any] = {
        "min_characters": 30,
        "max_non_letter_share": 0.5,
        "decontaminate": [str(task)],
        "exact_duplicates": True,
        "near_duplicates": 0.8,
    }
    whole = plan(documents, size=300, **settings)
    cut = plan(documents, size=7, workers=workers, **settings)
    assert np.concatenate(cut.keep).tolist() == whole.keep[0].tolist()
    assert [len(keep) for keep in cut.keep] == [7] * 42 + [6]
    assert cut.report == whole.report
    assert all(removed.documents for removed in whole.report.removed.values())


@given(
    st.lists(st.sampled_from(["a b", "a  b", "b", "c d e"]), min_size=1), st.randoms(use_true_random=False)
)
def test_of_exact_duplicates_one_stays_in_any_order(documents: list[str], draw: random.Random) -> None:
    """The order decides which copy stays, never which texts are left."""

    def texts(some: list[str]) -> list[str]:
        return sorted(" ".join(some[number].split()) for number in stays(some, exact_duplicates=True))

    shuffled = draw.sample(documents, len(documents))
    assert texts(documents) == texts(shuffled) == sorted({" ".join(one.split()) for one in documents})


def test_the_hash_seed_of_python_makes_no_difference() -> None:
    """Another process with another seed keeps the same documents."""
    pytest.importorskip("rensa")
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_plan as t; "
        "print(t.stays(t.some_documents(200), near_duplicates=0.8, exact_duplicates=True))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {f"{stays(some_documents(200), near_duplicates=0.8, exact_duplicates=True)}\n"}


def test_nothing_left_says_which_switch_took_how_many() -> None:
    """The message has the counts, the hint the switch that took most; no plan comes out."""
    with pytest.raises(CorpusError) as caught:
        plan(["a", "b", "abc", "!!!!"], min_characters=2, max_non_letter_share=0.5, max_characters=2)
    assert caught.value.message == (
        "cleaning leaves nothing of 4 documents: min_characters took 2, max_characters took 2"
    )
    assert caught.value.hint == "loosen or unset corpus.cleaning.min_characters"


def test_read_bytes_are_told_for_the_progress() -> None:
    """Each part is told once."""
    told: list[int] = []
    plan_cleaning(
        parts(["a", "b", "c"], 2),
        CleaningConfig(),
        read=read,
        executor=LocalExecutor(1),
        on_read=told.append,
    )
    assert told == [10, 10]


def test_what_stays_of_a_part_is_handed_on() -> None:
    """The second pass keeps what the first one chose, and notices when it reads something else."""
    keep = np.array([True, False, True])
    assert kept(["a", "b", "c"], keep) == ["a", "c"]
    with pytest.raises(CorpusError, match="changed while it was read"):
        kept(["a", "b"], keep)


def test_a_missing_library_stops_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a pass over the corpus to hear what is not installed."""
    monkeypatch.setitem(sys.modules, "rensa", None)

    unread = iter([SomeDocuments([["text"]])])
    with pytest.raises(ConfigError, match="rensa"):
        plan_cleaning(unread, CleaningConfig(near_duplicates=0.8), read=read, executor=LocalExecutor(1))
    assert len(list(unread)) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"near_duplicates": 0.0},
        {"near_duplicates": 1.1},
        {"min_characters": 5, "max_characters": 4},
        {"max_non_letter_share": 1.0},
        {"shingles": "letters"},
        {"permutations": 4},
        {"decontamination_words": 0},
        {"near_duplicate": 0.8},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    """A switch that could do nothing, everything, or something else than meant is an error."""
    with pytest.raises(ValidationError):
        CleaningConfig(**settings)


def from_files(corpus: Sequence[Path], *, characters: int = 1_000_000, **settings: Any) -> CleaningPlan:
    config = CorpusConfig()
    found = read_parts(find_files(corpus), config, characters=characters)
    return plan_cleaning(
        found, CleaningConfig(**settings), read=methodcaller("documents", config), executor=LocalExecutor(2)
    )


def test_the_order_in_which_files_are_named_makes_no_difference(tmp_path: Path) -> None:
    """Files are read in the order of their names: of duplicates the one in the first of them stays."""
    one, other = tmp_path / "a.txt", tmp_path / "b.jsonl"
    one.write_text("same text\n\nonly here\n")
    other.write_text('{"text": "same\\ntext"}\n{"text": "only there"}\n')
    for corpus in ([one, other], [other, one], [tmp_path]):
        for characters in (1, 1000):
            found = from_files(corpus, characters=characters, exact_duplicates=True)
            assert np.concatenate(found.keep).tolist() == [True, True, False, True]
            assert found.report.removed["exact_duplicates"].like == [0]


def test_repeated_film_reviews_are_found(real_data: Path, tmp_path: Path) -> None:
    """Of the reviews of Korean films, copies with some words lost go, and only they."""
    pytest.importorskip("rensa")
    packed = (real_data / "corpora/movie-reviews-ko/nsmc-raw-by-movie.txt.gz").read_bytes()
    films = gzip.decompress(packed).decode().split("\n\n")[:400]
    draw = random.Random(3)
    copies = [" ".join(word for word in film.split() if draw.random() > 0.005) for film in films[:100]]
    (tmp_path / "films.txt").write_text("\n\n".join([*films, *copies]))
    found = from_files([tmp_path], characters=50_000, near_duplicates=0.7)
    stays = np.concatenate(found.keep)
    assert len(found.keep) > 2
    assert stays[:400].all()
    assert stays[400:].sum() <= 2
