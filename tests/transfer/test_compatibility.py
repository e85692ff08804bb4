"""What is said of three models before an LEP."""

from __future__ import annotations

import pytest
import tiny
import torch
from test_lep import retable

from workbench.errors import WorkbenchError
from workbench.progress import Progress
from workbench.transfer.compatibility import LepCheck


def check(tmp_path, **models: object) -> dict:
    return LepCheck(**{k: str(v) for k, v in models.items()}).run(tmp_path / "none", Progress())


def test_siblings_pass_and_strangers_are_warned_of_with_the_number(tmp_path) -> None:
    base, stranger = tiny.folder(tmp_path / "base"), tiny.folder(tmp_path / "stranger", seed=9)
    near = retable(base, tmp_path / "near", lambda t, _: t + 0.1 * t.std() * torch.randn(t.shape, generator=torch.Generator().manual_seed(1)))
    rotation = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(3)))[0]
    turned = retable(base, tmp_path / "turned", lambda t, _: t @ rotation)
    found = check(tmp_path, base=base, adapted=base, instruct=near)
    assert found["warnings"] == []
    assert found["input"]["r2_swap"] > 0.95
    assert found["input"]["r2_map"] is None
    found = check(tmp_path, base=base, adapted=base, instruct=turned)
    assert found["warnings"] == []
    assert found["output"]["r2_swap"] < 0.3 < 0.999 < found["output"]["r2_map"]
    found = check(tmp_path, base=base, adapted=base, instruct=stranger)
    assert [f"The {w} table" in said or f"map of the {w} table" in said for w, said in zip(("input", "output"), found["warnings"], strict=True)] == [True, True]
    best = max(found["input"]["r2_swap"], found["input"]["r2_map"])
    assert f"{best:.2f} of sampled rows" in found["warnings"][0]
    assert not (tmp_path / "none").exists()


def test_sizes_ties_and_trained_layers_are_reported(tmp_path) -> None:
    base, tied = tiny.folder(tmp_path / "base"), tiny.folder(tmp_path / "tied", tied=True, seed=2)
    found = check(tmp_path, base=base, adapted=tied, instruct=base)
    assert [m["tied"] for m in found["models"]] == [False, True, False]
    assert not found["tied"]
    assert found["layers_changed"] > 0
    assert any("layers were trained too" in said for said in found["warnings"])
    assert found["bytes_needed"] > 2 * found["rows_after"] * 16 * 4
    with pytest.raises(WorkbenchError, match="base model has width 16 but the adapted model 32"):
        check(tmp_path, base=base, adapted=tiny.folder(tmp_path / "wide", width=32), instruct=base)


def test_tables_of_zeros_are_an_error_not_a_fit(tmp_path) -> None:
    base = tiny.folder(tmp_path / "base")
    with pytest.raises(WorkbenchError, match="Only 0 rows of the input table could be used"):
        check(tmp_path, base=base, adapted=base, instruct=retable(base, tmp_path / "zero", lambda t, _: torch.zeros_like(t)))
