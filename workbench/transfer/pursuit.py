"""Orthogonal matching pursuit, for many vectors over the same dictionary of rows.

From step to step only the inner products with the residual are kept up to date: with q the new row made orthogonal to those chosen before, they fall by
(q·e)·(A q), and A q follows from the Gram matrix and the A q of the steps before: m·t numbers a step where the product with the residual is m·h.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

import numpy as np

from .similar import Support
from .threads import spread

if TYPE_CHECKING:
    import torch

TOGETHER = 32  # vectors at a time, at most
ROOM = 1 << 29  # bytes of the inner products kept by all blocks at work
# A block's share: with 64 steps over 30,000 rows it holds 17 vectors. They take 1.3 times as long as by 32, by 8 it is 2.7 times: A is read once a block.
SHARE = ROOM // 4
KEPT = 4  # arrays of the size of one step's beside those that are kept: the inner products, their sizes, what is near
WIDEST = 16_384  # with more rows their Gram matrix is not kept (1 GiB), but made row by row
SPENT = 1e-5  # of the first inner product: what is left below this is rounding
CLOSE = 1e-4  # inner products this near to each other are told apart in fp64, so that rounding in fp32 decides nothing


def pursue(queries: np.ndarray, anchors: np.ndarray, k: int) -> Support:
    """For each of (n, h) up to k of the (m, h) anchors, in the order they were chosen: each has the largest inner product with what the ones before leave.

    `cosines` are those of the query and the anchor. Pati et al. 1993; for embeddings 2506.06607. Beside the vectors, the anchors and their Gram matrix it
    takes up to 512 MiB, more only where k·m inner products of one vector do; how many threads there are changes no result.
    """
    import torch

    # Few rows left to choose make the last inner products small differences of large numbers; fp32 does where k is far from the width.
    exact = np.float64 if 4 * k > anchors.shape[1] or len(anchors) <= 2048 else np.float32
    a, e = torch.from_numpy(np.ascontiguousarray(anchors, dtype=exact)), torch.from_numpy(np.ascontiguousarray(queries, dtype=exact))
    scale = a.norm(dim=1).median().clamp_min(1e-30)  # so that no donor's scale meets the limits of fp32
    a, e = a / scale, e / scale
    k = min(k, len(a))
    whole, squares = a @ a.T if len(a) <= WIDEST else None, a.square().sum(1)

    def gram(best: torch.Tensor, out: torch.Tensor) -> None:
        torch.mm(a[best], a.T, out=out) if whole is None else torch.index_select(whole, 0, best, out=out)

    together, at_once = sizes_of(k, len(a), a.element_size())
    gate = BoundedSemaphore(at_once)

    def part(start: int) -> list[np.ndarray]:
        block = e[start : start + together]
        padded = torch.cat([block, block.new_zeros(together - len(block), block.shape[1])])  # always one shape: always one order of summing
        with gate:
            return _block(padded, a, squares, gram, k)[: len(block)]

    chosen = list(chain.from_iterable(spread(part, range(0, len(e), together))))
    sizes = np.array([len(row) for row in chosen], dtype=np.int64)
    places = np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
    return Support(np.concatenate([[0], np.cumsum(sizes)]), places, _cosines(e, a, sizes, places))


def sizes_of(k: int, m: int, itemsize: int) -> tuple[int, int]:
    """(vectors of a block, blocks at a time) for k steps over m rows: by what they hold, never by the threads, so that every machine sums in one order."""
    each = (k + KEPT) * m * itemsize
    together = min(max(SHARE // each, 1), TOGETHER)
    return together, max(ROOM // (together * each), 1)


def _block(e: torch.Tensor, a: torch.Tensor, squares: torch.Tensor, gram: Callable[[torch.Tensor, torch.Tensor], None], k: int) -> list[np.ndarray]:
    """The rows chosen for each of a few vectors; u = A times the part of a chosen row that is orthogonal to those before."""
    import torch

    rows = torch.arange(len(e))
    inner = e @ a.T
    first = inner.abs().amax(1)
    active = first > 0
    u, scale = inner.new_empty(k, *inner.shape), inner.new_zeros(len(e), k)  # 1 / squared length of each such part; 0 where there is nothing of it
    closed, picked = (torch.full((len(e), k), -1, dtype=torch.int64) for _ in range(2))
    for step in range(k):
        best = _best(inner, closed[:, :step], picked[:, :step], e, a)
        here = inner[rows, best]
        active &= here.abs() > SPENT * first
        if not active.any():
            break
        before = u[:step, rows, best].T
        shares = before * scale[:, :step]
        gram(best, u[step])
        if step:
            u[step][:, None].baddbmm_(shares[:, None], u[:step].transpose(0, 1), alpha=-1)
        left = squares[best] - (shares * before).sum(1)
        fresh = active & (left > 1e-6 * squares[best])  # else it is a combination of those chosen before
        scale[:, step] = torch.where(fresh, 1 / left.clamp_min(1e-30), 0.0)
        inner.addcmul_(u[step], (here * scale[:, step])[:, None], value=-1)
        closed[:, step] = best
        inner.scatter_(1, closed[:, : step + 1], 0.0)  # as it would be but for rounding
        picked[fresh, step] = best[fresh]
    return [row[row >= 0].numpy() for row in picked]


def _best(inner: torch.Tensor, closed: torch.Tensor, picked: torch.Tensor, e: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The place of the largest inner product of each row; of equal ones the first."""
    import torch

    size = inner.abs().scatter_(1, closed, -1.0)
    largest, best = size.max(1)
    close = size > (1 - CLOSE) * largest[:, None]
    for row in torch.nonzero((largest > 0) & (close.sum(1) > 1))[:, 0].tolist():
        near = torch.nonzero(close[row])[:, 0]
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
