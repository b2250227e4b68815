"""Tagging: labels, targets, loss, predictions, scores."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertForTokenClassification

from bertpipe.checkpoints.names import from_stored, name_table
from bertpipe.errors import TaskDataError
from bertpipe.model import ModelShape, TokenModel
from bertpipe.tasks import Finetuning, TaskData
from bertpipe.tasks.formats import Sentence
from bertpipe.tasks.kinds import Tagging, TaggingDescription
from bertpipe.tasks.words import WordInputs
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

torch.set_num_threads(1)

ENTITIES = TaggingDescription(kind="tagging")
TOKENIZER = Tokenizer.build(
    [*SPECIAL_TOKENS, *"abcdefgh", *(f"##{letter}" for letter in "abcdefgh")], lowercase=True
)


def sentences_of(*rows: tuple[str, str], glued: bool = False) -> list[Sentence]:
    """Return sentences of words and tags that are written with spaces between them."""
    return [
        Sentence(
            str(n),
            w,
            tuple(tags.split()),
            f"train.conll:{n + 1}",
            (False, *[True] * (len(w) - 1)) if glued else (),
        )
        for n, (words, tags) in enumerate(rows)
        for w in [tuple(words.split())]
    ]


TRAIN = sentences_of(("a b c", "B-PER I-PER O"), ("d", "B-LOC"), ("a d", "B-PER O"))


def tagger() -> Tagging:
    return Tagging.learn("names", ENTITIES, TRAIN)


def outputs_of(inputs: WordInputs, numbers: list[int], classes: int) -> list[np.ndarray[Any, Any]]:
    """Return outputs in which each word has the tag with its number, and every other token the first."""
    scores = np.zeros((int(inputs.lengths.sum()), classes), np.float32)
    for token, number in zip(inputs.word_tokens, numbers, strict=True):
        scores[token] = 0
        scores[token, number] = 5
    return np.split(scores, np.cumsum(inputs.lengths)[:-1])


def test_labels_are_those_of_the_scheme_in_sorted_order() -> None:
    """What goes on for a type that was seen is known, even if no place of two words was."""
    task = tagger()
    assert task.labels == ("B-LOC", "B-PER", "I-LOC", "I-PER", "O") and task.scheme == "iob2"
    assert task.head.outputs == 5 and task.facts == {"tagging_scheme": "iob2"}
    assert Tagging.learn("pos", ENTITIES, sentences_of(("a b", "NN DT"))).labels == ("DT", "NN")
    bioes = Tagging.learn("x", ENTITIES, sentences_of(("a b", "S-X O")))
    assert bioes.labels == ("B-X", "E-X", "I-X", "O", "S-X")


def test_a_model_tells_its_scheme() -> None:
    """The config of ours says it, the labels of another's do; the description goes before."""
    labels = ("B-X", "I-X", "O")

    def restored(description: TaggingDescription = ENTITIES, **config: Any) -> str:
        return Tagging.restore("x", description, labels=labels, config=config).scheme

    assert restored(tagging_scheme="iob1") == "iob1" and restored() == "iob2"
    assert restored(TaggingDescription(kind="tagging", scheme="none"), tagging_scheme="iob1") == "none"


def test_what_cannot_be_learned_is_told() -> None:
    """One tag for everything, none at all, a scheme or a score that the tags do not fit."""
    with pytest.raises(TaskDataError, match="all words of the 2 training examples of x have the tag 'O'"):
        Tagging.learn("x", ENTITIES, sentences_of(("a b", "O O"), ("c", "O")))
    with pytest.raises(TaskDataError, match=r"train\.conll:1: no tags"):
        Tagging.learn("x", ENTITIES, [Sentence("0", ("a",), None, "train.conll:1")])
    with pytest.raises(TaskDataError, match="the tag 'NN' of x does not belong to the scheme iob2"):
        Tagging.learn("x", TaggingDescription(kind="tagging", scheme="iob2"), sentences_of(("a b", "NN O")))
    scored = TaggingDescription(kind="tagging", metrics=("entity_f1",))
    with pytest.raises(TaskDataError, match="tags of x name no entities, so there is no score entity_f1"):
        Tagging.learn("x", scored, sentences_of(("a b", "NN DT")))


def test_a_tag_that_cannot_be_scored_is_told() -> None:
    """One that train lacks, by its name, word and place; and a split without any."""
    with pytest.raises(
        TaskDataError, match=r"train\.conll:1: unknown tag 'B-ORG' of 'b', the model knows B-LOC"
    ):
        tagger().check(sentences_of(("a b", "O B-ORG")))
    with pytest.raises(TaskDataError, match=r"dev\.conll:4: no tags") as caught:
        tagger().check([Sentence("0", ("a",), None, "dev.conll:4")])
    assert caught.value.hint == "this split cannot be trained on or scored without tags"


