"""Model folders: what is tolerated, what is refused and how it is named, and the same bytes always."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    PreTrainedModel,
)

from bertpipe.checkpoints import load_weights, open_model, write_model
from bertpipe.errors import ArtifactError, CheckpointError
from bertpipe.model import ModelShape, PretrainingModel, SequenceModel
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

SHAPE = ModelShape(
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    max_position_embeddings=12,
    vocab_size=12,
)
LAYER = "bert.encoder.layer.1.attention.self"


def tokenizer_of(size: int) -> Tokenizer:
    return Tokenizer.build([*SPECIAL_TOKENS, *(f"w{n}" for n in range(size - 5))], lowercase=True)


def pretraining_model() -> PretrainingModel:
    torch.manual_seed(3)
    return PretrainingModel(SHAPE, predicts_next_sentence=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder of ours, without a manifest, so that its files may be changed."""
    path = tmp_path / "model"
    path.mkdir()
    write_model(
        path, pretraining_model(), shape=SHAPE, architecture="BertForPreTraining", tokenizer=tokenizer_of(12)
    )
    return path


def change_weights(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder: Path, **values: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def load(folder: Path) -> PretrainingModel:
    model = PretrainingModel(open_model(folder).shape, predicts_next_sentence=True)
    load_weights(model, open_model(folder), architecture="BertForPreTraining")
    return model


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_what_is_written_is_read(folder: Path) -> None:
    """Weights, shape and tokenizer come back as they were."""
    saved = open_model(folder)
    assert saved.shape == SHAPE and saved.architecture == "BertForPreTraining" and saved.labels == ()
    assert same_weights(load(folder), pretraining_model())
    assert saved.tokenizer().tokens == tokenizer_of(12).tokens


def test_the_file_holds_each_weight_once(folder: Path) -> None:
    """No tied decoder, no buffer, and metadata of one key, which cannot change its order."""
    names = load_file(folder / "model.safetensors").keys()
    assert not [name for name in names if "decoder" in name or "position_ids" in name]
    content = (folder / "model.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == {"format": "pt"}


def test_config_says_what_transformers_asks_for(tmp_path: Path) -> None:
    """Class, label names both ways, padding id and the whole shape."""
    model = SequenceModel(SHAPE, outputs=2)
    write_model(
        tmp_path,
        model,
        shape=SHAPE,
        architecture="BertForSequenceClassification",
        tokenizer=tokenizer_of(12),
        labels=("no", "yes"),
        extra={"problem_type": "single_label_classification"},
    )
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["model_type"] == "bert" and config["pad_token_id"] == 0
    assert config["id2label"] == {"0": "no", "1": "yes"} and config["label2id"] == {"no": 0, "yes": 1}
    assert config["intermediate_size"] == 24 and config["layer_norm_eps"] == 1e-12
    assert open_model(tmp_path).labels == ("no", "yes")
    assert open_model(tmp_path).extra["problem_type"] == "single_label_classification"


def test_an_unset_feed_forward_width_is_written_out(tmp_path: Path) -> None:
    """``transformers`` would take its own default, 3072, where ours is 4 H."""
    shape = SHAPE.model_copy(update={"intermediate_size": None})
    model = PretrainingModel(shape, predicts_next_sentence=True)
    write_model(tmp_path, model, shape=shape, architecture="BertForPreTraining", tokenizer=tokenizer_of(12))
    assert json.loads((tmp_path / "config.json").read_text())["intermediate_size"] == 64


@pytest.mark.parametrize(
    ("model", "classes", "expected"),
    [
        (BertForSequenceClassification, 2, ("LABEL_0", "LABEL_1")),
        (BertForTokenClassification, 3, ("LABEL_0", "LABEL_1", "LABEL_2")),
        (BertForQuestionAnswering, 2, ()),
        (BertModel, 2, ()),
    ],
)
def test_classes_without_names_are_called_as_transformers_does(
    model: type[PreTrainedModel], classes: int, expected: tuple[str, ...], tmp_path: Path
) -> None:
    """It leaves the names of two out of the file; where there are no classes there are no labels."""
    values = SHAPE.model_dump(include={"hidden_size", "num_attention_heads", "vocab_size"})
    model(BertConfig(**values, num_hidden_layers=1, num_labels=classes)).save_pretrained(tmp_path)
    assert open_model(tmp_path).labels == expected


def test_a_regression_has_no_labels(tmp_path: Path) -> None:
    """Its single number is no class."""
    (tmp_path / "model").mkdir()
    write_model(
        tmp_path / "model",
        SequenceModel(SHAPE, outputs=1),
        shape=SHAPE,
        architecture="BertForSequenceClassification",
        tokenizer=tokenizer_of(12),
        extra={"num_labels": 1},
    )
    assert open_model(tmp_path / "model").labels == ()


def test_a_stray_position_buffer_is_tolerated(folder: Path) -> None:
    """Old checkpoints hold ``position_ids``; it is no weight."""
    change_weights(folder, lambda t: t.update({"bert.embeddings.position_ids": torch.arange(12)}))
    assert same_weights(load(folder), pretraining_model())


def test_gamma_and_beta_are_norms(folder: Path) -> None:
    """Checkpoints converted from TensorFlow name the norms' parameters so."""

    def rename(tensors: dict[str, Tensor]) -> None:
        for name in list(tensors):
            if "LayerNorm." in name:
                old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                    "LayerNorm.bias", "LayerNorm.beta"
                )
                tensors[old] = tensors.pop(name) + 0.5

    change_weights(folder, rename)
    assert torch.equal(load(folder).encoder.embeddings.norm.bias, torch.full((16,), 0.5))


def test_a_bare_encoder_of_transformers_can_be_finetuned(tmp_path: Path) -> None:
    """BertModel writes no ``bert.`` prefix; its encoder and pooler are found, the head stays new."""
    theirs = BertModel(
        BertConfig(
            vocab_size=12, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
        )
    )
    theirs.save_pretrained(tmp_path)
    saved = open_model(tmp_path)
    assert saved.architecture == "BertModel"
    ours = SequenceModel(saved.shape, outputs=2)
    head = ours.head.dense.weight.clone()
    load_weights(ours, saved, architecture="BertForSequenceClassification", new=("head.",))
    assert torch.equal(ours.pooler.dense.weight, theirs.pooler.dense.weight)
    assert torch.equal(ours.encoder.embeddings.word.weight, theirs.embeddings.word_embeddings.weight)
    assert torch.equal(ours.head.dense.weight, head)


@pytest.mark.parametrize(
    "name", ["cls.seq_relationship.bias", f"{LAYER}.query.weight", f"{LAYER}.value.bias"]
)
def test_a_missing_weight_is_named(folder: Path, name: str) -> None:
    """By its name in the file, also where we keep it joined with others."""
    change_weights(folder, lambda tensors: tensors.__delitem__(name))
    with pytest.raises(CheckpointError, match=rf"model\.safetensors has no {name}$"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("bert.pooler.dense.weight", [16, 8], r"\[16, 8\], config\.json asks for \[16, 16\]"),
        (f"{LAYER}.key.weight", [16, 8], r"\[16, 8\], config\.json asks for \[16, 16\]"),
        (f"{LAYER}.value.weight", [8, 16], r"\[8, 16\], config\.json asks for \[16, 16\]"),
    ],
)
def test_a_wrong_shape_is_named(folder: Path, name: str, shape: list[int], expected: str) -> None:
    """With the shape in the file and the one that is wanted."""
    change_weights(folder, lambda tensors: tensors.update({name: torch.zeros(shape)}))
    with pytest.raises(CheckpointError, match=rf"{name} has shape {expected}"):
        load(folder)


