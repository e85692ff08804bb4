"""Which anchors a token leans on: cosines in fp64, and of them the support of sparsemax or the nearest k.

Cosines are rounded to 1e-6 and ties go to the anchor that comes first, so that neither threads nor the size of a block decide what a vector is made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

ROUND = 1_000_000  # cosines are told apart down to one part in this
PLACES = 1 << 24  # more than any vocabulary has
AT_ONCE = 1 << 22  # cosines in memory at a time


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
    found = [(np.zeros((0, k), np.int64), np.zeros((0, k))), *(_first(keys, k) for keys in _keys(queries, anchors))]
    places, cosines = (np.concatenate([part[i] for part in found]) for i in (0, 1))
    return Support(np.arange(len(queries) + 1) * k, places.ravel(), cosines.ravel())


def sparsemax(queries: np.ndarray, anchors: np.ndarray, temperature: float = 1.0, most: int = 0) -> Support:
    """The anchors to which sparsemax of the cosines gives weight: as many as it takes, from query to query another number; of these the first `most`."""
    sizes, places, cosines = [], [], []
    for keys in _keys(queries, anchors):
        for row_places, row_cosines in _supports(keys, temperature):
            sizes.append(kept := min(len(row_places), most or len(row_places)))
            places.append(row_places[:kept])
            cosines.append(row_cosines[:kept])
    ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    return Support(ends, *(np.concatenate(part) if part else np.zeros(0, kind) for part, kind in ((places, np.int64), (cosines, np.float64))))


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one in fp64; a zero row stays zero."""
    rows = rows.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def _keys(queries: np.ndarray, anchors: np.ndarray) -> Iterator[torch.Tensor]:
    """(b, m) int64 for block after block of queries: larger for a larger rounded cosine, and of equal ones for the earlier anchor; all different."""
    import torch

    right, left = torch.from_numpy(unit(anchors)).T.contiguous(), torch.from_numpy(unit(queries))
    size = int(np.clip(AT_ONCE // max(len(anchors), 1), 16, 1024))
    places = PLACES - 1 - torch.arange(len(anchors))
    for start in range(0, len(left), size):
        block = left[start : start + size]
        yield (block @ right).mul_(ROUND).round_().long().mul_(PLACES).add_(places)


def _first(keys: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(b, k) places and cosines of the k largest keys, in order."""
    top = keys.topk(k).values.numpy()
    return PLACES - 1 - top % PLACES, (top // PLACES) / ROUND


def _supports(keys: torch.Tensor, temperature: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each row the support of sparsemax: k* = max{j : 1 + j·z_(j) > Σ_{i≤j} z_(i)}. A prefix decides where the test fails within it."""
    total = keys.shape[1]
    found: list[tuple[np.ndarray, np.ndarray] | None] = [None] * len(keys)
    waiting, k = np.arange(len(keys)), min(128, total)
    while len(waiting):
        places, cosines = _first(keys[waiting] if len(waiting) < len(keys) else keys, k)
        z = cosines / temperature
        inside = 1 + np.arange(1, k + 1) * z > np.cumsum(z, axis=1)
        sizes = np.where(inside, np.arange(1, k + 1), 0).max(axis=1)
        done = (sizes < k) | (k == total)
        for row in np.flatnonzero(done):
            found[waiting[row]] = places[row, : sizes[row]], cosines[row, : sizes[row]]
        waiting, k = waiting[~done], min(4 * k, total)
    yield from (row for row in found if row is not None)
