"""Least squares, many small ones: each token's donor vector from the donor rows of its support.

c = argmin ‖cA − e‖ of minimum norm, so that c·B is what SALT writes as e·A⁺·B, without ever building A⁺B (METHODS: SALT, arXiv 2505.10945).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .similar import Support
from .threads import spread

if TYPE_CHECKING:
    import torch

NUMBERS = 1 << 22  # donor numbers (fp64) gathered at a time: 32 MiB; smaller batches lose more to the meeting of threads than they save in the cache
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

    a = torch.from_numpy(
        np.concatenate([anchors, np.zeros_like(anchors[:1])]).astype(np.float64)
    )  # the last row stands where a support is shorter than its bucket
    n, sizes, nowhere = len(support.sizes), support.sizes, len(a) - 1
    c, residual, conditioning = np.zeros(len(support.anchors)), np.full(n, np.nan), np.full(n, np.nan)
    hard: list[int] = []
    batches: list[tuple[int, np.ndarray]] = []
    for padded, queries in _buckets(sizes):
        if affine or padded > a.shape[1]:
            hard += queries.tolist()
            continue
        each = max(NUMBERS // (padded * a.shape[1]), 1)
        batches += [(padded, queries[start : start + each]) for start in range(0, len(queries), each)]

    def solve(batch: tuple[int, np.ndarray]) -> np.ndarray:
        padded, mine = batch
        inside = np.arange(padded) < sizes[mine, None]
        where = (support.ends[mine, None] + np.arange(padded))[inside]
        places = np.full(inside.shape, nowhere)
        places[inside] = support.anchors[where]
        e = torch.from_numpy(targets[mine].astype(np.float64))
        solved, residual[mine], conditioning[mine], good = _cholesky(e, a[torch.from_numpy(places)], torch.from_numpy(inside), ridge)
        c[where] = solved[inside]
        return mine[~good]

    hard += np.concatenate([np.zeros(0, np.int64), *spread(solve, batches)]).tolist()

    def solve_alone(query: int) -> bool:
        part, e = slice(support.ends[query], support.ends[query + 1]), torch.from_numpy(targets[query].astype(np.float64))
        rows = a[torch.from_numpy(support.anchors[part])]
        wide = _more_than_wide(e, rows, ridge) if len(rows) > a.shape[1] and not affine else None
        solved = _by_svd(e, rows, ridge, affine) if wide is None else wide
        c[part], residual[query] = solved.numpy(), _relative(solved @ rows - e, e)
        return wide is None

    return Combined(c, residual, conditioning, sum(spread(solve_alone, hard)))


def _buckets(sizes: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Queries by the size to which their supports are padded."""
    steps = np.array(STEPS)
    padded = np.where(sizes <= steps[-1], steps[np.minimum(np.searchsorted(steps, sizes), len(steps) - 1)], -(-sizes // 32) * 32)
    return [(int(size), np.flatnonzero((padded == size) & (sizes > 0))) for size in np.unique(padded[sizes > 0])]


def _cholesky(e: torch.Tensor, rows: torch.Tensor, inside: torch.Tensor, ridge: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(b, padded) coefficients, (b,) residual, (b,) conditioning, (b,) whether to trust them: c = e·Aᵀ·(A·Aᵀ)⁻¹; rows outside are zero."""
    import torch

    gram = rows @ rows.mT
    diagonal = gram.diagonal(dim1=1, dim2=2)
    diagonal += torch.where(inside, ridge * diagonal.sum(1, keepdim=True) / inside.sum(1, keepdim=True), torch.ones(()))
    factor, failed = torch.linalg.cholesky_ex(gram)
    spread = factor.diagonal(dim1=1, dim2=2)
    low, high = torch.where(inside, spread, torch.inf).amin(1), torch.where(inside, spread, 0).amax(1)
    conditioning = torch.nan_to_num((low / high) ** 2, nan=0.0)
    good = (failed == 0) & (conditioning >= SMALLEST)
    factor[~good] = torch.eye(factor.shape[1], dtype=factor.dtype)
    solved = torch.cholesky_solve(rows @ e[..., None], factor)[..., 0]
    residual = _relative((solved[:, None] @ rows)[:, 0] - e, e)
    return solved.numpy(), residual.numpy(), conditioning.numpy(), good.numpy()


def _relative(off: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
    """Length relative to that of e; NaN where there is nothing to be relative to."""
    lengths = e.norm(dim=-1)
    return (off.norm(dim=-1) / lengths).masked_fill_(lengths == 0, float("nan"))


def _more_than_wide(e: torch.Tensor, rows: torch.Tensor, ridge: float) -> torch.Tensor | None:
    """c = e·(AᵀA)⁻¹·Aᵀ, for more rows than they are wide; None where that is too ill-conditioned to be trusted."""
    import torch

    gram = rows.T @ rows
    gram.diagonal().add_(ridge * float(gram.diagonal().sum()) / len(rows))
    factor, failed = torch.linalg.cholesky_ex(gram)
    spread = factor.diagonal()
    if failed or (spread.min() / spread.max()) ** 2 < SMALLEST:
        return None
    return rows @ torch.cholesky_solve(e[:, None], factor)[:, 0]


def _by_svd(e: torch.Tensor, rows: torch.Tensor, ridge: float, affine: bool) -> torch.Tensor:
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
    return c + (1 - c.sum()) / k if affine else c
