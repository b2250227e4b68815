"""How large a model is, and that one too large is refused before it is built."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining

from bertpipe.errors import ResourceError
from bertpipe.model import ModelConfig, ModelShape, PretrainingModel, count_parameters
from bertpipe.pretraining.memory import bytes_needed, check_memory, left_in_container, parameters_of

CPU, CUDA = torch.device("cpu"), torch.device("cuda:1")


def shape_of(preset: Any) -> ModelShape:
    return ModelShape(**ModelConfig(preset=preset).model_dump(), vocab_size=30522)


@pytest.mark.parametrize(
    ("preset", "millions", "encoder"),
    [
        ("tiny", 4.4, 4_385_920),
        ("mini", 11.3, 11_170_560),
        ("small", 29.1, 28_763_648),
        ("medium", 41.7, 41_373_184),
        ("base", 110.1, 109_482_240),
        ("large", 336.2, 335_141_888),
    ],
)
def test_presets_have_the_published_numbers_of_parameters(preset: str, millions: float, encoder: int) -> None:
    """With both heads, in millions: Turc et al. 2019, table 1 (large: BertForPreTraining in transformers).

    Encoder and pooler alone (what "110M" and "340M" of Devlin et al. 2019 and the 4.4, 11.2, 28.8 and
    41.4 million of the model cards round): BertModel in transformers 5.23; vocabulary 30,522 throughout.
    """
    shape = shape_of(preset)
    parameters = parameters_of(shape, predicts_next_sentence=True)
    assert round(parameters / 1e6, 1) == millions
    width = shape.hidden_size
    heads = (width * width + width) + 2 * width + 30522 + (2 * width + 2)
    assert parameters - heads == encoder


@pytest.mark.parametrize("has_pairs", [True, False])
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_counting_without_building_counts_what_is_built(layers: int, has_pairs: bool) -> None:
    """The same number as that of the built model, and of the Hugging Face class."""
    sizes = {"hidden_size": 24, "num_hidden_layers": layers, "num_attention_heads": 3, "vocab_size": 60}
    shape = ModelShape(**sizes)  # type: ignore[arg-type]
    counted = parameters_of(shape, predicts_next_sentence=has_pairs)
    assert counted == count_parameters(PretrainingModel(shape, predicts_next_sentence=has_pairs))
    reference = BertForPreTraining if has_pairs else BertForMaskedLM
    theirs = reference(BertConfig(**sizes, intermediate_size=96))
    assert counted == sum(parameter.numel() for parameter in theirs.parameters())


def test_a_model_takes_sixteen_bytes_a_parameter_to_train() -> None:
    """Weight, gradient and two moments of four bytes; saving takes twelve of main memory beside them."""
    assert bytes_needed(1000, device=CPU) == {CPU: 28_000}
    assert bytes_needed(1000, device=CUDA) == {CUDA: 16_000, CPU: 12_000}


def test_processes_take_a_copy_or_a_share_each() -> None:
    """Of main memory all together count; one of them saves. A GPU belongs to one process."""
    assert bytes_needed(1000, device=CPU, processes=2) == {CPU: 44_000}
    assert bytes_needed(1000, device=CPU, processes=2, shared_by=2) == {CPU: 28_000}
    assert bytes_needed(1000, device=CUDA, processes=8) == {CUDA: 16_000, CPU: 12_000}
    assert bytes_needed(1000, device=CUDA, processes=8, shared_by=16) == {CUDA: 1_000, CPU: 12_000}


def test_a_model_larger_than_memory_is_refused_with_both_numbers() -> None:
    """What fits exactly passes; a byte less does not."""
    check_memory({CPU: 28 * 10**9}, parameters=10**9, free=28 * 10**9)
    with pytest.raises(ResourceError) as caught:
        check_memory({CPU: 30 * 10**9}, parameters=10**9, free=28 * 10**9)
    assert "1,000,000,000 parameters needs about 30.0 GB of main memory" in caught.value.message
    assert "gradients" in caught.value.message and "28.0 GB are free" in caught.value.message
    assert "model.preset" in (caught.value.hint or "")
    for needed, what in (
        ({CUDA: 16, CPU: 1}, r"of memory on cuda:1 before the first batch \(weights, gradients"),
        ({CUDA: 1, CPU: 16}, r"of main memory before the first batch \(what a checkpoint is written from"),
    ):
        with pytest.raises(ResourceError, match=what):
            check_memory(needed, parameters=1, free=2)


def test_the_memory_of_this_machine_is_asked() -> None:
    """A small model fits; a petabyte does not."""
    check_memory({CPU: 10**6}, parameters=10**5)
    with pytest.raises(ResourceError, match=r"1,000,000\.0 GB of main memory"):
        check_memory({CPU: 10**15}, parameters=10**13)


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    """Of a group limited to 1000 bytes with 700 in use, 200 of them droppable, 500 are left."""
    assert left_in_container(tmp_path, default=77) == 77
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 200\nactive_file 9\n")
    assert left_in_container(tmp_path, default=77) == 77
    (tmp_path / "memory.max").write_text("1000\n")
    assert left_in_container(tmp_path, default=77) == 500