def test_the_first_piece_has_the_label() -> None:
    """The other pieces, [CLS] and [SEP] have -100; they do not count."""
    task = tagger()
    examples = sentences_of(("abc d", "B-PER O"))
    inputs = task.encode(examples, TOKENIZER, max_seq_length=16)
    (targets,) = task.targets(examples, inputs)
    assert targets.tolist() == [-100, 1, -100, -100, 4, -100] and task.counted(targets) == 2


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=15), max_seq_length=st.integers(8, 20))
def test_each_word_counts_once_however_long_the_sentence(lengths: list[int], max_seq_length: int) -> None:
    """Windows overlap, labels do not: as many targets as words, in their order, and none without."""
    task = tagger()
    words = " ".join("abcdefghh"[:n] for n in lengths)
    tags = [("B-PER", "I-PER", "O")[n % 3] for n in lengths]
    examples = sentences_of((words, " ".join(tags)))
    inputs = task.encode(examples, TOKENIZER, max_seq_length=max_seq_length)
    targets = task.targets(examples, inputs)
    flat = np.concatenate(targets)
    assert [task.labels[n] for n in flat[flat >= 0]] == tags
    assert all(task.counted(some) for some in targets)
    numbers = [task.labels.index(tag) for tag in tags]
    (prediction,) = task.predictions(examples, inputs, outputs_of(inputs, numbers, 5))
    assert prediction["prediction"] == tags


def test_characters_take_the_tag_of_their_piece() -> None:
    """It is learned from the first of them; what begins with the first goes on with the others."""
    tokenizer = Tokenizer.build([*SPECIAL_TOKENS, "ab", "##cd", "e"], lowercase=False)
    task = tagger()
    examples = sentences_of(("a b c d", "B-PER I-PER I-PER O"), ("e", "O"), glued=True)
    inputs = task.encode(examples, tokenizer, max_seq_length=16)
    targets = task.targets(examples, inputs)
    assert [some.tolist() for some in targets] == [[-100, 1, 3, -100], [-100, 4, -100]]
    found = task.predictions(examples, inputs, outputs_of(inputs, [1, 1, 0, 0, 4], 5))
    assert [p["prediction"] for p in found] == [["B-PER", "I-PER", "B-LOC", "I-LOC"], ["O"]]
    assert found[1]["tag_probabilities"] == [pytest.approx(np.exp(5) / (np.exp(5) + 4), abs=1e-6)]


def test_loss_and_logits_are_those_of_transformers() -> None:
    """A batch of unlike lengths: their mean times the words is our sum, the logits agree to 1e-5."""
    task = tagger()
    examples = sentences_of(("abc d a", "B-PER O O"), ("d", "B-LOC"), ("a b c d e f g", "O O O O O O B-PER"))
    inputs = task.encode(examples, TOKENIZER, max_seq_length=16)
    targets = task.targets(examples, inputs)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=21,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        num_labels=5,
    )
    theirs = BertForTokenClassification(config).eval()
    shape = ModelShape(
        vocab_size=21, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
    )
    ours = task.head.build(shape).eval()
    assert isinstance(ours, TokenModel)
    table = name_table(task.head.architecture, num_hidden_layers=2)
    ours.load_state_dict(from_stored(theirs.state_dict(), table))
    ids, mask, labels = (
        torch.nn.utils.rnn.pad_sequence([torch.as_tensor(row) for row in rows], True, padding)
        for rows, padding in (
            (inputs.input_ids, 0),
            ([np.ones_like(row) for row in inputs.input_ids], 0),
            (targets, -100),
        )
    )
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask, labels=labels)
    data = TaskData(inputs, targets)
    problem = Finetuning(task, ours, data, data, batch_size=3, seed=0)
    (batch,) = problem.validation_batches()
    order = np.argsort(inputs.lengths, kind="stable")
    with torch.no_grad():
        logits, term = ours(batch.tokens), problem.terms(batch)["task"]
    assert torch.allclose(logits, expected.logits[order][mask[order].bool()], rtol=0, atol=1e-5)
    assert batch.counts == {"task": 11}
    assert float(term.loss) == pytest.approx(11 * float(expected.loss), rel=1e-5)
    assert term.correct is not None
    assert int(term.correct) == int((expected.logits.argmax(-1) == labels).sum())


def test_scores_by_hand() -> None:
    """One of two entities found and one too many; five of six words are right, four are O."""
    gold = sentences_of(("a b c", "B-PER I-PER O"), ("a b c", "B-LOC O O"))
    task = tagger()
    predictions = [{"prediction": ["B-PER", "I-PER", "O"]}, {"prediction": ["B-PER", "O", "O"]}]
    judgement = task.judge(gold, predictions, split="dev")
    assert judgement.report.scores == pytest.approx(
        {"entity_f1": 0.5, "entity_precision": 0.5, "entity_recall": 0.5, "accuracy": 5 / 6}
    )
    assert judgement.report.primary == "entity_f1" and judgement.baseline == {"majority_accuracy": 0.5}
    assert "|split:dev|n:2|words:6|scheme:iob2|mode:conlleval|" in judgement.report.signature()
    assert judgement.pairs[3] == ("B-LOC", "B-PER") and not judgement.constant_prediction
    assert judgement.classes["PER"]["precision"] == 0.5 and judgement.classes["LOC"]["support"] == 1
    assert judgement.scorer(np.array([0, 0]))["entity_f1"] == 1.0


def test_parts_of_speech_are_scored_by_accuracy() -> None:
    """They name no entities; a tagger that says one thing is told."""
    task = Tagging.learn("pos", ENTITIES, sentences_of(("a b", "NN DT")))
    judgement = task.judge(sentences_of(("a b c", "NN DT NN")), [{"prediction": ["NN"] * 3}], split="test")
    assert judgement.report.scores == {"accuracy": pytest.approx(2 / 3)}
    assert judgement.report.primary == "accuracy" and judgement.constant_prediction
    assert judgement.classes == {}
