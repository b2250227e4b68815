"""Our BERT against ``transformers``: weights go through a model folder, outputs must be equal.

Both compute in float64, so a difference beyond rounding is a difference of the model.
"""

import itertools
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForSequenceClassification,
)

from bertpipe.checkpoints import load_weights, open_model, write_model
from bertpipe.model import (
    BidirectionalEncoder,
    ModelShape,
    PretrainingModel,
    SequenceModel,
    TokenBatch,
    attention,
    count_parameters,
    summed_cross_entropy,
)
from bertpipe.vocab import SPECIAL_TOKENS, Tokenizer

TOKENIZER = Tokenizer.build([*SPECIAL_TOKENS, *(f"w{number}" for number in range(55))], lowercase=True)
SHAPE = ModelShape(
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=40,
    max_position_embeddings=20,
    vocab_size=60,
)
# Tokens, and how many of them are the first segment: unequal lengths, pairs and single segments.
SEQUENCES = [([2, 9, 8, 3, 30, 31, 3], 4), ([2, 7, 3], 3), (list(range(2, 22)), 11), ([2, 3], 2)]

torch.set_num_threads(1)


def ours_of(sequences: list[tuple[list[int], int]]) -> TokenBatch:
    """Lay sequences out without padding."""
    return TokenBatch.of(
        np.concatenate([np.array(ids) for ids, _ in sequences]),
        lengths=np.array([len(ids) for ids, _ in sequences]),
        first_segment_lengths=np.array([first for _, first in sequences]),
    )


def theirs_of(sequences: list[tuple[list[int], int]]) -> dict[str, Tensor]:
    """Lay sequences out as ``transformers`` wants them."""
    longest = max(len(ids) for ids, _ in sequences)
    rows: dict[str, list[list[int]]] = {"input_ids": [], "token_type_ids": [], "attention_mask": []}
    for ids, first in sequences:
        padding = [0] * (longest - len(ids))
        rows["input_ids"].append(ids + padding)
        rows["token_type_ids"].append([0] * first + [1] * (len(ids) - first) + padding)
        rows["attention_mask"].append([1] * len(ids) + padding)
    return {name: torch.tensor(values) for name, values in rows.items()}


def reference_config(**changes: Any) -> BertConfig:
    return BertConfig(
        vocab_size=60,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=20,
        attn_implementation="eager",
        **changes,
    )


