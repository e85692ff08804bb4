"""Least squares over few rows at a time, compiled. This module is loaded where solving begins.

What takes long is the Gram matrix: four rows by four, each number that is loaded goes into four sums. The target stands as the last row, so that its inner
products come with the others and its row of the Cholesky factor is what is left to substitute back.
"""

from __future__ import annotations

import numpy as np

from .compiling import compiled


@compiled
def _products(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """The (4, 4) inner products of four rows and four."""
    a0, a1, a2, a3, b0, b1, b2, b3 = a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = 0.0
    for i in range(len(a0)):
        u0, u1, u2, u3, v0, v1, v2, v3 = a0[i], a1[i], a2[i], a3[i], b0[i], b1[i], b2[i], b3[i]
        s00, s01, s02, s03 = s00 + u0 * v0, s01 + u0 * v1, s02 + u0 * v2, s03 + u0 * v3
        s10, s11, s12, s13 = s10 + u1 * v0, s11 + u1 * v1, s12 + u1 * v2, s13 + u1 * v3
        s20, s21, s22, s23 = s20 + u2 * v0, s21 + u2 * v1, s22 + u2 * v2, s23 + u2 * v3
        s30, s31, s32, s33 = s30 + u3 * v0, s31 + u3 * v1, s32 + u3 * v2, s33 + u3 * v3
    out[0, 0], out[0, 1], out[0, 2], out[0, 3] = s00, s01, s02, s03
    out[1, 0], out[1, 1], out[1, 2], out[1, 3] = s10, s11, s12, s13
    out[2, 0], out[2, 1], out[2, 2], out[2, 3] = s20, s21, s22, s23
    out[3, 0], out[3, 1], out[3, 2], out[3, 3] = s30, s31, s32, s33


@compiled
def _dot(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@compiled
def _take(a: np.ndarray, c: float, b: np.ndarray) -> None:
    """a − c·b, in place."""
    for i in range(len(a)):
        a[i] -= c * b[i]


@compiled
def _copy(row: np.ndarray, to: np.ndarray) -> None:
    for i in range(len(to)):
        to[i] = row[i]


@compiled
def _factor(gram: np.ndarray, k: int, ridge: float) -> float:
    """The Cholesky factor of the first k rows, in place of their inner products, and the row of it that follows; (smallest / largest diagonal)², 0 where there
    is none."""
    level, low, high = 0.0, np.inf, 0.0
    for i in range(k):
        level += ridge * gram[i, i] / k
    for i in range(k + 1):
        row = gram[i]
        for j in range(min(i, k)):
            before = gram[j]
            row[j] = (row[j] - _dot(row[:j], before[:j])) / before[j]
        if i < k:
            height = row[i] + level - _dot(row[:i], row[:i])
            if height <= 0:
                return 0.0
            row[i], low, high = np.sqrt(height), min(low, height), max(high, height)
    return low / high


@compiled
def solve_each(
    targets: np.ndarray, anchors: np.ndarray, ends: np.ndarray, places: np.ndarray, ridge: float, c: np.ndarray, residual: np.ndarray, conditioning: np.ndarray
) -> None:
    """Of each of (n, h) targets the coefficients (of c, where its `places` stand), residual and conditioning (n,).

    Left as it is: what has no support, or more rows than they are wide; and where there is no factor, all but the conditioning, which is 0 there. A residual
    has only what has a length.
    """
    h, most = anchors.shape[1], 0
    for q in range(len(targets)):
        most = max(most, min(ends[q + 1] - ends[q], h))
    size = most + 4 - most % 4
    rows, gram = np.zeros((size, h)), np.zeros((size, size))  # nothing reads the products of rows that are left from a longer support
    for q in range(len(targets)):
        start, k = ends[q], ends[q + 1] - ends[q]
        if k == 0 or k > h:
            continue
        for j in range(k):
            _copy(anchors[places[start + j]], rows[j])
        left, shares = rows[k], gram[k]
        _copy(targets[q], left)
        for i in range(0, k + 1, 4):
            for j in range(0, i + 4, 4):
                _products(rows[i : i + 4], rows[j : j + 4], gram[i : i + 4, j : j + 4])
        length = np.sqrt(shares[k])
        conditioning[q] = _factor(gram, k, ridge)
        if conditioning[q] == 0:
            continue
        for j in range(k - 1, -1, -1):
            c[start + j] = shares[j] / gram[j, j]
            _take(shares[:j], c[start + j], gram[j, :j])
            _take(left, c[start + j], rows[j])
        if length > 0:
            residual[q] = np.sqrt(_dot(left, left)) / length
