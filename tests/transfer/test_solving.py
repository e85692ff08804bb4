"""Small least squares against numpy's, and what makes one differ from the next: length, rank, what stood in its place before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.transfer import combining
from workbench.transfer.combining import combine_rows
from workbench.transfer.similar import Support


def support_of(*parts: list[int]) -> Support:
    anchors = np.array([place for part in parts for place in part], dtype=np.int64)
    return Support(np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64), anchors, np.zeros(len(anchors)))


def by_definition(e: np.ndarray, rows: np.ndarray, ridge: float) -> np.ndarray:
    """argmin ‖cA − e‖² + λ‖c‖², of minimum norm, as one least squares problem."""
    k, h = rows.shape
    level = ridge * (rows * rows).sum() / k
    return np.linalg.lstsq(np.vstack([rows.T, np.sqrt(level) * np.eye(k)]), np.concatenate([e, np.zeros(k)]), rcond=max(k, h) * np.finfo(float).eps)[0]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(-3, 40), st.sampled_from([0.0, 1e-3, 1.0]), st.sampled_from([np.float32, np.float64]), st.integers(0, 10**6))
def test_coefficients_are_those_of_numpy(width: int, narrower: int, ridge: float, kind: type, seed: int) -> None:
    """One row, as many as they are wide, a few more or less."""
    rng, k = np.random.default_rng(seed), max(width - narrower, 1)
    anchors, query = rng.standard_normal((k + 5, width)).astype(kind), rng.standard_normal((1, width)).astype(kind)
    chosen = rng.permutation(k + 5)[:k]
    found, (e, rows) = combine_rows(query, anchors, support_of(chosen.tolist()), ridge), (query[0].astype(float), anchors[chosen].astype(float))
    wanted = by_definition(e, rows, ridge)
    assert np.allclose(found.coefficients, wanted, rtol=1e-6, atol=1e-5 * np.abs(wanted).max())
    assert found.residual[0] == pytest.approx(np.linalg.norm(found.coefficients @ rows - e) / np.linalg.norm(e), abs=1e-8)
    if k <= width and found.by_svd == 0:
        diagonal = np.linalg.cholesky(rows @ rows.T + ridge * (rows * rows).sum() / k * np.eye(k)).diagonal()
        assert found.conditioning[0] == pytest.approx((diagonal.min() / diagonal.max()) ** 2, rel=1e-3)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_equal_rows_and_zero_rows(ridge: float) -> None:
    rng = np.random.default_rng(1)
    anchors, queries = rng.standard_normal((9, 12)), rng.standard_normal((7, 12))
    anchors[1], anchors[2], queries[5] = anchors[0], 0, 0
    parts = [[0, 1, 3], [2, 4], [2], [5], [], [6, 7], [0, 1, 2, 3, 4, 5, 6, 7, 8]]
    support = support_of(*parts)
    found = combine_rows(queries, anchors, support, ridge)
    for query, part in enumerate(parts):
        c = found.coefficients[support.ends[query] : support.ends[query + 1]]
        if part:
            assert np.allclose(c, by_definition(queries[query], anchors[part], ridge), atol=1e-10)
    assert found.coefficients[0] == pytest.approx(found.coefficients[1])
    assert found.residual[2] == 1
    assert np.isnan(found.residual).tolist() == [False] * 4 + [True, True, False]
    assert np.isnan(found.conditioning).tolist() == [False] * 4 + [True] + [False] * 2
    assert found.conditioning[3] == 1
    assert found.by_svd == (1 if ridge else 4)


def test_what_was_solved_before_changes_no_bit(monkeypatch: pytest.MonkeyPatch, threads: Callable[[int], None]) -> None:
    """Long supports and short ones in turn, all in one place or each in its own, on one thread or two."""
    rng = np.random.default_rng(2)
    anchors, queries = rng.standard_normal((60, 33), dtype=np.float32), rng.standard_normal((80, 33), dtype=np.float32)
    support = support_of(*(rng.permutation(60)[: (37 * i) % 36].tolist() for i in range(80)))
    threads(1)
    wanted = combine_rows(queries, anchors, support, 1e-4)
    threads(2)
    for together in (1, 7):
        monkeypatch.setattr(combining, "TOGETHER", together)
        found = combine_rows(queries, anchors, support, 1e-4)
        for name in ("coefficients", "residual", "conditioning"):
            assert np.array_equal(getattr(found, name), getattr(wanted, name), equal_nan=True)
