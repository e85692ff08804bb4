"""Supports by their definition, whatever the blocks and threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.transfer import combining, pursuit, similar
from workbench.transfer.combining import combine_rows
from workbench.transfer.pursuit import pursue
from workbench.transfer.similar import Support, nearest_k, sparsemax, unit


def random(n: int, m: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, width)), rng.standard_normal((m, width))


def by_definition(z: np.ndarray) -> np.ndarray:
    """sparsemax(z): the point of the simplex nearest to z."""
    ordered = np.sort(z)[::-1]
    last = max(j for j in range(1, len(z) + 1) if 1 + j * ordered[j - 1] > ordered[:j].sum())
    return np.maximum(z - (ordered[:last].sum() - 1) / last, 0)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(1, 300), st.integers(1, 8), st.integers(0, 10**6), st.sampled_from([0.3, 1.0, 3.0]))
def test_sparsemax_is_the_projection_onto_the_simplex(n: int, m: int, width: int, seed: int, temperature: float) -> None:
    queries, anchors = random(n, m, width, seed)
    support = sparsemax(queries, anchors, temperature)
    weights = support.sparsemax(temperature)
    cosines = unit(queries) @ unit(anchors).T
    for row in range(n):
        part = slice(support.ends[row], support.ends[row + 1])
        wanted = by_definition(cosines[row] / temperature)
        made = np.zeros(m)
        made[support.anchors[part]] = weights[part]
        assert np.allclose(made, wanted, atol=1e-5)
        assert (np.diff(support.cosines[part]) <= 0).all()
        assert np.isclose(weights[part].sum(), 1)


@pytest.mark.parametrize("width", [3, 300])
def test_what_the_screening_computes_in_changes_nothing(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Anchors in tight crowds, which bf16 cannot tell apart: their cosines differ by less than it rounds away."""
    rng = np.random.default_rng(0)
    anchors = rng.standard_normal((40, width)).repeat(50, axis=0) + 1e-4 * rng.standard_normal((2000, width))
    queries = np.concatenate([anchors[::100] + 1e-3 * rng.standard_normal((20, width)), rng.standard_normal((20, width))])
    alike(monkeypatch, queries, anchors)


