"""vocab: text to a subword vocabulary (Devlin et al. 2019, section 3: WordPiece, 30,000 tokens)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from bertpipe.artifacts import check_replaceable, write_json, written_whole
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.corpus import (
    Chunk,
    CorpusConfig,
    CorpusFile,
    corpus_hash,
    find_files,
    read_chunks,
    split_document,
)
from bertpipe.errors import CorpusError
from bertpipe.executors import map_ordered, worker_count
from bertpipe.progress import Progress, Silent
from bertpipe.vocab import (
    SPECIAL_TOKENS,
    Tokenizer,
    WordPieceVocabulary,
    count_pieces,
    count_words,
    train_wordpiece,
)

CODE = (
    "artifacts",
    "configs.py",
    "corpus",
    "errors.py",
    "executors.py",
    "progress.py",
    "stages/vocab.py",
    "vocab",
)

_CHUNK_CHARACTERS = 2_000_000
_EXAMPLES = 20


class VocabConfig(Settings):
    """The section ``vocab``."""

    size: int = Field(
        30522, gt=len(SPECIAL_TOKENS), le=1_000_000, description="Tokens, special tokens included."
    )
    algorithm: Literal["wordpiece"] = Field("wordpiece", description="How words are cut into pieces.")
    lowercase: bool = Field(
        True, description="Lower the case and strip accents, as BERT's uncased models do."
    )
    min_frequency: int = Field(2, ge=1, description="How often a pair must occur to become a token.")
    limit_alphabet: int | None = Field(
        1000, ge=1, description="How many different characters to keep, the most frequent; unset: all."
    )


class VocabSettings(Settings):
    """The sections that the stage reads."""

    vocab: VocabConfig
    corpus: CorpusConfig
    runtime: RuntimeConfig


@dataclass(frozen=True)
class VocabSummary:
    """The vocabulary, and how it fits the text it was trained on.

    Attributes:
        documents: number of documents.
        sentences: number of sentences.
        characters: number of characters in them, before normalisation.
        distinct_words: number of different words after normalisation.
        alphabet_kept: number of different characters that the vocabulary knows.
        alphabet_dropped: number of the others; a word with one of them is unknown.
        dropped_examples: some of those, the most frequent first.
        vocab_size: number of tokens; below ``vocab.size`` where no pair was left to merge.
        fertility: tokens for each run of characters between spaces.
        unknown_rate: share of ``[UNK]`` among the tokens.
        longest_pieces: the longest tokens.
    """

    documents: int
    sentences: int
    characters: int
    distinct_words: int
    alphabet_kept: int
    alphabet_dropped: int
    dropped_examples: list[str]
    vocab_size: int
    fertility: float
    unknown_rate: float
    longest_pieces: list[str]


def run(
    settings: VocabSettings, *, corpus: Sequence[Path], out: Path, progress: Progress | None = None
) -> VocabSummary:
    """Train a subword vocabulary on ``corpus`` and write a tokenizer folder to ``out``.

    Memory grows with the different words of the corpus and its longest document, not with its size.

    Args:
        settings: the sections.
        corpus: text files and folders.
        out: the tokenizer folder to write.
        progress: where to report to.

    Raises:
        CorpusError: the text cannot be read, or holds no word.
        ConfigError: the size is too small for the alphabet.
        ArtifactError: ``out`` exists and is not ours.
    """
    progress = progress or Silent()
    config = settings.vocab
    check_replaceable(out, stage="vocab", inputs=corpus)
    files = find_files(corpus)
    text = _count(files, settings, progress)
    words = count_words(text.pieces, lowercase=config.lowercase)
    if not words:
        raise CorpusError("the corpus holds no word, only white space and control characters")
    vocabulary = _train(words, config, progress)
    tokenizer = Tokenizer.build(vocabulary.tokens, lowercase=config.lowercase)
    summary = _summary(text, words, vocabulary, tokenizer)
    recorded = settings.model_dump(include={"vocab", "corpus"})
    with written_whole(
        out, stage="vocab", settings=recorded, inputs={"corpus": corpus_hash(files)}
    ) as output:
        tokenizer.save(output.folder)
        write_json(output.folder / "statistics.json", asdict(summary))
        output.counts["tokens"] = summary.vocab_size
    return summary


@dataclass
class _Text:
    """What was counted in a part of the corpus, or in all of it."""

    documents: int
    sentences: int
    characters: int
    pieces: Counter[str]

    def add(self, other: "_Text") -> None:
        self.documents += other.documents
        self.sentences += other.sentences
        self.characters += other.characters
        self.pieces.update(other.pieces)


def _count(files: Sequence[CorpusFile], settings: VocabSettings, progress: Progress) -> _Text:
    """Count pieces in all files, chunk by chunk in as many processes as there are workers."""
    whole = _Text(0, 0, 0, Counter())
    size_bytes = sum(file.path.stat().st_size for file in files)
    chunks = read_chunks(files, settings.corpus, characters=_CHUNK_CHARACTERS)
    count = partial(_count_chunk, config=settings.corpus)
    with progress.phase("count words", total=size_bytes, unit="bytes") as phase:
        for read_bytes, part in map_ordered(count, chunks, workers=worker_count(settings.runtime.workers)):
            whole.add(part)
            phase.advance(read_bytes)
    return whole


def _count_chunk(chunk: Chunk, *, config: CorpusConfig) -> tuple[int, _Text]:
    documents = [split_document(paragraphs, config) for paragraphs in chunk.documents]
    text = _Text(
        documents=len(documents),
        sentences=sum(map(len, documents)),
        characters=sum(len(sentence) for document in documents for sentence in document),
        pieces=count_pieces("\n".join(document) for document in documents),
    )
    return chunk.read_bytes, text


def _train(words: Counter[str], config: VocabConfig, progress: Progress) -> WordPieceVocabulary:
    with progress.phase("merge", total=config.size, unit="tokens") as phase:
        vocabulary = train_wordpiece(
            words,
            size=config.size,
            min_frequency=config.min_frequency,
            limit_alphabet=config.limit_alphabet,
            on_tokens=phase.advance,
        )
    if len(vocabulary.tokens) < config.size:
        progress.note(
            f"the vocabulary has {len(vocabulary.tokens)} tokens, not {config.size}: no pair of pieces "
            f"is left that occurs {config.min_frequency} times"
        )
    return vocabulary


def _summary(
    text: _Text, words: Counter[str], vocabulary: WordPieceVocabulary, tokenizer: Tokenizer
) -> VocabSummary:
    tokens = unknown = 0
    for word, count in words.items():
        ids = tokenizer.ids_of_word(word)
        tokens += count * len(ids)
        unknown += count * ids.count(tokenizer.unk_id)
    own = vocabulary.tokens[len(SPECIAL_TOKENS) :]
    return VocabSummary(
        documents=text.documents,
        sentences=text.sentences,
        characters=text.characters,
        distinct_words=len(words),
        alphabet_kept=len(vocabulary.alphabet),
        alphabet_dropped=len(vocabulary.dropped),
        dropped_examples=vocabulary.dropped[:_EXAMPLES],
        vocab_size=len(vocabulary.tokens),
        fertility=round(tokens / text.pieces.total(), 6),
        unknown_rate=round(unknown / tokens, 6),
        longest_pieces=sorted(own, key=lambda token: (-len(token), token))[:_EXAMPLES],
    )