def test_shapes_that_only_add_up_are_refused(folder: Path) -> None:
    """A larger query and a smaller key fill the joined matrix, and are still wrong."""
    wrong = {f"{LAYER}.query.bias": torch.zeros(20), f"{LAYER}.key.bias": torch.zeros(12)}
    change_weights(folder, lambda tensors: tensors.update(wrong))
    with pytest.raises(CheckpointError, match=r"query\.bias has shape \[20\]"):
        load(folder)


def test_damaged_weights_are_named(folder: Path) -> None:
    """A file that was cut off is one clear line."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        load(folder)


def test_weights_in_another_format_are_not_read(folder: Path) -> None:
    """A pickle beside the configuration is not opened."""
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"model\.safetensors does not exist"):
        load(folder)


def test_a_folder_without_configuration_is_no_model(tmp_path: Path) -> None:
    """An empty folder is told from one that is missing."""
    with pytest.raises(CheckpointError, match=r"is not a model folder: it has no readable config\.json"):
        open_model(tmp_path)
    with pytest.raises(ArtifactError, match="does not exist"):
        open_model(tmp_path / "missing")


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '"bert"', "null"])
def test_a_configuration_that_is_no_object_is_refused(folder: Path, text: str) -> None:
    """Also where it is valid JSON."""
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match="is not a model folder"):
        open_model(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta'"),
        ({"hidden_act": "silu"}, "hidden_act"),
        ({"hidden_size": "16"}, "hidden_size"),
        ({"num_attention_heads": 3}, "num_attention_heads = 3 does not divide"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"is_decoder": True}, "is_decoder is True"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False"),
    ],
)
def test_another_model_is_refused_by_what_makes_it_so(
    folder: Path, values: dict[str, Any], message: str
) -> None:
    """What would give other outputs here than in ``transformers`` is not read."""
    change_config(folder, **values)
    with pytest.raises(CheckpointError, match=message):
        open_model(folder)


def test_empty_entries_of_a_configuration_are_tolerated(folder: Path) -> None:
    """``null`` where a list or mapping may stand means that there is none."""
    change_config(folder, id2label=None, architectures=None)
    saved = open_model(folder)
    assert saved.labels == () and saved.architecture == "BertModel"


def test_a_tokenizer_larger_than_the_model_is_refused(folder: Path) -> None:
    """Its last tokens would have no embedding; a smaller one is fine (padded vocabularies)."""
    tokenizer_of(13).save(folder)
    with pytest.raises(CheckpointError, match="the tokenizer has 13 entries, the model embeds 12"):
        open_model(folder).tokenizer()
    tokenizer_of(11).save(folder)
    assert open_model(folder).tokenizer().vocab_size == 11


SAVE = """
import sys
from pathlib import Path
import torch
from bertpipe.checkpoints import write_model
from bertpipe.model import ModelShape, PretrainingModel
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer
shape = ModelShape(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, vocab_size=12)
torch.manual_seed(5)
write_model(
    Path(sys.argv[1]),
    PretrainingModel(shape, predicts_next_sentence=True),
    shape=shape,
    architecture="BertForPreTraining",
    tokenizer=Tokenizer.build([*SPECIAL_TOKENS, *"abcdefg"], lowercase=True),
)
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """Each file, whatever the process's hash seed."""
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        command = [sys.executable, "-c", SAVE, str(tmp_path / seed)]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"})
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / seed).iterdir()} for seed in ("1", "2"))
    assert one == two and len(one) == 5
