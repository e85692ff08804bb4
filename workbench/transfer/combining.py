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

TOGETHER = 64  # queries at a time, on one thread
# The residual cannot show a bad c: it is flat along near-null directions. Where the factor's diagonal spans more than this (squared), the SVD decides.
SMALLEST = 1e-10


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

    from .solving import solve_each

    kind, n = np.result_type(targets, anchors, np.float32), len(support.sizes)
    targets, anchors = np.ascontiguousarray(targets, kind), np.ascontiguousarray(anchors, kind)
    c, residual, conditioning = np.zeros(len(support.anchors)), np.full(n, np.nan), np.full(n, np.nan)

    def solve(start: int) -> None:
        mine = slice(start, start + TOGETHER)
        solve_each(targets[mine], anchors, support.ends[start:], support.anchors, ridge, c, residual[mine], conditioning[mine])

    for _ in spread(solve, range(0, 0 if affine else n, TOGETHER)):
        pass

    def solve_alone(query: int) -> bool:
        part, e = slice(support.ends[query], support.ends[query + 1]), torch.from_numpy(targets[query].astype(np.float64))
        rows = torch.from_numpy(anchors[support.anchors[part]].astype(np.float64))
        wide = _more_than_wide(e, rows, ridge) if len(rows) > rows.shape[1] and not affine else None
        solved = _by_svd(e, rows, ridge, affine) if wide is None else wide
        c[part], residual[query] = solved.numpy(), _relative(solved @ rows - e, e)
        return wide is None

    hard = np.flatnonzero((support.sizes > 0) & ~(conditioning >= SMALLEST))
    return Combined(c, residual, conditioning, sum(spread(solve_alone, hard)))


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
    if level := ridge * float((rows * rows).sum()) / k:
        c = torch.linalg.solve(rows @ rows.T + level * torch.eye(k, dtype=rows.dtype), rows @ e)
    else:
        c = e @ torch.linalg.pinv(rows, rtol=max(k, h) * torch.finfo(rows.dtype).eps)
    return c + (1 - c.sum()) / k if affine else c
