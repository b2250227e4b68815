"""How often each word occurs, counted fast and exactly.

White space in its narrowest sense (space, newline) always ends a word for BERT's normalizer and
pre-tokenizer, and neither looks across it. So text is cut there first, and only the different
pieces go through them.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from bertpipe.vocab.normalization import normalizer, pre_tokenizer

# Of printable ASCII, letters and digits make words and each other sign is one.
_PRINTABLE_ASCII = re.compile(r"[!-~]+")
_ASCII_WORD = re.compile(r"[0-9A-Za-z]+|[!-~]")


def count_pieces(texts: Iterable[str]) -> Counter[str]:
    """Return how often each run of characters between spaces and newlines occurs."""
    pieces: Counter[str] = Counter()
    for text in texts:
        pieces.update(text.replace("\n", " ").split(" "))
    del pieces[""]
    return pieces


def count_words(pieces: Mapping[str, int], *, lowercase: bool) -> Counter[str]:
    """Return how often each word occurs once text is normalised and cut at punctuation.

    Args:
        pieces: from ``count_pieces``.
        lowercase: see ``normalization.normalizer``.
    """
    words_of = _splitter(lowercase=lowercase)
    words: Counter[str] = Counter()
    for piece, count in pieces.items():
        for word in words_of(piece):
            words[word] += count
    return words


def _splitter(*, lowercase: bool) -> Callable[[str], list[str]]:
    """Return the function that gives the words of one piece."""
    normalize = normalizer(lowercase=lowercase).normalize_str
    pre_tokenize = pre_tokenizer().pre_tokenize_str

    def words_of(piece: str) -> list[str]:
        if _PRINTABLE_ASCII.fullmatch(piece):
            return _ASCII_WORD.findall(piece.lower() if lowercase else piece)
        return [word for word, _ in pre_tokenize(normalize(piece))]

    return words_of
