"""Least squares, many small ones: each token's donor vector from the donor rows of its support.

c = argmin ‖cA − e‖ of minimum norm, so that c·B is what SALT writes as e·A⁺·B, without ever building A⁺B (METHODS: SALT, arXiv 2505.10945).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .similar import Support

if TYPE_CHECKING:
    import torch

NUMBERS = 1 << 22  # donor numbers (fp64) gathered at a time: 32 MiB
# The residual cannot show a bad c: it is flat along near-null directions. Where the factor's diagonal spans more than this (squared), the SVD decides.
SMALLEST = 1e-10
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64)


@dataclass(frozen=True)
class Combined:
    """(nnz,) coefficients in the order of the support; and of each query (n,) the residual ‖cA − e‖/‖e‖ and (smallest / largest diagonal)² of the factor."""

    coefficients: np.ndarray
    residual: np.ndarray
    conditioning: np.ndarray
    by_svd: int


def combine_rows(targets: np.ndarray, anchors: np.ndarray, support: Support, ridge: float = 0.0, affine: bool = False) -> Combined:
    """Coefficients of each target (n, h) over its anchors (of (m, h)); all in fp64.

    `ridge` λ is relative to the mean squared length of the support's rows. `affine`: coefficients that sum to one.
    Raises nothing: what Cholesky cannot solve, the SVD does, and `by_svd` counts it.
    """
    import torch

    e, a = torch.from_numpy(targets.astype(np.float64)), torch.from_numpy(anchors.astype(np.float64))
    sizes = support.sizes
    c, residual, conditioning = np.zeros(len(support.anchors)), np.full(len(sizes), np.nan), np.full(len(sizes), np.nan)
    hard: list[int] = []
    for padded, queries in _buckets(sizes):
        if affine or padded > a.shape[1]:
            hard += queries.tolist()
            continue
        each = max(NUMBERS // (padded * a.shape[1]), 1)
        for start in range(0, len(queries), each):
            mine = queries[start : start + each]
            solved, diagonal, good = _cholesky(e[mine], a, support, mine, padded, ridge)
            conditioning[mine] = diagonal
            for row, query in enumerate(mine):
                c[support.ends[query] : support.ends[query + 1]] = solved[row, : sizes[query]]
            hard += mine[~good].tolist()
    for query in hard:
        part = slice(support.ends[query], support.ends[query + 1])
        c[part] = _by_svd(e[query], a[torch.from_numpy(support.anchors[part])], ridge, affine)
    _residuals(e, a, support, c, residual)
    return Combined(c, residual, conditioning, len(hard))


def _buckets(sizes: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Queries by the size to which their supports are padded."""
    steps = np.array(STEPS)
    padded = np.where(sizes <= steps[-1], steps[np.minimum(np.searchsorted(steps, sizes), len(steps) - 1)], -(-sizes // 32) * 32)
    return [(int(size), np.flatnonzero((padded == size) & (sizes > 0))) for size in np.unique(padded[sizes > 0])]


def _cholesky(e: torch.Tensor, a: torch.Tensor, support: Support, queries: np.ndarray, padded: int, ridge: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(b, padded) coefficients, (b,) conditioning, (b,) whether to trust them: c = e·Aᵀ·(A·Aᵀ)⁻¹."""
    import torch

    sizes = torch.from_numpy(support.sizes[queries])
    inside = torch.arange(padded) < sizes[:, None]
    places = torch.zeros(len(queries), padded, dtype=torch.int64)
    places[inside] = torch.from_numpy(np.concatenate([support.anchors[support.ends[q] : support.ends[q + 1]] for q in queries]))
    rows = a[places] * inside[..., None]
    gram = rows @ rows.mT
    diagonal = gram.diagonal(dim1=1, dim2=2)
    diagonal += torch.where(inside, ridge * diagonal.sum(1, keepdim=True) / sizes[:, None], torch.ones(()))
    factor, failed = torch.linalg.cholesky_ex(gram)
    spread = factor.diagonal(dim1=1, dim2=2)
    low, high = torch.where(inside, spread, torch.inf).amin(1), torch.where(inside, spread, 0).amax(1)
    conditioning = torch.nan_to_num((low / high) ** 2, nan=0.0)
    good = (failed == 0) & (conditioning >= SMALLEST)
    factor[~good] = torch.eye(padded, dtype=factor.dtype)
    solved = torch.cholesky_solve((rows @ e[..., None]), factor)[..., 0]
    return solved.numpy(), conditioning.numpy(), good.numpy()


def _by_svd(e: torch.Tensor, rows: torch.Tensor, ridge: float, affine: bool) -> np.ndarray:
    """The definition itself, for one token: e·A⁺; `affine` from the rows' centre, where the coefficients sum to one."""
    import torch

    k, h = rows.shape
    centre = rows.mean(0) if affine else torch.zeros(h, dtype=rows.dtype)
    rows, e = rows - centre, e - centre
    if ridge:
        level = ridge * (rows * rows).sum() / k
        c = torch.linalg.solve(rows @ rows.T + level * torch.eye(k, dtype=rows.dtype), rows @ e)
    else:
        c = e @ torch.linalg.pinv(rows, rtol=max(k, h) * torch.finfo(rows.dtype).eps)
    return (c + (1 - c.sum()) / k if affine else c).numpy()


def _residuals(e: torch.Tensor, a: torch.Tensor, support: Support, c: np.ndarray, out: np.ndarray) -> None:
    import torch
    from scipy.sparse import csr_array

    lengths, base = e.norm(dim=1).numpy(), a.numpy()
    for start in range(0, len(lengths), 1024):
        stop = min(start + 1024, len(lengths))
        part = slice(support.ends[start], support.ends[stop])
        made = csr_array((c[part], support.anchors[part], support.ends[start : stop + 1] - support.ends[start]), shape=(stop - start, len(base))) @ base
        off = np.linalg.norm(made - torch.Tensor.numpy(e[start:stop]), axis=1)
        np.divide(off, lengths[start:stop], out=out[start:stop], where=(lengths[start:stop] > 0) & (support.sizes[start:stop] > 0))