def randomize(model: nn.Module) -> None:
    """Draw every weight, biases and norms too, so that none can be left out unseen."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)


def check_pretraining(ours: PretrainingModel, theirs: Any) -> None:
    batch = ours_of(SEQUENCES)
    with torch.no_grad():
        token_logits, next_logits = ours.double().eval()(
            batch, batch.read_at(np.arange(len(batch.input_ids)))
        )
        expected = theirs.double().eval()(**theirs_of(SEQUENCES))
    assert torch.allclose(token_logits, batch.grid.gather(expected.prediction_logits), rtol=0, atol=1e-11)
    assert next_logits is not None
    assert torch.allclose(next_logits, expected.seq_relationship_logits, rtol=0, atol=1e-11)


@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_new", "relu"])
def test_a_hugging_face_model_gives_the_same_outputs_here(hidden_act: str, tmp_path: Path) -> None:
    """What BertForPreTraining saves opens here with equal logits of both heads."""
    theirs = BertForPreTraining(reference_config(hidden_act=hidden_act))
    randomize(theirs)
    theirs.save_pretrained(tmp_path)
    saved = open_model(tmp_path)
    ours = PretrainingModel(saved.shape, predicts_next_sentence=True)
    load_weights(ours, saved, architecture=saved.architecture)
    check_pretraining(ours, theirs)


@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_new", "relu"])
def test_our_model_gives_the_same_outputs_in_transformers(hidden_act: Any, tmp_path: Path) -> None:
    """What we save opens there with no weight missing or left over, and equal logits."""
    shape = SHAPE.model_copy(update={"hidden_act": hidden_act})
    ours = PretrainingModel(shape, predicts_next_sentence=True)
    randomize(ours)
    write_model(tmp_path, ours, shape=shape, architecture="BertForPreTraining", tokenizer=TOKENIZER)
    theirs, loading = BertForPreTraining.from_pretrained(
        tmp_path, attn_implementation="eager", output_loading_info=True
    )
    assert not any(loading.values())
    check_pretraining(ours, theirs)


def test_a_model_without_next_sentence_head_is_a_masked_lm(tmp_path: Path) -> None:
    """It opens as BertForMaskedLM, which has no pooler, with nothing missing and equal logits."""
    ours = PretrainingModel(SHAPE, predicts_next_sentence=False)
    randomize(ours)
    write_model(tmp_path, ours, shape=SHAPE, architecture="BertForMaskedLM", tokenizer=TOKENIZER)
    theirs, loading = BertForMaskedLM.from_pretrained(
        tmp_path, attn_implementation="eager", output_loading_info=True
    )
    assert not any(loading.values())
    batch = ours_of(SEQUENCES)
    with torch.no_grad():
        logits, next_logits = ours.double().eval()(batch, batch.read_at(np.arange(len(batch.input_ids))))
        expected = theirs.double().eval()(**theirs_of(SEQUENCES)).logits
    assert next_logits is None
    assert torch.allclose(logits, batch.grid.gather(expected), rtol=0, atol=1e-11)


def gradients_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_loss_and_gradients_are_those_of_transformers(tmp_path: Path) -> None:
    """Without dropout: the loss of both heads agrees to 12 digits, and so do gradients of each kind."""
    theirs = BertForPreTraining(reference_config(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
    randomize(theirs)
    theirs.save_pretrained(tmp_path)
    saved = open_model(tmp_path)
    ours = PretrainingModel(saved.shape, predicts_next_sentence=True)
    load_weights(ours, saved, architecture=saved.architecture)
    batch, padded = ours_of(SEQUENCES), theirs_of(SEQUENCES)
    predicted, labels, follows = (
        torch.tensor([1, 4, 8, 12]),
        torch.tensor([40, 5, 6, 59]),
        torch.tensor([0, 1, 1, 0]),
    )
    everywhere = torch.full((len(batch.input_ids), 1), -100)
    everywhere[predicted, 0] = labels
    padded["labels"] = torch.full_like(padded["input_ids"], -100)
    padded["labels"].view(-1)[batch.grid.cells] = everywhere[:, 0]
    expected = theirs.double().train()(**padded, next_sentence_label=follows).loss
    expected.backward()
    token_logits, next_logits = ours.double().train()(batch, batch.read_at(predicted.numpy()))
    assert next_logits is not None
    loss = summed_cross_entropy(token_logits, labels)[0] / 4 + nn.functional.cross_entropy(
        next_logits, follows
    )
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    mine, other = gradients_of(ours), gradients_of(theirs)
    for name, reference in {
        "encoder.embeddings.word.weight": "bert.embeddings.word_embeddings.weight",
        "encoder.embeddings.norm.bias": "bert.embeddings.LayerNorm.bias",
        "encoder.layers.0.intermediate.weight": "bert.encoder.layer.0.intermediate.dense.weight",
        "encoder.layers.1.attention.output.weight": "bert.encoder.layer.1.attention.output.dense.weight",
        "masked_token.bias": "cls.predictions.bias",
        "pooler.dense.weight": "bert.pooler.dense.weight",
    }.items():
        assert torch.allclose(mine[name], other[reference], rtol=0, atol=1e-11), name
    for layer, part in itertools.product((0, 1), ("weight", "bias")):
        own = f"bert.encoder.layer.{layer}.attention.self"
        projections = [other[f"{own}.{name}.{part}"] for name in ("query", "key", "value")]
        assert torch.allclose(
            mine[f"encoder.layers.{layer}.attention.query_key_value.{part}"],
            torch.cat(projections),
            rtol=0,
            atol=1e-11,
        )


def trained_once(model: PretrainingModel, *, seed: int) -> dict[str, Tensor]:
    """Return the gradients of one pass with the dropout of a seed."""
    model.zero_grad()
    torch.manual_seed(seed)
    batch = ours_of(SEQUENCES)
    token_logits, _ = model(batch, batch.read_at(np.array([1, 4, 8])))
    loss, _ = summed_cross_entropy(token_logits, torch.tensor([40, 5, 6]))
    loss.backward()  # type: ignore[no-untyped-call]
    return gradients_of(model)


def test_gradient_checkpointing_changes_no_bit() -> None:
    """Layers that are computed again draw the same dropout: gradients are equal, and not without dropout."""
    model = PretrainingModel(SHAPE, predicts_next_sentence=False).train()
    plain, other = trained_once(model, seed=5), trained_once(model, seed=6)
    model.encoder.checkpointing = True
    again = trained_once(model, seed=5)
    assert plain.keys() == again.keys()
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    assert not all(torch.equal(plain[name], other[name]) for name in plain)


def test_gradient_checkpointing_keeps_a_layers_input_alone() -> None:
    """A layer's inner activations are not kept for the backward pass."""
    model = PretrainingModel(SHAPE, predicts_next_sentence=False).train()
    kept: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    sums = []
    for checkpointing in (False, True):
        model.encoder.checkpointing = checkpointing
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            model.encoder(ours_of(SEQUENCES))
        sums.append(sum(kept))
    assert sums[1] < sums[0] / 3


