"""Choosing an ending: reading, encoding, loss and scores, against ``transformers``."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForMultipleChoice

from bertpipe.checkpoints import load_weights, open_model
from bertpipe.errors import TaskDataError
from bertpipe.tasks import describe
from bertpipe.tasks.kinds import MultipleChoice, MultipleChoiceDescription
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

torch.set_num_threads(1)

TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *"abcdefghij"], lowercase=True)
PLAIN = MultipleChoiceDescription(kind="multiple_choice")
SWAG = MultipleChoiceDescription(kind="multiple_choice", beginning="sent2")


def record(sent1: str, sent2: str, *endings: str, **others: Any) -> dict[str, Any]:
    return {"sent1": sent1, "sent2": sent2, **{f"ending{n}": e for n, e in enumerate(endings)}, **others}


RECORDS = [
    record("a b", "c", "d", "e f", "g h i", label=2),
    record("a a a a a", "b", "c", "d e", "f", label=0),
    record("j", "i", "h g", "f", "e d c b a", label=1),
]


def write(folder: Path, records: list[dict[str, Any]], split: str = "dev") -> Path:
    text = "".join(json.dumps(one) + "\n" for one in records)
    (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder


def task(description: MultipleChoiceDescription = PLAIN) -> MultipleChoice:
    return MultipleChoice.restore("ends", description, labels=(), config={})


def test_each_ending_is_a_sequence_of_its_own(tmp_path: Path) -> None:
    """As SWAG is read: sent1, and sent2 before each ending; an example is one item of three sequences."""
    examples = MultipleChoice.read(write(tmp_path, RECORDS), "dev", SWAG)
    assert examples[0].context == "a b" and examples[0].endings == ("c d", "c e f", "c g h i")
    inputs = task().encode(examples, TOKENIZER, max_seq_length=16)
    assert (inputs.width, inputs.items, len(inputs.input_ids)) == (3, 3, 9)
    texts = [TOKENIZER.tokens[number] for number in inputs.input_ids[1]]
    assert texts == ["[CLS]", "a", "b", "[SEP]", "c", "e", "f", "[SEP]"]
    assert [int(place[0]) for place in task().targets(examples, inputs)] == [2, 0, 1]


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"sent1": "a b", "ending0": "c", "ending1": "d"}, {}),
        ({"sent1": "a", "sent2": "b", "ending0": "c", "ending1": "d"}, {"context": ("sent1", "sent2")}),
        (
            {"sent1": "xxx", "sent2": "a b", "ending0": "c", "ending1": "d"},
            {"context": ("sent1", "sent2"), "filler": "xxx"},
        ),
        ({"premise": "a b", "one": "c", "two": "d"}, {"context": ("premise",), "endings": ("one", "two")}),
        ({"sent1": "a b", "choices": ["c", "d"]}, {"endings": ("choices",)}),
        ({"sent1": "a b", "sent2": "", "ending0": "c", "ending1": "d"}, {"beginning": "sent2"}),
    ],
)
def test_where_texts_stand_is_described(
    fields: dict[str, Any], changes: dict[str, Any], tmp_path: Path
) -> None:
    """However the data has them, the same is read."""
    description = MultipleChoiceDescription(kind="multiple_choice", **changes)
    (example,) = MultipleChoice.read(write(tmp_path, [fields | {"label": 1}]), "dev", description)
    assert (example.context, example.endings, example.target) == ("a b", ("c", "d"), 1)


def test_endings_stand_by_number(tmp_path: Path) -> None:
    """Ending 10 comes after ending 9, whatever order the fields have."""
    fields = {"sent1": "a", **{f"ending{n}": f"e{n}" for n in (10, 2, 0, 1, *range(3, 10))}}
    (example,) = MultipleChoice.read(write(tmp_path, [fields]), "dev", PLAIN)
    assert example.endings == tuple(f"e{n}" for n in range(11))


@pytest.mark.parametrize(("first", "label", "place"), [(0, 2, 2), (1, 1, 0), (1, "3", 2), (0, "0", 0)])
def test_the_data_says_how_it_counts(first: Any, label: Any, place: int, tmp_path: Path) -> None:
    """From 0 or from 1, as a number or as a table's text; predictions count in the same way."""
    one = task(MultipleChoiceDescription(kind="multiple_choice", first=first))
    folder = write(tmp_path, [record("a", "b", "c", "d", "e", label=label)])
    examples = MultipleChoice.read(folder, "dev", one.description)
    inputs = one.encode(examples, TOKENIZER, max_seq_length=16)
    assert int(one.targets(examples, inputs)[0][0]) == place
    outputs = [np.array([[float(number == place)]], np.float32) for number in range(3)]
    (prediction,) = one.predictions(examples, inputs, outputs)
    assert prediction["prediction"] == int(label) == examples[0].target
    others = 1 / (math.e + 2)
    expected = [others] * place + [math.e * others] + [others] * (2 - place)
    assert prediction["probabilities"] == pytest.approx(expected, abs=1e-6)


