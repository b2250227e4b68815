"""Precision and recall of sentence boundaries against treebanks, and speed, for ours and other splitters.

Protocol:

* Text is rebuilt from UD English EWT and UD Korean Kaist: the ``# text`` of the sentences of a paragraph,
  with a space between two unless the last token says ``SpaceAfter=No``. EWT marks paragraphs
  (``# newpar``); Kaist marks only documents, by the part of ``sent_id`` before ``-s``, so there a paragraph
  is a whole document.
* A splitter sees one paragraph at a time. The end of a paragraph is given, so it counts neither as found nor
  as missed: only boundaries inside paragraphs are scored.
* A boundary is the number of characters before it that are no white space: a splitter may strip or keep it.
* Precision, recall and F1 are over all boundaries of a set together.
* "every stop" splits at white space after any stop and the closing signs behind it; "ceiling" is the share
  of true boundaries that have a stop before them: no rule about stops can have a higher recall.

The rules were written with EWT train and Kaist dev in view; the other three sets were only scored.
Other libraries take part where they are installed: pysbd, sentencex, blingfire, kiwipiepy. Speed is CPU time
on one core; the slow ones are left out of the run over books.

    python benchmarks/sentence_splitting.py
"""
# ruff: noqa: RUF001 (the look-alikes of quotation marks are meant)

import gzip
import importlib.util
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from pathlib import Path

from timing import DATA

from bertpipe.corpus.sentences import Splitter, splitter

SETS = {
    "EWT train": "UD_English-EWT/en_ewt-ud-train.conllu.gz",
    "EWT dev": "UD_English-EWT/en_ewt-ud-dev.conllu.gz",
    "EWT test": "UD_English-EWT/en_ewt-ud-test.conllu.gz",
    "Kaist dev": "UD_Korean-Kaist/ko_kaist-ud-dev.conllu.gz",
    "Kaist test": "UD_Korean-Kaist/ko_kaist-ud-test.conllu.gz",
}
BOOK_CHARACTERS = 20_000_000
SLOW = {"pysbd", "kiwipiepy"}

_STOP = r"[.?!…][\"'”’»›)\]}>*_]*"
_EVERY_STOP = re.compile(_STOP + r"\s")
_ENDS_WITH_STOP = re.compile(_STOP + r"\s*$")
_NUMBER_OF_SENTENCE = re.compile(r"-s?\d+$")


@dataclass(frozen=True)
class Score:
    """Boundaries inside paragraphs.

    Attributes:
        found: those of the splitter.
        true: those of the treebank.
        right: those of both.
        seconds: the splitter's CPU time.
    """

    found: int
    true: int
    right: int
    seconds: float

    @property
    def precision(self) -> float:
        """Share of the found boundaries that are right."""
        return self.right / max(self.found, 1)

    @property
    def recall(self) -> float:
        """Share of the true boundaries that were found."""
        return self.right / self.true

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / (self.found + self.true)


def read_treebank(path: Path) -> list[list[str]]:
    """Return the sentences of each paragraph of a CoNLL-U file, with the spaces between them."""
    blocks = gzip.decompress(path.read_bytes()).decode().split("\n\n")
    numbered = _numbered_sentences(block.split("\n") for block in blocks if block.strip())
    return [[text for _, text in group] for _, group in groupby(numbered, lambda pair: pair[0])]


def _numbered_sentences(blocks: Iterator[list[str]]) -> Iterator[tuple[int, str]]:
    """Yield the number of the paragraph and the text of each sentence."""
    paragraph, document = 0, ""
    for lines in blocks:
        comments = dict(line[2:].split(" = ", 1) for line in lines if line[:2] == "# " and " = " in line)
        source = _NUMBER_OF_SENTENCE.sub("", comments["sent_id"])
        if source != document or any(line.startswith(("# newpar", "# newdoc")) for line in lines):
            paragraph, document = paragraph + 1, source
        tokens = [line for line in lines if line and not line.startswith("#")]
        yield paragraph, comments["text"] + ("" if _is_joined(tokens) else " ")


def _is_joined(tokens: Sequence[str]) -> bool:
    """Whether no space follows the last token, which may be the end of one of several words ("3-4")."""
    last = tokens[-1].split("\t")[0]
    whole = [line for line in tokens if re.match(rf"\d+-{last}\t", line)]
    return any("SpaceAfter=No" in line for line in [tokens[-1], *whole])


def boundaries(sentences: Sequence[str]) -> set[int]:
    """Return where sentences end but for the last one, counted in characters that are no white space."""
    lengths = [len("".join(sentence.split())) for sentence in sentences]
    return set(accumulate(lengths)) - {0, sum(lengths)}