def test_answers_keep_no_layer_but_the_one_they_need() -> None:
    """Without gradients a layer's output is let go once the next one has been made from it."""
    encoder = BidirectionalEncoder(SHAPE.model_copy(update={"num_hidden_layers": 4})).eval()
    outputs: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    def look(module: nn.Module, given: object, output: Tensor) -> None:
        outputs.append(weakref.ref(output))
        alive.append(sum(output() is not None for output in outputs))

    for layer in encoder.layers:
        layer.register_forward_hook(look)
    with torch.no_grad():
        encoder(ours_of(SEQUENCES))
    assert len(alive) == 4 and max(alive) <= 2


def test_written_out_attention_is_the_fused_one() -> None:
    """With a dropout that rounds to none of 65,536 words, training attends as evaluation does."""
    shape = SHAPE.model_copy(update={"attention_probs_dropout_prob": 1e-9, "hidden_dropout_prob": 0.0})
    model = SequenceModel(shape, outputs=2)
    randomize(model)
    model.double()
    batch = ours_of(SEQUENCES)
    assert torch.allclose(model.train()(batch), model.eval()(batch), rtol=0, atol=1e-11)


def each_by_itself(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    starts: Tensor,
    key_starts: Tensor,
    longest: int,
    longest_key: int,
) -> Tensor:
    """Stand in for ``varlen_attn``, which needs a GPU: attend within each sequence, ``[R, A, H/A]``."""
    assert starts.dtype == key_starts.dtype == torch.int32 and longest_key == 20
    assert longest == starts.diff().max()
    bounds = [itertools.pairwise(ends.tolist()) for ends in (starts, key_starts)]
    return torch.cat(
        [
            nn.functional.scaled_dot_product_attention(
                query[start:end].transpose(0, 1),
                key[key_start:key_end].transpose(0, 1),
                value[key_start:key_end].transpose(0, 1),
            ).transpose(0, 1)
            for (start, end), (key_start, key_end) in zip(*bounds, strict=True)
        ]
    )


