"""Which number format pays is measured once, and said the same every time."""

from __future__ import annotations

import pytest
import torch

from workbench.training import probing

CPU = torch.device("cpu")


def test_a_given_format_is_taken_as_it_is() -> None:
    assert [probing.training_format(name, CPU) for name in ("fp32", "bf16", "fp16")] == [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize(("fast", "chosen"), [(1.1, torch.float32), (2.0, torch.bfloat16)])
def test_auto_is_bf16_only_where_it_is_clearly_faster(monkeypatch: pytest.MonkeyPatch, fast: float, chosen: torch.dtype) -> None:
    probing.bf16_pays.cache_clear()
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(probing, "seconds", lambda dtype: {"fp32": fast, "bf16": 1.0}[dtype])
    try:
        assert probing.training_format("auto", CPU) == chosen
    finally:
        probing.bf16_pays.cache_clear()


def test_several_processes_agree_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "bf16_pays", lambda: True)
    assert probing.training_format("auto", CPU) == torch.bfloat16
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert probing.training_format("auto", CPU) == torch.float32


def test_a_processor_without_the_instructions_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    probing.bf16_pays.cache_clear()
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(probing, "seconds", lambda dtype: pytest.fail("it was measured"))
    try:
        assert probing.training_format("auto", CPU) == torch.float32
    finally:
        probing.bf16_pays.cache_clear()


def test_a_product_takes_time() -> None:
    assert probing.seconds("fp32", side=64) > 0
    assert probing.multiply_adds_per_second("fp32", "cpu") == probing.multiply_adds_per_second("fp32", "cpu") > 0