def score(split: Splitter, paragraphs: Sequence[Sequence[str]]) -> Score:
    """Return how well a splitter does on a treebank."""
    results, seconds = timed(split, ["".join(paragraph) for paragraph in paragraphs])
    pairs = [(boundaries(mine), boundaries(theirs)) for mine, theirs in zip(results, paragraphs, strict=True)]
    return Score(
        found=sum(len(mine) for mine, _ in pairs),
        true=sum(len(theirs) for _, theirs in pairs),
        right=sum(len(mine & theirs) for mine, theirs in pairs),
        seconds=seconds,
    )


def timed(split: Splitter, texts: Sequence[str]) -> tuple[list[list[str]], float]:
    """Return the sentences of each text and the CPU time that took."""
    start = time.process_time()
    results = [split(text) for text in texts]
    return results, time.process_time() - start


def ceiling(paragraphs: Sequence[Sequence[str]]) -> float:
    """Return the share of boundaries inside paragraphs that follow a stop."""
    inner = [sentence for paragraph in paragraphs for sentence in paragraph[:-1]]
    return sum(_ENDS_WITH_STOP.search(sentence) is not None for sentence in inner) / len(inner)


def read_books(characters: int) -> list[str]:
    """Return paragraphs of books, each on one line."""
    paragraphs: list[str] = []
    held = 0
    for path in sorted((DATA / "corpora" / "classic-books-en").glob("*.gz")):
        text = gzip.decompress(path.read_bytes()).decode()
        found = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text)]
        paragraphs += [paragraph for paragraph in found if paragraph]
        held += len(text)
        if held > characters:
            break
    return paragraphs


def splitters(language: str) -> dict[str, Splitter]:
    """Return the splitters that take part, by name."""
    makers: dict[str, Callable[[], Splitter]] = {
        # It knows no Korean; English is what is left.
        "pysbd": lambda: splitter("pysbd", language="en"),
        "sentencex": lambda: splitter("sentencex", language=language),
        "blingfire": _blingfire,
    }
    if language == "ko":
        makers["kiwipiepy"] = lambda: splitter("kiwipiepy", language="ko")
    found = {name: make() for name, make in makers.items() if importlib.util.find_spec(name) is not None}
    return {"every stop": _every_stop, "bertpipe": splitter("split"), **found}


def _every_stop(text: str) -> list[str]:
    cuts = [0, *(match.end() for match in _EVERY_STOP.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def _blingfire() -> Splitter:
    import blingfire  # type: ignore[import-not-found]

    return lambda text: blingfire.text_to_sentences(text).split("\n")


def print_quality() -> None:
    """Print precision and recall on each treebank."""
    print(f"{'set':<11} {'splitter':<11} {'precision':>9} {'recall':>8} {'F1':>8} {'MB/s':>7}")
    for name, file in SETS.items():
        paragraphs = read_treebank(DATA / "pos" / file)
        size = sum(len(sentence.encode()) for paragraph in paragraphs for sentence in paragraph)
        inner = sum(len(paragraph) - 1 for paragraph in paragraphs)
        share = ceiling(paragraphs)
        print(f"{name}: {inner:,} boundaries in {len(paragraphs):,} paragraphs, ceiling {share:.2%}")
        for who, split in splitters("ko" if "Kaist" in name else "en").items():
            result = score(split, paragraphs)
            shares = f"{result.precision:>9.2%} {result.recall:>8.2%} {result.f1:>8.2%}"
            print(f"{name:<11} {who:<11} {shares} {size / 1e6 / result.seconds:>7.2f}")


def print_speed() -> None:
    """Print how fast books are split, paragraph by paragraph and 100 paragraphs at a time."""
    paragraphs = read_books(BOOK_CHARACTERS)
    documents = ["\n".join(paragraphs[i : i + 100]) for i in range(0, len(paragraphs), 100)]
    size = sum(len(paragraph.encode()) for paragraph in paragraphs)
    chosen = {who: (split, paragraphs) for who, split in splitters("en").items() if who not in SLOW}
    chosen["bertpipe, 100 at a time"] = (splitter("split"), documents)
    print(f"books: {size / 1e6:.1f} MB in {len(paragraphs):,} paragraphs, best of 3")
    for who, (split, texts) in chosen.items():
        seconds = min(timed(split, texts)[1] for _ in range(3))
        print(f"books       {who:<25} {size / 1e6 / seconds:>7.1f} MB/s")


if __name__ == "__main__":
    print_quality()
    print_speed()