@pytest.mark.parametrize("reads", ["all tokens", "some tokens", "first tokens"])
def test_packed_attention_is_that_in_a_grid(reads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a kernel takes sequences of any length, heads and sequences stay where they were."""
    encoder = SequenceModel(SHAPE, outputs=2).encoder
    randomize(encoder)
    encoder.double().eval()
    batch = ours_of(SEQUENCES)
    readout = {
        "all tokens": None,
        "some tokens": batch.read_at(np.array([1, 4, 8, 20])),
        "first tokens": batch.read_first(),
    }[reads]
    expected = encoder(batch, readout)
    monkeypatch.setattr(attention, "_has_kernel_for_any_length", lambda query, heads: True)
    monkeypatch.setattr(attention, "varlen_attn", each_by_itself)
    assert torch.allclose(encoder(batch, readout), expected, rtol=0, atol=1e-11)


CUDA = torch.device("cuda")


@dataclass(frozen=True)
class OnGpu:
    """Stands in for queries that lie on a GPU."""

    shape: tuple[int, int]
    dtype: torch.dtype = torch.bfloat16
    device: torch.device = CUDA


def test_packed_attention_is_for_heads_that_the_kernel_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multiples of 8 up to 256, as FlashAttention says; heads of 20 in a width of 40 go through a grid."""
    monkeypatch.setattr(attention, "varlen_attn", each_by_itself)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    has_kernel: Any = attention._has_kernel_for_any_length
    widths = (8, 20, 64, 128, 252, 256, 264)
    known = [width for width in widths if has_kernel(OnGpu((5, 2 * width)), heads=2)]
    assert known == [8, 64, 128, 256]
    assert not has_kernel(OnGpu((5, 128), dtype=torch.float32), heads=2)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("chosen", [[1, 4, 8], [0, 2, 3, 31], []], ids=str)
@pytest.mark.parametrize("attention_prob", [0.0, 1e-9], ids=["fused", "written out"])
def test_reading_some_tokens_is_reading_all(layers: int, chosen: list[int], attention_prob: float) -> None:
    """The last layer gives what is read the same values and every weight the same gradient as a whole one."""
    changes = {
        "num_hidden_layers": layers,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": attention_prob,
    }
    encoder = BidirectionalEncoder(SHAPE.model_copy(update=changes))
    randomize(encoder)
    encoder.double().train()
    batch = ours_of(SEQUENCES)
    readout = batch.read_at(np.array(chosen, dtype=np.int64))
    found, gradients = [], []
    for read in (encoder(batch)[readout.tokens], encoder(batch, readout)):
        encoder.zero_grad()
        read.square().sum().backward()
        found.append(read.detach())
        gradients.append(gradients_of(encoder))
    assert torch.allclose(found[0], found[1], rtol=0, atol=1e-11)
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradients[1][name], gradient, rtol=0, atol=1e-9), name


def test_bfloat16_differs_by_rounding_alone() -> None:
    """Outputs in bfloat16 are those in float32 to two digits, with padding and without."""
    model = PretrainingModel(SHAPE, predicts_next_sentence=False).eval()
    for sequences in (SEQUENCES, SEQUENCES[:1]):
        batch = ours_of(sequences)
        with torch.no_grad():
            exact, _ = model(batch, batch.read_at(np.array([1, 4])))
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            rounded, _ = model(batch, batch.read_at(np.array([1, 4])))
        assert rounded.dtype == torch.bfloat16
        assert torch.allclose(rounded.float(), exact, rtol=0, atol=0.02 * exact.abs().max().item())


def check_sequences(ours: SequenceModel, theirs: Any) -> None:
    with torch.no_grad():
        logits = ours.double().eval()(ours_of(SEQUENCES))
        expected = theirs.double().eval()(**theirs_of(SEQUENCES)).logits
    assert torch.allclose(logits, expected, rtol=0, atol=1e-11)


def test_classifiers_give_the_same_outputs_both_ways(tmp_path: Path) -> None:
    """BertForSequenceClassification opens here, and ours there, with equal logits and label names."""
    names = {0: "bad", 1: "good", 2: "so-so"}
    theirs = BertForSequenceClassification(reference_config(id2label=names))
    randomize(theirs)
    (tmp_path / "theirs").mkdir()
    theirs.save_pretrained(tmp_path / "theirs")
    saved = open_model(tmp_path / "theirs")
    assert saved.labels == ("bad", "good", "so-so")
    ours = SequenceModel(saved.shape, outputs=3)
    load_weights(ours, saved, architecture=saved.architecture)
    check_sequences(ours, theirs)
    (tmp_path / "ours").mkdir()
    write_model(
        tmp_path / "ours",
        ours.float(),
        shape=saved.shape,
        architecture="BertForSequenceClassification",
        tokenizer=TOKENIZER,
        labels=saved.labels,
    )
    again, loading = BertForSequenceClassification.from_pretrained(
        tmp_path / "ours", attn_implementation="eager", output_loading_info=True
    )
    assert not any(loading.values()) and again.config.id2label == names
    check_sequences(ours, again)


IDS = st.lists(st.integers(4, 59), min_size=2, max_size=20)


