"""Sentence splitters by name: by rules, at line ends, or by another library."""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, get_args

from bertpipe import extras
from bertpipe.corpus.sentences.rules import split_sentences
from bertpipe.errors import ConfigError

SplitterName = Literal["split", "lines", "pysbd", "sentencex", "kiwipiepy"]
Splitter = Callable[[str], list[str]]


@cache
def splitter(name: SplitterName, *, language: str = "en") -> Splitter:
    """Return a function from a text of one or more paragraphs, one a line, to its sentences.

    A sentence has no white space around it and does not go on over a line end.

    Args:
        name: ``split`` (our rules), ``lines`` (each line is a sentence), or a library.
        language: ISO 639-1 code, for libraries only; the rules are the same for all languages.

    Raises:
        ConfigError: there is no such splitter, its library is not installed or does not know the language.
    """
    if name == "split":
        return split_sentences
    if name == "lines":
        return split_lines
    if name not in _LIBRARIES:
        known = ", ".join(get_args(SplitterName))
        raise ConfigError(f"corpus.sentences: no splitter {name!r}", hint=f"one of {known}")
    extra, split_by = _LIBRARIES[name]
    split = split_by(extras.load(name, extra=extra, needed_by=f"corpus.sentences = {name}"), language)
    return lambda text: [
        sentence.strip()
        for line in split_lines(text)
        for sentence in split(line)
        if sentence and not sentence.isspace()
    ]


def split_lines(text: str) -> list[str]:
    """Return the lines that hold more than white space, without white space around them."""
    return [line.strip() for line in text.split("\n") if line and not line.isspace()]


def _pysbd(pysbd: Any, language: str) -> Splitter:
    try:
        # clean=False: otherwise it rewrites the text.
        return pysbd.Segmenter(language=language, clean=False).segment
    except ValueError:
        known = ", ".join(sorted(pysbd.languages.LANGUAGE_CODES))
        raise ConfigError(
            f"corpus.sentence_language: pysbd does not know {language!r}", hint=f"it knows {known}"
        ) from None


def _sentencex(sentencex: Any, language: str) -> Splitter:
    return lambda text: list(sentencex.segment(language, text))


def _kiwipiepy(kiwipiepy: Any, language: str) -> Splitter:
    if language != "ko":
        raise ConfigError(
            f"corpus.sentence_language: kiwipiepy knows Korean only, not {language!r}",
            hint="set corpus.sentence_language to ko",
        )
    kiwi = kiwipiepy.Kiwi(num_workers=1)  # we have processes of our own
    return lambda text: [sentence.text for sentence in kiwi.split_into_sents(text)]


# The extra with which each comes, and how to make a splitter of it.
_LIBRARIES: dict[str, tuple[str, Callable[[Any, str], Splitter]]] = {
    "pysbd": ("sentences", _pysbd),
    "sentencex": ("sentences", _sentencex),
    "kiwipiepy": ("sentences-ko", _kiwipiepy),
}
