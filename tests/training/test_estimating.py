"""Estimates: exact where they can be, larger for more, and a refusal with numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from trained import counting, fresh, quick
from transformers import AutoConfig, AutoModelForCausalLM

from workbench import devices
from workbench.errors import WorkbenchError
from workbench.training.estimating import Shape, UnknownShape, estimate, of_model
from workbench.training.fitting import fit, frozen_body

LLAMA = Shape(width=4096, layers=32, inner=14_336, keys=1024, vocabulary=128_256, tied=False, body=6_979_321_856)
FAMILIES = {
    "llama": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2},
    "mistral": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16},
    "qwen2": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "gpt_neox": {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_parameters_of_a_config_are_those_of_its_model(family: str) -> None:
    import torch

    config = AutoConfig.for_model(family, vocab_size=3_000, **FAMILIES[family])
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    shape = Shape.of(config.to_dict())
    positions = 1024 * 32 if family == "gpt2" else 0
    assert shape.tables + shape.body + positions == pytest.approx(sum(p.numel() for p in model.parameters()), rel=0.02)


def test_the_sizes_that_everyone_knows() -> None:
    config = {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14_336,
        "vocab_size": 128_256, "tie_word_embeddings": False,
    }  # fmt: skip
    assert Shape.of(config) == replace(LLAMA, body=Shape.of(config).body)
    assert LLAMA.tables + Shape.of(config).body == pytest.approx(8.03e9, rel=1e-3)


STEPS = st.builds(
    quick, batch_size=st.integers(1, 64), accumulate=st.integers(1, 8), gradient_checkpointing=st.booleans(), chunked=st.sampled_from(["auto", "off"]),
    dtype=st.just("fp32"),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from([128, 512, 1024]))
def test_more_takes_more(given: object, block: int) -> None:
    def peak(trained: object = "all", given: object = given, block: int = block, **about: object) -> int:
        return estimate(LLAMA, trained, given, block, device="cpu", **about).peak

    assert peak("tables") < peak(10_000_000) < peak("all")
    assert peak("tables", rows=1_000) < peak("tables")
    assert peak(given=replace(given, batch_size=2 * given.batch_size)) >= peak()
    assert peak(block=2 * block) >= peak()
    assert peak(given=replace(given, gradient_checkpointing=True)) <= peak()
    assert peak(given=replace(given, chunked="on")) <= peak(given=replace(given, chunked="off"))


def test_frozen_layers_have_neither_gradients_nor_states() -> None:
    found = estimate(LLAMA, "tables", quick(), 128, device="cpu")
    assert (found.gradients, found.optimizer) == (4 * LLAMA.tables, 8 * LLAMA.tables)


def test_a_loaded_model_is_estimated_as_its_config_is(tmp_path: Path) -> None:
    for part in ("all", "tables"):
        model = fresh(tmp_path / "model")
        shape = Shape.of(model.config.to_dict())
        found = of_model(frozen_body(model) if part == "tables" else model, quick(), counting(block=16))
        told = estimate(shape, part, quick(), 16, device="cpu")
        assert found.peak == pytest.approx(told.peak, rel=0.02)
        assert found.loaded == found.weights


def test_what_cannot_fit_is_refused_with_numbers_before_anything_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = r"needs \d+ MiB more memory \(weights \d+ MiB, gradients .*, optimizer .*, activations .*, logits .*\) and cpu has 0 MiB free; take a smaller batch"
    monkeypatch.setattr(devices, "free_memory", lambda device: 1000)
    model = fresh(tmp_path / "model")
    with pytest.raises(WorkbenchError, match=words):
        fit(model, counting(), quick(batch_size=64))
    with pytest.raises(WorkbenchError, match=r"needs 1\d\d\.\d GiB more memory .* and cpu has 24.0 GiB free"):
        estimate(LLAMA, "all", quick(), 128, device="cpu").check(24 * 2**30)
    assert estimate(LLAMA, "tables", quick(), 128, device="cpu", weight_bytes=2).check(80 * 2**30)


def test_a_config_without_sizes_is_named() -> None:
    with pytest.raises(UnknownShape, match="sizes of a model of type 'mamba' are not understood"):
        Shape.of({"model_type": "mamba", "hidden_size": 8, "vocab_size": 10})


def test_a_model_of_unknown_sizes_is_trained_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fresh(tmp_path / "model")
    monkeypatch.setattr(type(model.config), "to_dict", lambda config: {"model_type": "mamba", "vocab_size": 302})
    assert fit(model, counting(), quick(steps=1)).steps == 1


def test_there_is_memory_here() -> None:
    assert devices.free_memory("cpu") > 2**20


def test_tiny_models_are_tiny(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny.folder(tmp_path))
    assert of_model(model, quick(), counting()).peak < 2**24


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_what_adapters_keep_is_in_the_estimate(dropout: float) -> None:
    """Bytes saved for the backward pass, each once, against the estimate's activations."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from workbench.training.adapters import Lora, learner
    from workbench.training.fitting import Settings

    sizes = {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 64}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = learner(LlamaForCausalLM(LlamaConfig(**sizes)), lora=Lora(8, 32.0, dropout)).model.train()
        own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        kept: dict[int, int] = {}

        def keep(saved: torch.Tensor) -> torch.Tensor:
            place = saved.untyped_storage()
            if place.data_ptr() not in own:
                kept[place.data_ptr()] = place.nbytes()
            return saved

        ids = torch.arange(64)[None]
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
            model.model(input_ids=ids, use_cache=False)
    blocks = [{"input_ids": list(range(64)), "labels": list(range(64))}]
    found = of_model(model, Settings(steps=1, batch_size=1, device="cpu", dtype="fp32"), blocks)
    assert found.activations == pytest.approx(sum(kept.values()), rel=0.3)
