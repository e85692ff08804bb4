"""Sparse combinations of rows, in every number format of a table."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from workbench.transfer import blends
from workbench.transfer.blends import combine


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 11), st.floats(-3, 3)), max_size=6), max_size=8),
    st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    st.sampled_from([1.0, 1e3]),
    st.booleans(),
)
def test_a_combination_is_the_product_rounded_once(rows: list[list[tuple[int, float]]], dtype: torch.dtype, scale: float, large: bool) -> None:
    """Empty rows, and source rows that stand twice in one, among them; few sums and many."""
    indices, data = (np.array([term[n] for row in rows for term in row], dtype=kind) for n, kind in ((0, np.int64), (1, np.float64)))
    ends = np.cumsum([0, *map(len, rows)])
    mix = csr_array((scale * data, indices, ends), shape=(len(rows), 12))
    table = torch.from_numpy(np.random.default_rng(0).standard_normal((12, 5)) / scale).to(dtype)
    wanted = torch.from_numpy(np.stack([scale * data[a:b] @ table.double().numpy()[indices[a:b]] for a, b in itertools.pairwise(ends)] or [[]]))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blends, "LARGE", -1 if large else blends.LARGE)
        patched.setattr(blends, "ROWS", 3)
        found = combine(mix, table)
        turned = combine(mix, table, np.arange(len(rows))[::-1])
    assert found.dtype == dtype
    assert torch.equal(turned.flip(0), found)
    assert torch.allclose(found.double(), wanted.reshape(found.shape), rtol=2 * torch.finfo(dtype).eps, atol=1e-5)
    assert (len(mix.indices), len(mix.data)) == (len(indices), len(data))


@pytest.mark.parametrize("large", [False, True])
def test_large_terms_that_cancel_are_summed_in_fp64(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blends, "LARGE", -1 if large else blends.LARGE)
    table = torch.tensor([[1.0], [1.0], [0.125]])
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert combine(csr_array(np.array([[1e6, -1e6, 1.0]])), table.to(dtype)).item() == 0.125
    assert combine(csr_array(np.array([[1.0 + 1e-9, -1.0, 0.0]])), table).item() == pytest.approx(1e-9, rel=1e-6)


def test_the_rows_asked_for_are_summed_as_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the whole, not by what is asked for, goes how they are summed: a block more or less changes no number."""
    rng = np.random.default_rng(0)
    mix, table = csr_array(rng.standard_normal((20, 30))), torch.from_numpy(rng.standard_normal((30, 40), dtype=np.float32))
    monkeypatch.setattr(blends, "LARGE", 20 * 30 * 40 - 1)
    whole = combine(mix, table)
    monkeypatch.setattr(blends, "_in_panels", None)
    assert torch.equal(combine(mix, table, np.array([3])), whole[[3]])