def test_logits_and_loss_are_those_of_transformers(tmp_path: Path) -> None:
    """BertForMultipleChoice over padded choices gives the same to 1e-5: weights, inputs, loss."""
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    theirs = BertForMultipleChoice(BertConfig(vocab_size=15, initializer_range=0.5, **shape)).eval()
    theirs.save_pretrained(tmp_path / "model")
    TOKENIZER.save(tmp_path / "model")
    examples = MultipleChoice.read(write(tmp_path, RECORDS), "dev", SWAG)
    encode = AutoTokenizer.from_pretrained(tmp_path / "model")
    contexts = [one.context for one in examples for _ in one.endings]
    endings = [ending for one in examples for ending in one.endings]
    batch = encode(contexts, endings, truncation=True, max_length=8, padding=True, return_tensors="pt")
    expected = theirs(
        **{name: value.view(3, 3, -1) for name, value in batch.items()}, labels=torch.tensor([2, 0, 1])
    )

    saved = open_model(tmp_path / "model")
    ours = task().head.build(saved.shape).eval()
    load_weights(ours, saved, architecture="BertForMultipleChoice")
    inputs = task().encode(examples, TOKENIZER, max_seq_length=8)
    tokens = inputs.batch(inputs.sequences_of(np.arange(3)))
    outputs = ours(tokens)
    term = task().term(outputs, torch.from_numpy(np.concatenate(task().targets(examples, inputs))), tokens)
    assert torch.allclose(outputs.view(3, 3), expected.logits, rtol=0, atol=1e-5)
    assert term.loss.item() / 3 == pytest.approx(expected.loss.item(), abs=1e-5)
    assert term.correct is not None
    assert int(term.correct) == int((expected.logits.argmax(1) == torch.tensor([2, 0, 1])).sum())


def test_scores_by_hand(tmp_path: Path) -> None:
    """Two of three right; each place is right once, as often as by chance."""
    examples = MultipleChoice.read(write(tmp_path, RECORDS), "dev", PLAIN)
    judgement = task().judge(examples, [{"prediction": p} for p in (2, 0, 0)], split="dev")
    assert judgement.report.scores == {"accuracy": pytest.approx(2 / 3)}
    assert judgement.scorer(np.array([0, 2, 2])) == {"accuracy": pytest.approx(1 / 3)}
    assert judgement.baseline == pytest.approx({"majority_accuracy": 1 / 3, "chance_accuracy": 1 / 3})
    assert judgement.pairs == [("2", "2"), ("0", "0"), ("1", "0")]
    assert "|split:dev|n:3|endings:3|" in judgement.report.signature()
    assert not judgement.constant_prediction
    assert task().judge(examples, [{"prediction": 1}] * 3, split="dev").constant_prediction


