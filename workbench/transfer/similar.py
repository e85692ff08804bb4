"""Which anchors a token leans on: cosines in fp64, and of them the support of sparsemax or the nearest k.

All cosines are taken in fp32, or where the processor multiplies bf16 in bf16, which says what can count at all; of what can, with room for all that those
may be off by, they are taken again in fp64: a half to a quarter of the time, for the same supports. Cosines are rounded to 1e-6 and ties go to the anchor
that comes first, so that neither threads nor the size of a block decide what a vector is made of.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from .. import devices
from .threads import spread

if TYPE_CHECKING:
    import torch

ROUND = 1_000_000  # cosines are told apart down to one part in this
PLACES = 1 << 24  # more than any vocabulary has
AT_ONCE = 1 << 22  # cosines in memory at a time
LOOK = 64  # leaders that say where a support can end: most are shorter
LANES = 512

Found = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Support:
    """For each of n queries some anchors, the most alike first: CSR without a matrix.

    Attributes:
        ends: (n + 1,) where each query's part begins and ends.
        anchors: (nnz,) places among the anchors.
        cosines: (nnz,)
    """

    ends: np.ndarray
    anchors: np.ndarray
    cosines: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(self.ends)

    def softmax(self, temperature: float) -> np.ndarray:
        """(nnz,) softmax(cosine / temperature) within each query."""
        return self._shares(np.exp((self.cosines - np.repeat(self.cosines[self.ends[:-1][self.sizes > 0]], self.sizes[self.sizes > 0])) / temperature))

    def sparsemax(self, temperature: float = 1.0) -> np.ndarray:
        """(nnz,) the sparsemax weights of supports found by `sparsemax`: what each cosine is above the threshold (Martins & Astudillo, 1602.02068)."""
        z, some = self.cosines / temperature, self.sizes > 0
        threshold = (np.add.reduceat(z, self.ends[:-1][some]) - 1) / self.sizes[some]
        return np.maximum(z - np.repeat(threshold, self.sizes[some]), 0)

    def _shares(self, weights: np.ndarray) -> np.ndarray:
        some = self.sizes > 0
        return weights / np.repeat(np.add.reduceat(weights, self.ends[:-1][some]), self.sizes[some])


def nearest_k(queries: np.ndarray, anchors: np.ndarray, k: int) -> Support:
    """The k most alike anchors of each query: (n, d), (m, d)."""
    k = min(k, len(anchors))

    def least(cosines: torch.Tensor) -> torch.Tensor:
        return _leaders(cosines, k)[:, -1] if k else cosines.new_full((len(cosines),), np.inf)

    return _gather(_cosines(queries, anchors, least), lambda z, inside: np.full(len(z), k), most=k)


def sparsemax(queries: np.ndarray, anchors: np.ndarray, temperature: float = 1.0, most: int = 0) -> Support:
    """The anchors to which sparsemax of the cosines gives weight: as many as it takes, from query to query another number; of these the first `most`.

    k* = max{j : 1 + j·z_(j) > Σ_{i≤j} z_(i)} for z = cosines / temperature in falling order.
    """

    def least(cosines: torch.Tensor) -> torch.Tensor:
        """What is at or below the threshold among some of the anchors is below it among all: more anchors can only raise it. So with the last of the first."""
        import torch

        z = _leaders(cosines, LOOK).double() / temperature
        ranks = torch.arange(1, z.shape[1] + 1)
        total = z.cumsum(1)
        size = (1 + ranks * z > total).sum(1, keepdim=True)
        threshold = ((total.gather(1, size - 1) - 1) / size)[:, 0]
        return temperature * (threshold.maximum(z[:, most - 1]) if 0 < most <= z.shape[1] else threshold)

    def sizes(cosines: np.ndarray, inside: np.ndarray) -> np.ndarray:
        z, ranks = np.where(inside, cosines, 0.0) / temperature, np.arange(1, cosines.shape[1] + 1)
        return np.where((1 + ranks * z > np.cumsum(z, axis=1)) & inside, ranks, 0).max(axis=1, initial=0)

    return _gather(_cosines(queries, anchors, least), sizes, most)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one in fp64; a zero row stays zero."""
    rows = rows.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    rows /= np.where(lengths > 0, lengths, 1)
    return rows