@settings(max_examples=25, deadline=None)
@given(st.lists(IDS, min_size=1, max_size=4), st.lists(IDS, min_size=0, max_size=3))
def test_a_sequence_does_not_see_the_batch_around_it(
    chosen: list[list[int]], others: list[list[int]]
) -> None:
    """Alone, or among other sequences of any length, the outputs are the same."""
    torch.manual_seed(1)
    model = SequenceModel(SHAPE, outputs=2)
    randomize(model)
    model.double().eval()
    with torch.no_grad():
        together = model(ours_of([(ids, len(ids)) for ids in chosen + others]))
        alone = torch.cat([model(ours_of([(ids, len(ids))])) for ids in chosen])
    assert torch.allclose(together[: len(chosen)], alone, rtol=0, atol=1e-11)


def test_dropout_acts_in_training_only() -> None:
    """Attention dropout alone changes training outputs, and evaluation has none at all."""
    shape = SHAPE.model_copy(update={"attention_probs_dropout_prob": 0.5, "hidden_dropout_prob": 0.0})
    model = SequenceModel(shape, outputs=2)
    randomize(model)
    batch = ours_of(SEQUENCES)
    assert not torch.equal(model.train()(batch), model(batch))
    assert torch.equal(model.eval()(batch), model(batch))


def test_weights_start_as_in_the_original_code() -> None:
    """Matrices: normal, cut at two deviations; norms 1 and 0; biases 0 (create_initializer, modeling.py).

    The deviation of a normal cut at two of its own is 0.8796 of it (scipy.stats.truncnorm(-2, 2).std()).
    """
    torch.manual_seed(0)
    shape = ModelShape(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=2, vocab_size=500, initializer_range=0.05
    )
    for name, parameter in PretrainingModel(shape, predicts_next_sentence=True).named_parameters():
        if parameter.ndim >= 2:
            assert parameter.abs().max() <= 0.1, name
            if parameter.numel() > 10_000:
                assert parameter.std().item() == pytest.approx(0.8796 * 0.05, rel=0.05), name
                assert parameter.abs().max() > 0.095, name
        elif "norm.weight" in name:
            assert torch.equal(parameter, torch.ones_like(parameter)), name
        else:
            assert not parameter.any(), name


@pytest.mark.parametrize(
    "sizes",
    [{}, {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}],
    ids=["base", "large"],
)
@pytest.mark.parametrize("predicts_next_sentence", [True, False])
def test_as_many_weights_as_in_transformers(sizes: dict[str, Any], predicts_next_sentence: bool) -> None:
    """BERT base and large have the parameters that the Hugging Face classes have, tied ones once."""
    reference = BertForPreTraining if predicts_next_sentence else BertForMaskedLM
    with torch.device("meta"):
        shape = ModelShape(**sizes, vocab_size=30522)
        ours = PretrainingModel(shape, predicts_next_sentence=predicts_next_sentence)
        theirs = reference(BertConfig(vocab_size=30522, intermediate_size=4 * shape.hidden_size, **sizes))
    assert count_parameters(ours) == sum(parameter.numel() for parameter in theirs.parameters())


def test_base_has_the_known_number_of_weights() -> None:
    """110,106,428 with both heads: BertForPreTraining in transformers 5.23, vocabulary 30,522."""
    with torch.device("meta"):
        model = PretrainingModel(ModelShape(vocab_size=30522), predicts_next_sentence=True)
    assert count_parameters(model) == 110_106_428


def test_the_decoder_is_the_word_embedding() -> None:
    """There is one matrix of the vocabulary's size, and predicting a token moves its word vector."""
    model = PretrainingModel(SHAPE, predicts_next_sentence=False)
    assert [tuple(parameter.shape) for parameter in model.parameters()].count((60, 24)) == 1
    batch = ours_of([([2, 9, 3], 3)])
    logits, _ = model(batch, batch.read_at(np.array([1])))
    logits[0, 50].backward()
    gradient = model.encoder.embeddings.word.weight.grad
    assert gradient is not None and gradient[50].any() and not gradient[51].any()


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    """The message holds both numbers."""
    with pytest.raises(ValueError, match="num_attention_heads = 5 does not divide hidden_size = 24"):
        ModelShape(hidden_size=24, num_attention_heads=5, vocab_size=60)
