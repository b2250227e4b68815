"""Words as pieces, and sentences that are too long for a model as windows that overlap.

A word is known by one of its pieces: the first, or, where several words share a text without spaces
(characters), the one that its first character is in. A long sentence is cut into windows of pieces, each
with half of the one before; a word counts in the window that shows most of what stands around it, and in
no other (Devlin et al. 2019 do the same with long paragraphs in SQuAD).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertpipe.tasks.formats import Sentence
from bertpipe.tasks.inputs import Ids, Inputs, Numbers
from bertpipe.vocab import Tokenizer

# The ids of a text's pieces, and where each of its words' pieces stands among them.
_Pieces = tuple[list[int], list[int]]


@dataclass(frozen=True, kw_only=True)
class WordInputs(Inputs):
    """Windows over sentences, and where their W words are to be found.

    Attributes:
        word_sequences: the window that each word counts in, over all sentences, int64 ``[W]``.
        word_places: the place of its piece there, int64 ``[W]``.
        opens_piece: false where a word shares its piece with the word before, bool ``[W]``.
    """

    word_sequences: Numbers
    word_places: Numbers
    opens_piece: NDArray[np.bool_]

    @property
    def word_tokens(self) -> Numbers:
        """Return where each word's piece stands when all windows stand one after another, int64 ``[W]``."""
        starts = np.cumsum(self.lengths) - self.lengths
        tokens: Numbers = starts[self.word_sequences] + self.word_places
        return tokens


def encode_words(sentences: Sequence[Sentence], tokenizer: Tokenizer, *, max_seq_length: int) -> WordInputs:
    """Encode each word by itself, as Hugging Face's tokenizers do with words that are split already.

    A word of which normalization leaves nothing is ``[UNK]``, so that every word can be tagged.

    Args:
        sentences: at least one.
        tokenizer: of the model.
        max_seq_length: tokens of the longest window, with ``[CLS]`` and ``[SEP]``.
    """
    encoded = _encoded_texts(sentences, tokenizer)
    input_ids: list[Ids] = []
    numbers: list[int] = []
    word_sequences, word_places = [], []
    for number, sentence in enumerate(sentences):
        ids, places = _joined([encoded[tuple(text)] for text in sentence.texts])
        starts, ends = windows(len(ids), room=max_seq_length - 2)
        best = _with_most_context(places, starts, ends)
        used, window_of_word = np.unique(best, return_inverse=True)  # a window may have no first piece
        word_sequences.append(len(input_ids) + window_of_word)
        word_places.append(places - starts[best] + 1)
        for window in used:
            inside = ids[starts[window] : ends[window]]
            input_ids.append(np.concatenate([[tokenizer.cls_id], inside, [tokenizer.sep_id]]))
            numbers.append(number)
    joined_sequences, joined_places = np.concatenate(word_sequences), np.concatenate(word_places)
    is_new = np.diff(joined_sequences, prepend=-1) != 0
    return WordInputs(
        input_ids=input_ids,
        first_segment_lengths=np.fromiter(map(len, input_ids), dtype=np.int64, count=len(input_ids)),
        example_numbers=np.array(numbers, dtype=np.int64),
        word_sequences=joined_sequences,
        word_places=joined_places,
        opens_piece=is_new | (np.diff(joined_places, prepend=-1) != 0),
    )


def windows(pieces: int, *, room: int) -> tuple[Numbers, Numbers]:
    """Return where windows of ``room`` pieces start and end; each has half of the one before."""
    step = room - room // 2
    count = 1 + max(0, -(-(pieces - room) // step))
    starts = np.arange(count) * step
    return starts, np.minimum(starts + room, pieces)


def _with_most_context(places: Numbers, starts: Numbers, ends: Numbers) -> Numbers:
    """Return the window in which the nearer end is farthest, for each piece, int64 ``[W]``."""
    before = places[:, None] - starts
    behind = ends - 1 - places[:, None]
    best: Numbers = np.minimum(before, behind).argmax(axis=1)
    return best


def _encoded_texts(sentences: Sequence[Sentence], tokenizer: Tokenizer) -> dict[tuple[str, ...], _Pieces]:
    """Encode each text once: most words come again and again."""
    texts = list(dict.fromkeys(tuple(text) for sentence in sentences for text in sentence.texts))
    located = tokenizer.locate(["".join(words) for words in texts])
    cuts = np.cumsum(located.lengths)[:-1]
    ids = [part.tolist() for part in np.split(located.ids, cuts)]
    ends = [part.tolist() for part in np.split(located.offsets[:, 1], cuts)]
    return {
        words: (ids[n], _places(words, ends[n])) if ids[n] else ([tokenizer.unk_id], [0] * len(words))
        for n, words in enumerate(texts)
    }


def _places(words: Sequence[str], ends: Sequence[int]) -> list[int]:
    """Return the piece that each word starts in, or the one before where normalization has left nothing."""
    places, place, start = [], 0, 0
    for word in words:
        while place < len(ends) - 1 and ends[place] <= start:
            place += 1
        places.append(place)
        start += len(word)
    return places


def _joined(texts: Sequence[_Pieces]) -> tuple[Ids, Numbers]:
    ids: list[int] = []
    places: list[int] = []
    for text_ids, text_places in texts:
        places += [len(ids) + place for place in text_places]
        ids += text_ids
    return np.array(ids, dtype=np.int64), np.array(places, dtype=np.int64)
