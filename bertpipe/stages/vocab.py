"""vocab: text to a subword vocabulary (Devlin et al. 2019, section 3: WordPiece, 30,000 tokens)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from bertpipe.artifacts import check_replaceable, write_json, written_whole
from bertpipe.configs import RuntimeConfig, Settings
from bertpipe.corpus import (
    CorpusConfig,
    CorpusFile,
    corpus_inputs,
    empty_corpus,
    find_files,
    local_roots,
)
from bertpipe.errors import CorpusError
from bertpipe.executors import open_executor
from bertpipe.progress import Progress, Silent
from bertpipe.vocab import (
    ALGORITHMS,
    SPECIAL_TOKENS,
    Fit,
    NormalizationConfig,
    PieceCounts,
    Tokenizer,
    Vocabulary,
    count_words,
    measure_fit,
)
from bertpipe.vocab.counting import CountedText, SamplingConfig, TextCounter

CODE = (
    "artifacts",
    "compression.py",
    "configs.py",
    "corpus",
    "errors.py",
    "executors",
    "extras.py",
    "progress.py",
    "randomness.py",
    "stages/vocab.py",
    "vocab",
)

_EXAMPLES = 20


class VocabConfig(NormalizationConfig, SamplingConfig):
    """The section ``vocab``."""

    size: int = Field(
        30522, gt=len(SPECIAL_TOKENS), le=1_000_000, description="Tokens, special tokens included."
    )
    algorithm: Literal["wordpiece", "bpe", "unigram"] = Field(
        "wordpiece",
        description="How words are cut into pieces; bpe works on bytes, as GPT-2 does; unigram needs the "
        "extra of that name.",
    )
    min_frequency: int = Field(2, ge=1, description="How often a pair must occur to become a token.")
    limit_alphabet: int | None = Field(
        1000,
        ge=1,
        description="How many different characters to keep at most, the most frequent; unset: all. "
        "Chinese, Japanese and Korean need several thousand; bpe knows every character.",
    )
    alphabet_coverage: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of all characters after which no rarer ones are kept, such as 0.9995.",
    )
    pad_to_multiple_of: int | None = Field(
        None, ge=1, description="Add tokens [unused0] and so on up to a multiple, such as 8; unset: none."
    )


class VocabSettings(Settings):
    """The sections that the stage reads."""

    vocab: VocabConfig
    corpus: CorpusConfig
    runtime: RuntimeConfig


@dataclass(frozen=True)
class VocabSummary:
    """The vocabulary, and how it fits text.

    Attributes:
        documents: number of documents that it was trained on.
        characters: number of characters in them, before normalisation.
        sample_share: share of the corpus's characters that was looked at; 1: all.
        distinct_words: number of different words after normalisation.
        alphabet_kept: number of different characters that the vocabulary knows.
        alphabet_dropped: number of the others; a word with one of them is unknown.
        dropped_share: share of these among all characters of words.
        dropped_examples: some of those, the most frequent first.
        vocab_size: number of tokens; below ``vocab.size`` where no pair was left to merge.
        unused_tokens: those of them that only fill up to a multiple.
        measured_documents: number of documents held out, on which all that follows was measured;
            0: it was measured on the text of the training.
        fertility: tokens for each run of characters between spaces.
        unknown_rate: share of ``[UNK]`` among the tokens.
        unknown_characters: number of different characters that the vocabulary does not know.
        longest_pieces: the longest tokens that occur.
    """

    documents: int
    characters: int
    sample_share: float
    distinct_words: int
    alphabet_kept: int
    alphabet_dropped: int
    dropped_share: float
    dropped_examples: list[str]
    vocab_size: int
    unused_tokens: int
    measured_documents: int
    fertility: float
    unknown_rate: float
    unknown_characters: int
    longest_pieces: list[str]


def run(
    settings: VocabSettings, *, corpus: Sequence[str | Path], out: Path, progress: Progress | None = None
) -> VocabSummary:
    """Train a subword vocabulary on ``corpus`` and write a tokenizer folder to ``out``.

    Memory grows with the different words of the sample and the longest document, not with the
    size of the corpus.

    Args:
        settings: the sections.
        corpus: files, folders and what else ``find_files`` knows.
        out: the tokenizer folder to write.
        progress: where to report to.

    Raises:
        CorpusError: the text cannot be read, or holds no word.
        ConfigError: the size is too small for the alphabet, or the sample for a document.
        ArtifactError: ``out`` exists and is not ours.
    """
    progress = progress or Silent()
    config = settings.vocab
    check_replaceable(out, stage="vocab", inputs=local_roots(corpus))
    files = find_files(corpus)
    text = _count(files, settings, progress)
    if config.max_words is not None and len(text.pieces) > config.max_words:
        progress.note(
            f"of {len(text.pieces)} different runs between spaces the vocabulary is trained on the most "
            f"frequent, vocab.max_words = {config.max_words}"
        )
    words, runs = _words(text.pieces, config)
    if not words:
        raise CorpusError("the corpus holds no word, only white space and control characters")
    vocabulary = _train(words, config, progress)
    tokenizer = Tokenizer.of(vocabulary, ALGORITHMS[config.algorithm], config)
    held_out, held_out_runs = _words(text.held_out, config)
    fit = measure_fit(
        held_out or words,
        runs=held_out_runs if held_out else runs,
        tokenizer=tokenizer,
        alphabet=vocabulary.alphabet,
    )
    summary = _summary(text, words, vocabulary, fit, measured=text.held_out_documents if held_out else 0)
    recorded = {"vocab": config.model_dump(), "corpus": settings.corpus.recorded()}
    inputs = corpus_inputs(files, settings.corpus)
    with written_whole(out, stage="vocab", settings=recorded, inputs=inputs) as output:
        tokenizer.save(output.folder)
        figures = asdict(summary) | ({"cleaning": text.cleaning} if text.cleaning else {})
        write_json(output.folder / "statistics.json", figures)
        output.counts["tokens"] = summary.vocab_size
    return summary


def _count(files: Sequence[CorpusFile], settings: VocabSettings, progress: Progress) -> CountedText:
    reads = [file.path for file in files if isinstance(file.path, Path)]
    with open_executor(settings.runtime, reads=reads) as executor:
        text = TextCounter(files, settings.corpus, settings.vocab, executor, progress).count()
    if not text.documents:
        raise _nothing_left(files, text)
    return text


def _nothing_left(files: Sequence[CorpusFile], text: CountedText) -> CorpusError:
    if not text.held_out_documents:
        return empty_corpus(files)
    return CorpusError(
        f"all {text.held_out_documents} documents are held out", hint="set vocab.held_out_share lower"
    )


def _words(pieces: PieceCounts, config: VocabConfig) -> tuple[Counter[str], int]:
    """Return the counted words, and the number of pieces that they come from."""
    counts = pieces.by_piece(limit=config.max_words)
    return count_words(counts, ALGORITHMS[config.algorithm], config), sum(counts.values())


def _train(words: Counter[str], config: VocabConfig, progress: Progress) -> Vocabulary:
    with progress.phase("merge", total=config.size, unit="tokens") as phase:
        vocabulary = ALGORITHMS[config.algorithm].train(
            words,
            size=config.size,
            min_frequency=config.min_frequency,
            limit_alphabet=config.limit_alphabet,
            alphabet_coverage=config.alphabet_coverage,
            on_tokens=phase.advance,
        )
    if len(vocabulary.tokens) < config.size:
        progress.note(
            f"the vocabulary has {len(vocabulary.tokens)} tokens, not {config.size}: no pair of pieces "
            f"is left that occurs {config.min_frequency} times"
        )
    if vocabulary.dropped:
        progress.note(_dropped(words, vocabulary))
    padded = vocabulary.padded(config.pad_to_multiple_of)
    if padded.unused:
        progress.note(
            f"{padded.unused} unused tokens make it {len(padded.tokens)}, "
            f"a multiple of {config.pad_to_multiple_of}"
        )
    return padded


def _dropped(words: Counter[str], vocabulary: Vocabulary) -> str:
    examples = " ".join(list(vocabulary.dropped)[:_EXAMPLES])
    return (
        f"{len(vocabulary.dropped)} rare characters, {_dropped_share(words, vocabulary):.4%} of the text, "
        f"are not in the alphabet of {len(vocabulary.alphabet)}; words with them are unknown: {examples}"
    )


def _dropped_share(words: Counter[str], vocabulary: Vocabulary) -> float:
    characters = sum(len(word) * count for word, count in words.items())
    return round(sum(vocabulary.dropped.values()) / characters, 9)


def _summary(
    text: CountedText, words: Counter[str], vocabulary: Vocabulary, fit: Fit, *, measured: int
) -> VocabSummary:
    return VocabSummary(
        documents=text.documents,
        characters=text.characters,
        sample_share=round(text.sample_share, 6),
        distinct_words=len(words),
        alphabet_kept=len(vocabulary.alphabet),
        alphabet_dropped=len(vocabulary.dropped),
        dropped_share=_dropped_share(words, vocabulary),
        dropped_examples=list(vocabulary.dropped)[:_EXAMPLES],
        vocab_size=len(vocabulary.tokens),
        unused_tokens=vocabulary.unused,
        measured_documents=measured,
        **asdict(fit),
    )
