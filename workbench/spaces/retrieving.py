"""Nearest rows by cosine, always among full vectors and in blocks, so that memory does not grow with what is searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..progress import Progress
    from .opening import Space

NEAREST = 10  # neighbours that CSLS and hubness look at (Conneau et al. 2018, arXiv 1710.04087)
QUERIES, POOL = 1024, 2048  # rows of one product: 8 MB of cosines; in this shape they take no longer than in one whole product
FIRST = 256  # queries of the first product, from which CSLS learns what is near; its own are taken again
RIVALS, RISE = 64, 0.1  # of a query: rows that its answer's CSLS may not be above, and how much the answer's r/2 may still grow
EQUAL = 1e-6  # cosines this near to each other are equal, and then the right answer comes last


@dataclass(frozen=True)
class Near:
    """Of n queries the k nearest of a pool: (n, k) cosines in falling order, (n, k) places in the pool (-1 where the pool has fewer)."""

    cosines: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Retrieval:
    """How well each of n queries finds what belongs to it.

    Attributes:
        rank: (n,) of the right answer among the pool, 1 the best; where several are right, of the best of them. Of rows equal to it it comes last.
        csls: the same by CSLS, which takes from each cosine how near its two ends lie to others.
        occurrence: (m,) in how many of the queries' ten nearest each of the pool is.
    """

    rank: np.ndarray
    csls: np.ndarray
    occurrence: np.ndarray


def neighbours(space: Space, token: str | int | np.ndarray, k: int = 8) -> list[dict[str, Any]]:
    """The k nearest tokens of one token (or of a vector of the space's width) by cosine among all: token, id, cosine.

    Raises WorkbenchError where there is no such token, or its row has no direction.
    """
    import torch

    from ..errors import WorkbenchError

    own = -1 if isinstance(token, np.ndarray) else space.find(token)
    vector = torch.from_numpy(np.asarray(token, dtype=np.float32)) if own < 0 else space.rows[own].float()
    length = float(vector.norm())
    if not length > 0 or not np.isfinite(length):
        raise WorkbenchError("A row of zeros, or with NaN or infinity, has no direction and so no neighbours; choose another token.")
    found = space.products(vector)
    found /= torch.from_numpy(np.where(space.usable, space.norms, np.inf).astype(np.float32)) * length
    found[~torch.from_numpy(space.usable)] = -2
    if own >= 0:
        found[own] = -2
    values, ids = found.topk(min(k, len(found)))
    pairs = zip(ids.tolist(), values.tolist(), strict=True)
    return [{"token": space.tokens.printable(i), "id": i, "cosine": round(value, 4)} for i, value in pairs if value >= -1.5]


def nearest(queries: np.ndarray, pool: np.ndarray, k: int = NEAREST, without: np.ndarray | None = None, progress: Progress | None = None) -> Near:
    """The k nearest rows of (m, d) for each of (n, d), by cosine; `without` (n,) names the place in the pool that each query may not find: itself."""
    from . import ranking

    values, places = ranking.room(len(queries), min(k, len(pool)))

    def take(block: np.ndarray, start: int, first: int) -> None:
        if without is not None:
            mine = without[start : start + len(block)] - first
            inside = (mine >= 0) & (mine < block.shape[1])
            block[np.flatnonzero(inside), mine[inside]] = ranking.NONE
        ranking.rows(block, first, values[start : start + len(block)], places[start : start + len(block)])

    _products(queries, pool, take, progress)
    return Near(values, places)


def retrieve(
    queries: np.ndarray, pool: np.ndarray, right: Sequence[Sequence[int]] | np.ndarray, csls: bool = True, progress: Progress | None = None
) -> Retrieval:
    """Rank the right answers of (n, d) queries among a pool (m, d) by cosine, and by CSLS.

    `right`: (n,) the place of each answer, or a list of places where there may be several. CSLS takes a second product, but only of the first queries
    and of those whose answer has many rivals.
    """
    from . import ranking

    q, p = unit(queries), unit(pool)
    owner, place = _pairs(right)
    parts = [slice(first, first + QUERIES) for first in range(0, len(owner), QUERIES)]
    cosine = np.concatenate([np.einsum("nd,nd->n", q[owner[part]], p[place[part]]) for part in parts])
    row_values, row_places = ranking.room(len(q), min(NEAREST, len(p)))
    own, nothing, counts = _best(owner, cosine, len(q)), np.zeros(len(p), dtype=np.float32), np.zeros(len(q), dtype=np.int64)
    held_back = _HeldBack(owner, place, cosine, len(q), len(p)) if csls else None

    def take(block: np.ndarray, start: int, first: int) -> None:
        mine, theirs = slice(start, start + len(block)), slice(first, first + block.shape[1])
        ranking.rows(block, first, row_values[mine], row_places[mine])
        ranking.above(block, nothing[theirs], own[mine] - np.float32(EQUAL), counts[mine])
        if held_back:
            held_back.take(block, start, first)

    _products(q, p, take, progress, ready=True)
    occurrence = np.bincount(row_places[row_places >= 0], minlength=len(p))
    rank = np.maximum(counts - _others(owner, cosine, own, len(q)), 1)
    return Retrieval(rank, held_back.ranks(q, p, progress) if held_back else rank, occurrence)


class _HeldBack:
    """Ranks by CSLS, 2·cos(x, y) − r(x) − r(y), where r is the mean cosine of the ten nearest.

    r(x) is the same for all that a query is compared with, and r(y) is known when every query has been seen: that would be a second product. But r(y) of the
    queries so far can only grow. So while the cosines pass by, those are written down that can still be before the right answer if its own r/2 grows by no
    more than RISE. Whether it did is seen at the end; for queries where it did, or that have more than RIVALS such, the product is taken again.
    """

    def __init__(self, owner: np.ndarray, place: np.ndarray, cosine: np.ndarray, n: int, m: int) -> None:
        from . import ranking

        self.owner, self.place, self.cosine, self.n = owner, place, cosine, n
        self.values, self.nearest = ranking.room(m, min(NEAREST, n))
        self.least, self.low = np.full(m, ranking.NONE, dtype=np.float32), np.zeros(m, dtype=np.float32)
        self.bar, self.counts = np.full(n, np.inf, dtype=np.float32), np.zeros(n, dtype=np.int64)
        self.rivals, self.cosines = np.zeros((n, RIVALS), dtype=np.int32), np.zeros((n, RIVALS), dtype=np.float32)

    def take(self, block: np.ndarray, start: int, first: int) -> None:
        from . import ranking

        mine, theirs = slice(start, start + len(block)), slice(first, first + block.shape[1])
        if start and not first:  # before the first queries nothing is known yet
            self.low = self.half()
            self.bar[mine] = (_best(self.owner, self.cosine - self.low[self.place], self.n) - np.float32(RISE))[mine]
        ranking.columns(block, start, self.values[theirs], self.nearest[theirs], self.least[theirs])
        ranking.beyond(block, first, self.low[theirs], self.bar[mine], self.counts[mine], self.rivals[mine], self.cosines[mine])

    def half(self) -> np.ndarray:
        """(m,) r(y)/2, so that a cosine less it orders as CSLS does."""
        return self.values.mean(axis=1) / 2

    def ranks(self, q: np.ndarray, p: np.ndarray, progress: Progress | None) -> np.ndarray:
        from . import ranking

        half = self.half()
        score = self.cosine - half[self.place]
        best = _best(self.owner, score, self.n)
        least = best - np.float32(EQUAL)
        written = np.arange(RIVALS) < self.counts[:, None]
        found = ((self.cosines - half[self.rivals] >= least[:, None]) & written).sum(axis=1)
        again = np.flatnonzero((least < self.bar) | (self.counts > RIVALS))
        counts = np.zeros(len(again), dtype=np.int64)

        def take(block: np.ndarray, start: int, first: int) -> None:
            mine, theirs = slice(start, start + len(block)), slice(first, first + block.shape[1])
            ranking.above(block, half[theirs], least[again][mine], counts[mine])

        _products(q, p, take, progress, ready=True, which=again)
        found[again] = counts
        return np.maximum(found - _others(self.owner, score, best, self.n), 1)


def _pairs(right: Sequence[Sequence[int]] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of the query and the place in the pool of each right answer."""
    if isinstance(right, np.ndarray) and right.ndim == 1 and right.dtype != object:
        return np.arange(len(right)), right.astype(np.int64)
    answers = [np.atleast_1d(np.asarray(places, dtype=np.int64)) for places in right]
    return np.repeat(np.arange(len(answers)), [len(places) for places in answers]), np.concatenate(answers)


def _best(owner: np.ndarray, score: np.ndarray, n: int) -> np.ndarray:
    found = np.full(n, -np.inf, dtype=np.float32)
    np.maximum.at(found, owner, score.astype(np.float32))
    return found


def _others(owner: np.ndarray, score: np.ndarray, best: np.ndarray, n: int) -> np.ndarray:
    """(n,) how many right answers besides the best were counted as if they were before it."""
    return np.maximum(np.bincount(owner[score >= best[owner] - EQUAL], minlength=n) - 1, 0)


def _products(
    queries: np.ndarray, pool: np.ndarray, take: Callable[[np.ndarray, int, int], None], progress: Progress | None = None, ready: bool = False,
    which: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Give `take` block after block of cosines, with the first query and the first of the pool in it. One buffer serves for all.

    `which`: places of the queries to take, all if None. `ready`: the rows are of length one already.
    """
    import torch

    q, p = (torch.from_numpy(x if ready else unit(x)) for x in (queries, pool))
    n = len(q) if which is None else len(which)
    buffer = torch.empty(QUERIES * POOL)
    edges = [0, *range(FIRST, n, QUERIES), n]
    for start, end in pairwise(edges):
        if progress:
            progress.check()
        mine = q[start:end] if which is None else q[torch.from_numpy(which[start:end])]
        for first in range(0, len(p), POOL):
            theirs = p[first : first + POOL]
            block = buffer[: len(mine) * len(theirs)].view(len(mine), len(theirs))
            torch.mm(mine, theirs.T, out=block)
            take(block.numpy(), start, first)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one in fp32; a zero row stays zero."""
    import torch

    rows = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))
    return torch.nn.functional.normalize(rows, dim=1, eps=torch.finfo(torch.float32).tiny).numpy()


def rates(rank: np.ndarray) -> dict[str, np.ndarray]:
    """Of each query whether it hits among the first one, five and ten, and 1 / rank: what hit@k and MRR are the means of."""
    return {"hit@1": rank <= 1, "hit@5": rank <= 5, "hit@10": rank <= 10, "mrr": 1 / rank}
