"""What cleaning has to know of a part of the corpus: small arrays, made by whichever worker reads it."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bertpipe.corpus.cleaning.duplicates import Signatures, signatures_of
from bertpipe.corpus.cleaning.ngrams import Hashes, Ragged, ngrams_of, non_letter_shares, words_of
from bertpipe.corpus.cleaning.settings import SWITCHES, CleaningConfig

STAYS = 0

# What is not one space already: unlike ``split`` this makes no list of all words of a long text.
_WHITE_SPACE = re.compile(r"\s{2,}|[^\S ]")


class Part(Protocol):
    """A few whole documents, or what to read them from."""

    @property
    def read_bytes(self) -> int:
        """Stored bytes read for them."""


P = TypeVar("P", bound=Part)
Read = Callable[[P], list[list[str]]]


@dataclass(frozen=True)
class Figures:
    """What the decision needs of the documents of a part.

    Attributes:
        taken_by: the switch that takes a document by itself (``switch_number``), or ``STAYS``,
            uint8 ``[D]``.
        text_hashes: 128 bits of the text of each that stays so far, uint64 ``[S, 2]``; without
            exact duplicates, ``[S, 0]``.
        signatures: of each that stays so far, uint32 ``[S, permutations]``; without near
            duplicates, ``[S, 0]``.
        read_bytes: of the part.
    """

    taken_by: NDArray[np.uint8]
    text_hashes: NDArray[np.uint64]
    signatures: Signatures
    read_bytes: int


def switch_number(name: str) -> int:
    """Return the number by which ``taken_by`` names a switch."""
    return SWITCHES.index(name) + 1


def examine(part: P, *, read: Read[P], config: CleaningConfig, task_ngrams: Hashes) -> Figures:
    """Return the figures of a part's documents.

    Args:
        part: what to examine.
        read: gives the paragraphs of its documents.
        config: the switches.
        task_ngrams: the n-grams of task files, each once, in order, uint64.
    """
    texts = [_WHITE_SPACE.sub(" ", " ".join(paragraphs)).strip() for paragraphs in read(part)]
    taken_by = _taken_alone(texts, config, task_ngrams)
    staying = [text for text, taken in zip(texts, taken_by.tolist(), strict=True) if taken == STAYS]
    return Figures(taken_by, _text_hashes(staying, config), _signatures(staying, config), part.read_bytes)


def _taken_alone(texts: Sequence[str], config: CleaningConfig, task_ngrams: Hashes) -> NDArray[np.uint8]:
    """Return which switch takes each document, whatever the others are."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    takes: dict[str, NDArray[np.bool_]] = {}
    if config.min_characters is not None:
        takes["min_characters"] = lengths < config.min_characters
    if config.max_characters is not None:
        takes["max_characters"] = lengths > config.max_characters
    if config.max_non_letter_share is not None:
        takes["max_non_letter_share"] = non_letter_shares(texts) > config.max_non_letter_share
    if config.decontaminate:
        takes["decontaminate"] = _holds_any(
            ngrams_of(words_of(texts, "words"), config.decontamination_words, short_as_one=False), task_ngrams
        )
    taken_by = np.full(len(texts), STAYS, dtype=np.uint8)
    for name, takes_document in takes.items():  # in the order of SWITCHES: the first one counts
        taken_by[takes_document & (taken_by == STAYS)] = switch_number(name)
    return taken_by


def _holds_any(ngrams: Ragged, wanted: Hashes) -> NDArray[np.bool_]:
    """Return which texts hold one of the n-grams."""
    places = np.minimum(np.searchsorted(wanted, ngrams.values), len(wanted) - 1)
    found = np.flatnonzero(wanted[places] == ngrams.values)
    holds = np.zeros(len(ngrams.counts), dtype=bool)
    holds[np.searchsorted(ngrams.offsets, found, side="right") - 1] = True
    return holds


def _text_hashes(texts: Sequence[str], config: CleaningConfig) -> NDArray[np.uint64]:
    if not config.exact_duplicates:
        return np.zeros((len(texts), 0), dtype=np.uint64)
    digests = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype="<u8").reshape(-1, 2)


def _signatures(texts: Sequence[str], config: CleaningConfig) -> Signatures:
    if config.near_duplicates is None:
        return np.zeros((len(texts), 0), dtype=np.uint32)
    # A text with fewer words than a shingle is one shingle: it can still be like another.
    shingles = ngrams_of(words_of(texts, config.shingles), config.shingle_size, short_as_one=True)
    return signatures_of(shingles, permutations=config.permutations)