def _cosines(queries: np.ndarray, anchors: np.ndarray, least: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[Found]:
    """What of the cosines of block after block of queries is not below `least`, which says it (b,) for (b, m) cosines and moves no more than they do."""
    import torch

    exact, kind = torch.from_numpy(unit(anchors)), coarse_kind()
    coarse, lost = _rounded(exact, kind)
    roundoff = torch.finfo(kind).eps / 2  # by this share a number is rounded at most
    _sparse_is_no_news()

    def look(start: int) -> Found:
        mine = torch.from_numpy(unit(queries[start : start + size]))
        rough, also_lost = _rounded(mine, kind)
        cosines = (rough @ coarse.T).float()
        # Twice what one can be off by: both vectors are rounded (Cauchy and Schwarz), their products are summed in fp32, and the sum is rounded.
        slack = 2 * (also_lost + (1 + roundoff) * lost + 1.01 * roundoff + (exact.shape[1] + 4) * 2.0**-24)
        return _in_order(mine, exact, (cosines >= (least(cosines) - slack - 3 / ROUND).float()[:, None]).numpy())

    size = int(np.clip(AT_ONCE // max(len(anchors), 1), 16, 1024))
    yield from spread(look, range(0, len(queries) if len(anchors) else 0, size))


@cache
def coarse_kind() -> torch.dtype:
    """bf16 where the processor is known to have instructions for it, with which a product takes half the time; else fp32."""
    import torch

    return torch.bfloat16 if devices.multiplies_bf16() else torch.float32


def _rounded(rows: torch.Tensor, kind: torch.dtype) -> tuple[torch.Tensor, float]:
    """Rows in a number format, and how long the longest difference to it is."""
    import torch

    coarse = rows.to(kind)
    return coarse, float(torch.linalg.vector_norm(coarse.double() - rows, dim=1).max()) if len(rows) else 0.0


def _sparse_is_no_news() -> None:
    """PyTorch says once in a process that its sparse matrices are new, whatever they are used for; users can do nothing about it."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        torch.sparse_csr_tensor([0, 0], [], [], size=(1, 1), check_invariants=False)


def _leaders(cosines: torch.Tensor, k: int) -> torch.Tensor:
    """(b, k or less) large cosines of each row in falling order, not always the largest: the best of each lane, and of these the first k.

    A pass of maxima costs a fraction of sorting out the largest; with eight lanes for each place few of the largest share one.
    """
    m = cosines.shape[1]
    lanes = max(8 * k, LANES)
    if m >= 2 * lanes:
        even = m - m % lanes
        best = cosines[:, :even].reshape(len(cosines), -1, lanes).amax(1)
        best[:, : m - even] = best[:, : m - even].maximum(cosines[:, even:])
        cosines = best
    return cosines.topk(min(k, cosines.shape[1])).values


def _in_order(queries: torch.Tensor, anchors: torch.Tensor, wanted: np.ndarray) -> Found:
    """Of each row the (rounded) cosines that are wanted, the largest first and of equal ones the earlier anchor: their number (b,), places and values."""
    import torch

    rows, places = np.divmod(np.flatnonzero(wanted), wanted.shape[1])
    counts = np.bincount(rows, minlength=len(wanted))
    ends, nothing = np.concatenate([[0], counts.cumsum()]), torch.zeros(len(places), dtype=torch.float64)
    pattern = torch.sparse_csr_tensor(torch.from_numpy(ends), torch.from_numpy(places), nothing, size=wanted.shape, check_invariants=False)
    steps = (torch.sparse.sampled_addmm(pattern, queries, anchors.T, beta=0.0).values() * ROUND).round_().long().numpy()
    keys = np.sort((rows * (4 * ROUND) + 2 * ROUND - steps) * PLACES + places)
    steps = 2 * ROUND - keys // PLACES % (4 * ROUND)
    return counts, keys % PLACES, steps / ROUND


def _gather(blocks: Iterator[Found], size: Callable[[np.ndarray, np.ndarray], np.ndarray], most: int) -> Support:
    """The first ones of each row: as many as `size` says of the (b, c) values in order and where there are any, and not more than `most` (0: no limit)."""
    sizes, places, cosines = [], [], []
    for counts, block_places, block_cosines in blocks:
        inside = np.arange(counts.max(initial=0)) < counts[:, None]
        z = np.full(inside.shape, -np.inf)
        z[inside] = block_cosines
        kept = size(z, inside)
        kept = np.minimum(kept, most) if most else kept
        first = (np.arange(inside.shape[1]) < kept[:, None])[inside]
        sizes.append(kept)
        places.append(block_places[first])
        cosines.append(block_cosines[first])
    ends = np.concatenate([[0], *sizes]).cumsum(dtype=np.int64)
    return Support(ends, *(np.concatenate([np.zeros(0, kind), *part]) for part, kind in ((places, np.int64), (cosines, np.float64))))