def test_what_rounding_to_bf16_can_do_at_worst_is_reckoned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every factor lies beside the middle of two bf16 numbers, so that all products are off the same way: 0.016 apart, and in the wrong order."""
    sizes = np.array([0.5, *[0.25] * 3, *[0.125] * 3, *[0.0625] * 3]) * (1 + 2**-8)
    query = np.concatenate([sizes * (1 - 1e-6), sizes * (1 + 1e-6), [0, 0]])
    signs, rest = np.repeat([1, -1, 0], [10, 10, 2]), np.sqrt(1 - query @ query)
    anchors = np.stack([-query * signs, query * signs])
    query[20] = anchors[1, 20] = anchors[0, 21] = rest
    coarse = (torch.from_numpy(query).bfloat16() @ torch.from_numpy(anchors).bfloat16().T).float()
    exact = anchors @ query
    assert (exact[1] > exact[0]) != bool(coarse[1] > coarse[0])
    alike(monkeypatch, query[None], anchors, most=1)


def alike(monkeypatch: pytest.MonkeyPatch, queries: np.ndarray, anchors: np.ndarray, most: int = 7) -> None:
    """The same is found, to the bit, whatever the screening computes in."""
    ways = (
        lambda: sparsemax(queries, anchors), lambda: sparsemax(queries, anchors, 0.1), lambda: sparsemax(queries, anchors, 0.001),
        lambda: sparsemax(queries, anchors, most=most), lambda: nearest_k(queries, anchors, most),
    )  # fmt: skip
    for find in ways:
        found = []
        for kind in (torch.float64, torch.float32, torch.bfloat16):
            monkeypatch.setattr(similar, "coarse_kind", lambda kind=kind: kind)
            found.append(find())
        for other in found[1:]:
            assert (other.ends == found[0].ends).all()
            assert (other.anchors == found[0].anchors).all()
            assert (other.cosines == found[0].cosines).all()


def test_a_support_may_be_longer_than_the_first_look() -> None:
    rng = np.random.default_rng(0)
    anchors = 1 + 1e-3 * rng.standard_normal((700, 5))  # all alike: sparsemax gives weight to hundreds
    support = sparsemax(anchors[:3], anchors)
    assert (support.sizes > 500).all()
    for most in (1, 7, similar.LOOK, similar.LOOK + 1):
        first = sparsemax(anchors[:3], anchors, most=most)
        assert (first.sizes == most).all()
        assert first.anchors.tolist() == [place for start in support.ends[:-1] for place in support.anchors[start : start + most]]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 12), st.integers(0, 10**6))
def test_the_nearest_k_are_the_nearest_and_softmax_sums_to_one(n: int, m: int, k: int, seed: int) -> None:
    queries, anchors = random(n, m, 6, seed)
    support = nearest_k(queries, anchors, k)
    cosines = unit(queries) @ unit(anchors).T
    for row in range(n):
        mine = support.anchors[support.ends[row] : support.ends[row + 1]]
        assert np.allclose(np.sort(cosines[row])[::-1][: min(k, m)], cosines[row][mine], atol=1e-6)
    shares = support.softmax(0.1)
    assert np.allclose(np.add.reduceat(shares, support.ends[:-1]), 1)


def test_of_equal_anchors_the_first_counts() -> None:
    anchors = np.repeat(np.eye(3), 4, axis=0)
    assert nearest_k(np.eye(3)[1:2], anchors, 3).anchors.tolist() == [4, 5, 6]


def test_blocks_and_threads_change_no_support_and_hardly_a_number(monkeypatch: pytest.MonkeyPatch, threads) -> None:
    queries, anchors = random(70, 130, 24, 1)
    anchors[50:60] = anchors[:10]  # exact ties

    def everything() -> list[np.ndarray]:
        support, greedy = sparsemax(queries, anchors), pursue(queries, anchors, 9)
        return [support.anchors, greedy.anchors, combine_rows(queries, anchors, support).coefficients, combine_rows(queries, anchors, greedy).coefficients]

    threads(1)
    first = everything()
    threads(2)
    monkeypatch.setattr(similar, "AT_ONCE", 1)
    monkeypatch.setattr(combining, "TOGETHER", 1)
    monkeypatch.setattr(pursuit, "TOGETHER", 3)
    second = everything()
    for a, b in zip(first, second, strict=True):
        assert a.shape == b.shape
        assert np.allclose(a, b, rtol=1e-6, atol=1e-12) if a.dtype == float else (a == b).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(2, 30), st.integers(0, 10**6))
def test_coefficients_are_the_pseudo_inverse_row_by_row(n: int, m: int, width: int, seed: int) -> None:
    queries, anchors = random(n, m, width, seed)
    support = sparsemax(queries, anchors, 3.0)
    found = combine_rows(queries, anchors, support)
    for row in range(n):
        part = slice(support.ends[row], support.ends[row + 1])
        chosen = anchors[support.anchors[part]]
        assert np.allclose(found.coefficients[part], queries[row] @ np.linalg.pinv(chosen), rtol=1e-6, atol=1e-8)
        off = np.linalg.norm(found.coefficients[part] @ chosen - queries[row]) / np.linalg.norm(queries[row])
        assert found.residual[row] == pytest.approx(off, abs=1e-8)


def test_nearly_equal_rows_are_solved_by_the_definition() -> None:
    """There fp32 and the normal equations are far off in c though the residual looks right."""
    rng = np.random.default_rng(0)
    anchors = rng.standard_normal((6, 16))
    anchors[1] = anchors[0] + 1e-9 * rng.standard_normal(16)
    query = rng.standard_normal((1, 16))
    support = Support(np.array([0, 6]), np.arange(6), np.zeros(6))
    found = combine_rows(query, anchors, support)
    assert found.by_svd == 1
    assert np.allclose(found.coefficients, query[0] @ np.linalg.pinv(anchors, rcond=16 * np.finfo(float).eps), rtol=1e-4)


def test_affine_coefficients_sum_to_one_and_ridge_shrinks() -> None:
    queries, anchors = random(20, 30, 12, 2)
    support = nearest_k(queries, anchors, 6)
    affine = combine_rows(queries, anchors, support, affine=True)
    assert np.allclose(affine.coefficients.reshape(20, 6).sum(1), 1)
    sizes = [np.abs(combine_rows(queries, anchors, support, ridge=r).coefficients).sum() for r in (0, 0.1, 1, 10)]
    assert sizes == sorted(sizes, reverse=True)