@pytest.mark.parametrize(
    ("fields", "changes", "message"),
    [
        ({"sent1": "a"}, {}, r":2: no fields ending0, ending1 and on, only 'sent1', 'label'"),
        ({"sent1": "a", "ending0": "b"}, {"endings": ("ending0", "ending1")}, r":2: no field 'ending1'"),
        ({"sent1": "a", "ending0": "b"}, {}, r":2: 1 endings, but 3 at .*dev\.jsonl:1"),
        ({"sent1": "a", "ending0": " ", "ending1": "b"}, {}, r":2: 'ending0' must be a text that is not"),
        ({"sent1": "a", "ending0": 7, "ending1": "b"}, {}, r":2: 'ending0' must be a text that is not"),
        ({"ending0": "b", "ending1": "b"}, {}, r":2: no field 'sent1'"),
        ({"sent1": " ", "ending0": "b", "ending1": "b"}, {}, r":2: the context is empty \('sent1'\)"),
        ({"sent1": 4, "ending0": "b", "ending1": "b"}, {}, r":2: 'sent1' must be a text, found 4"),
        ({"sent1": "a", "some": []}, {"endings": ("some",)}, r":2: 'some' lists no endings"),
    ],
)
def test_a_bad_record_is_told(
    fields: dict[str, Any], changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """With file and line, and what there is instead."""
    folder = write(tmp_path, [RECORDS[0] | {"some": ["b"]}, fields | {"label": 0}])
    description = MultipleChoiceDescription(kind="multiple_choice", **changes)
    with pytest.raises(TaskDataError, match=message):
        MultipleChoice.read(folder, "dev", description)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (3, "'label' must be the number of an ending, 0 to 2, found 3"),
        ("-1", "0 to 2, found '-1'"),
        ("b", "0 to 2, found 'b'"),
        (1.0, r"0 to 2, found 1\.0"),
        (True, "0 to 2, found True"),
        ("", "no label in the field 'label'"),
        (None, "no label in the field 'label'"),
    ],
)
def test_a_label_that_is_no_ending_is_told(label: Any, message: str, tmp_path: Path) -> None:
    """By its place, before a model has worked; data without labels is pointed to ``predict``."""
    examples = MultipleChoice.read(
        write(tmp_path, [record("a", "b", "c", "d", "e", label=label)]), "dev", PLAIN
    )
    with pytest.raises(TaskDataError, match=rf"dev\.jsonl:1: .*{message}") as caught:
        task().check(examples)
    if message.startswith("no label"):
        assert caught.value.hint is not None and "bertpipe predict" in caught.value.hint


def test_one_ending_is_no_choice(tmp_path: Path) -> None:
    """There would be nothing to learn."""
    examples = MultipleChoice.read(write(tmp_path, [record("a", "b", "c", label=0)]), "dev", PLAIN)
    with pytest.raises(TaskDataError, match="the examples of ends have one ending each"):
        MultipleChoice.learn("ends", PLAIN, examples)


def read(name: str, folder: Path, split: str) -> list[Any]:
    """Read a task of the catalog."""
    description = describe(name, {})
    assert isinstance(description, MultipleChoiceDescription)
    examples = MultipleChoice.read(folder, split, description)
    task(description).check(examples)
    return examples


SWAG_COLUMNS = (
    ",video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3,label\r\n"
)


def test_swag_is_known(tmp_path: Path) -> None:
    """Its dev file is val.csv, with CSV's quotes; its test file has no labels."""
    row = '7,clip,16,A man waves. He,A man waves.,He,gold,"says ""hi"", loudly.",sits.,runs.,eats.'
    (tmp_path / "val.csv").write_text(f"{SWAG_COLUMNS}{row},0\r\n", newline="")
    (example,) = read("swag", tmp_path, "dev")
    assert (example.context, example.target) == ("A man waves.", 0)
    assert example.endings == ('He says "hi", loudly.', "He sits.", "He runs.", "He eats.")
    (tmp_path / "test.csv").write_text(SWAG_COLUMNS.replace(",label", "") + row)
    with pytest.raises(TaskDataError, match=r"test\.csv:2: no label in the field 'label'"):
        read("swag", tmp_path, "test")


def test_codah_is_known(tmp_path: Path) -> None:
    """No header, a quote is an ordinary character, the answer stands last; a category may be empty."""
    (tmp_path / "train.tsv").write_text('\tSam said "hm. He\tsat.\tran.\t"ate".\tleft.\t3\n')
    (example,) = read("codah", tmp_path, "train")
    assert (example.context, example.target) == ('Sam said "hm. He', 3)
    assert example.endings == ("sat.", "ran.", '"ate".', "left.")


def test_the_real_codah_is_read_whole(real_data: Path) -> None:
    """Fold 0 of the official cross-validation: as many examples as its folder says."""
    folder = real_data / "codah" / "fold_0"
    sizes = [len(read("codah", folder, split)) for split in ("train", "dev", "test")]
    assert sizes == [1665, 556, 555]


def test_real_files_in_the_layout_of_swag_are_read_whole(real_data: Path) -> None:
    """Filler in sent1 or not, a column more or not: one description; no filler gets into a text."""
    for name, sizes in (("goal-inference", (5000, 837)), ("next-event-prediction", (5000, 655))):
        description = MultipleChoiceDescription(
            kind="multiple_choice",
            context=("sent1", "sent2"),
            filler="xxx",
            files={split: f"{name}-{split}.csv" for split in ("val", "test")},
        )
        for split, size in zip(("val", "test"), sizes, strict=True):
            examples = MultipleChoice.read(real_data / "swag-format-tr", split, description)
            task(description).check(examples)
            assert len(examples) == size and all(len(example.endings) == 4 for example in examples)
            assert not any("xxx" in example.context.split() for example in examples)
