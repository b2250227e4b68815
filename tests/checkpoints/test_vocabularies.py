"""Which pieces two vocabularies share, and how a model of one starts as a model of the other."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertModel

from bertpipe.checkpoints import SharedPieces, first_difference, load_weights, open_model
from bertpipe.errors import ArtifactError, CheckpointError
from bertpipe.model import ModelShape, PretrainingModel
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

OLD = [*SPECIAL_TOKENS, "the", "##s", "film", "house", "road"]
NEW = [*SPECIAL_TOKENS, "film", "river", "the", "##ing"]
KEPT = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 7, 7: 5}  # new id: old id

VOCABULARIES = st.lists(st.text("ab#", max_size=3), unique=True, max_size=12)


def theirs(architecture: type, folder: Path, **changes: int) -> BertForPreTraining:
    """Save a Hugging Face model of the old vocabulary, embeddings for some more pieces than it has."""
    torch.manual_seed(1)
    sizes = {
        "vocab_size": 16,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 12,
        "max_position_embeddings": 20,
    }
    model = architecture(BertConfig(**(sizes | changes)))
    for parameter in model.parameters():
        parameter.data.normal_()
    model.save_pretrained(folder)
    Tokenizer.build(OLD, lowercase=True).save(folder)
    return model


def ours(folder: Path, *, vocab_size: int = len(NEW), has_pairs: bool = True) -> PretrainingModel:
    torch.manual_seed(2)
    shape = open_model(folder).shape.model_copy(update={"vocab_size": vocab_size})
    return PretrainingModel(ModelShape(**shape.model_dump()), predicts_next_sentence=has_pairs)


@given(VOCABULARIES, VOCABULARIES)
def test_shared_pieces_are_those_with_the_same_text(old: list[str], new: list[str]) -> None:
    """At every pair of ids stands one text, and every text that both have is among them."""
    shared = SharedPieces.of(old, new)
    pairs = zip(shared.old_ids.tolist(), shared.new_ids.tolist(), strict=True)
    assert [old[first] for first, _ in pairs] == [new[second] for second in shared.new_ids.tolist()]
    assert {new[second] for second in shared.new_ids.tolist()} == set(old) & set(new)
    assert shared.kept == len(set(old) & set(new))


@given(VOCABULARIES, VOCABULARIES)
def test_there_is_a_first_difference_unless_two_vocabularies_are_the_same(
    old: list[str], new: list[str]
) -> None:
    """The number is the first at which they differ."""
    said = first_difference(old, new)
    assert (said is None) == (old == new)
    if said is not None:
        number = int(said.split()[1])
        assert old[:number] == new[:number] and old[number : number + 1] != new[number : number + 1]


def test_a_first_difference_is_named() -> None:
    """By number and both texts; where one is longer, what the other lacks."""
    assert first_difference(OLD, NEW) == "piece 5 is 'the' there and 'film' here"
    assert first_difference(OLD[:6], OLD) == "piece 6 is missing there and '##s' here"


def test_embeddings_follow_their_pieces(tmp_path: Path) -> None:
    """Rows and biases of shared pieces are the saved ones, the others stay as drawn, all else is loaded."""
    saved_model = theirs(BertForPreTraining, tmp_path)
    model = ours(tmp_path)
    drawn = model.encoder.embeddings.word.weight.detach().clone()
    pieces = SharedPieces.of(open_model(tmp_path).pieces(), NEW)
    missing = load_weights(model, open_model(tmp_path), architecture="BertForPreTraining", pieces=pieces)
    stored = saved_model.state_dict()
    rows = model.encoder.embeddings.word.weight
    for new_id in range(len(NEW)):
        if new_id in KEPT:
            old_row = stored["bert.embeddings.word_embeddings.weight"][KEPT[new_id]]
            assert torch.equal(rows[new_id], old_row), NEW[new_id]
            assert model.masked_token.bias[new_id] == stored["cls.predictions.bias"][KEPT[new_id]]
        else:
            assert torch.equal(rows[new_id], drawn[new_id]), NEW[new_id]
            assert model.masked_token.bias[new_id] == 0
    assert missing == []
    assert torch.equal(
        model.encoder.embeddings.position.weight, stored["bert.embeddings.position_embeddings.weight"]
    )


@pytest.mark.parametrize(
    ("architecture", "missing"),
    [
        (BertForPreTraining, []),
        (BertForMaskedLM, ["pooler.", "next_sentence."]),
        (BertModel, ["masked_token.", "next_sentence."]),
    ],
)
def test_what_a_folder_has_nothing_of_stays_as_drawn(
    architecture: type, missing: list[str], tmp_path: Path
) -> None:
    """And is told; a bare encoder has a pooler, a masked LM has none."""
    theirs(architecture, tmp_path)
    model = ours(tmp_path, vocab_size=16)
    drawn = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parts = ("masked_token.", "pooler.", "next_sentence.")
    saved = open_model(tmp_path)
    assert load_weights(model, saved, architecture="BertForPreTraining", optional=parts) == missing
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, drawn[name]) == name.startswith(tuple(missing)), name


def test_half_a_part_is_no_missing_part(tmp_path: Path) -> None:
    """A folder that lacks one weight of a head is damaged, also where the whole head may be missing."""
    theirs(BertForPreTraining, tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["cls.seq_relationship.bias"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"has no cls\.seq_relationship\.bias"):
        load_weights(
            ours(tmp_path, vocab_size=16),
            open_model(tmp_path),
            architecture="BertForPreTraining",
            optional=("next_sentence.",),
        )


def test_an_old_folder_has_its_vocabulary_in_a_list(tmp_path: Path) -> None:
    """``vocab.txt`` alone, as Google's and many older folders have it; the same pieces come out."""
    theirs(BertForPreTraining, tmp_path)
    assert open_model(tmp_path).pieces() == OLD
    (tmp_path / "tokenizer.json").unlink()
    assert open_model(tmp_path).pieces() == OLD
    (tmp_path / "vocab.txt").write_text("\n".join([*OLD, *"abcdefgh"]) + "\n")
    with pytest.raises(CheckpointError, match="the tokenizer has 18 entries, the model embeds 16"):
        open_model(tmp_path).pieces()
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(ArtifactError, match=r"tokenizer\.json cannot be read"):
        open_model(tmp_path).pieces()


def test_weights_that_are_not_those_of_their_config_are_named(tmp_path: Path) -> None:
    """Before any row is moved: the number of embeddings is that of config.json."""
    theirs(BertForPreTraining, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 17}))
    pieces = SharedPieces.of(OLD, NEW)
    with pytest.raises(CheckpointError, match=r"has shape \[16, 8\], config\.json asks for \[17, 8\]"):
        load_weights(ours(tmp_path), open_model(tmp_path), architecture="BertForPreTraining", pieces=pieces)
