"""Orthogonal matching pursuit, for many vectors over the same dictionary of rows.

From step to step only the inner products with the residual are kept up to date: with q the new row made orthogonal to those chosen before, they fall by
(q·e)·(A q), and A q follows from the Gram matrix and the A q of the steps before. That is m·t numbers a step where the product with the residual is m·h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .similar import Support

if TYPE_CHECKING:
    import torch

TOGETHER = 8  # vectors at a time: their m·k numbers stay in the cache
SPENT = 1e-5  # of the first inner product: what is left below this is rounding
CLOSE = 1e-4  # inner products this near to each other are told apart in fp64, so that rounding in fp32 decides nothing


def pursue(queries: np.ndarray, anchors: np.ndarray, k: int) -> Support:
    """For each of (n, h) up to k of the (m, h) anchors, in the order they were chosen: each has the largest inner product with what the ones before leave.

    `cosines` are those of the query and the anchor. Pati et al. 1993; for embeddings 2506.06607.
    """
    import torch

    # Few rows left to choose make the last inner products small differences of large numbers; fp32 does where k is far from the width.
    exact = np.float64 if 4 * k > anchors.shape[1] or len(anchors) <= 2048 else np.float32
    a, e = torch.from_numpy(np.ascontiguousarray(anchors, dtype=exact)), torch.from_numpy(np.ascontiguousarray(queries, dtype=exact))
    scale = a.norm(dim=1).median().clamp_min(1e-30)  # so that no donor's scale meets the limits of fp32
    a, e = a / scale, e / scale
    gram, k = a @ a.T, min(k, len(a))
    chosen: list[np.ndarray] = []
    for start in range(0, len(e), TOGETHER):
        block = e[start : start + TOGETHER]
        padded = torch.cat([block, block.new_zeros(TOGETHER - len(block), block.shape[1])])  # always one shape: always one order of summing
        chosen += _block(padded, a, gram, k)[: len(block)]
    sizes = np.array([len(row) for row in chosen], dtype=np.int64)
    places = np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
    return Support(np.concatenate([[0], np.cumsum(sizes)]), places, _cosines(e, a, sizes, places))


def _block(e: torch.Tensor, a: torch.Tensor, gram: torch.Tensor, k: int) -> list[np.ndarray]:
    import torch

    rows = torch.arange(len(e))
    inner = e @ a.T
    first = inner.abs().amax(1)
    along = inner.new_zeros(len(e), k, inner.shape[1])  # A q of each step
    open_, active = torch.ones_like(inner, dtype=torch.bool), first > 0
    picked, used = torch.full((len(e), k), -1, dtype=torch.int64), torch.zeros(len(e), dtype=torch.int64)
    for step in range(k):
        best = _best(inner, open_, picked[:, :step], e, a)
        active &= inner.abs().gather(1, best[:, None])[:, 0] > SPENT * first
        if not active.any():
            break
        before = along[:, :step].gather(2, best[:, None, None].expand(-1, step, 1))
        new = torch.baddbmm(gram[best][:, None], before.mT, along[:, :step], alpha=-1)[:, 0] if step else gram[best].clone()
        left = gram[best, best] - before.square().sum((1, 2))
        fresh = active & (left > 1e-6 * gram[best, best])  # else it is a combination of those chosen before
        new *= torch.where(fresh, left.clamp_min(1e-30).rsqrt(), 0.0)[:, None]
        along[:, step] = new
        part = torch.where(fresh, inner[rows, best] * left.clamp_min(1e-30).rsqrt(), 0.0)
        inner.addcmul_(new, part[:, None], value=-1)
        open_[rows, best] = False
        picked[fresh, step] = best[fresh]
        used += fresh
    return [row[row >= 0].numpy() for row in picked]


def _best(inner: torch.Tensor, open_: torch.Tensor, picked: torch.Tensor, e: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The place of the largest inner product of each row; of equal ones the first."""
    import torch

    size = inner.abs().masked_fill_(~open_, -1.0)
    values, places = size.topk(min(2, size.shape[1]), dim=1)
    best = places[:, 0].clone()
    if values.shape[1] < 2:
        return best
    for row in torch.nonzero((values[:, 0] > 0) & (values[:, 1] > (1 - CLOSE) * values[:, 0]))[:, 0].tolist():
        near = torch.nonzero(size[row] > (1 - CLOSE) * values[row, 0])[:, 0]
        chosen = a[picked[row][picked[row] >= 0]].double()
        target = e[row].double()
        left = target - (torch.linalg.lstsq(chosen.T, target[:, None]).solution[:, 0] @ chosen if len(chosen) else 0)
        exact = (a[near].double() @ left).abs()
        best[row] = near[int((exact >= exact.max() * (1 - 1e-9)).nonzero()[0])]
    return best


def _cosines(e: torch.Tensor, a: torch.Tensor, sizes: np.ndarray, places: np.ndarray) -> np.ndarray:
    import torch

    found = np.zeros(len(places))
    lengths, owners = a.norm(dim=1), np.repeat(np.arange(len(sizes)), sizes)
    for start in range(0, len(places), 1 << 14):
        part = slice(start, start + (1 << 14))
        mine, theirs = torch.from_numpy(owners[part]), torch.from_numpy(places[part])
        found[part] = ((e[mine] * a[theirs]).sum(1) / (e[mine].norm(dim=1) * lengths[theirs]).clamp_min(1e-30)).numpy()
    return found
