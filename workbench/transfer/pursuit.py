"""Orthogonal matching pursuit, for many vectors over the same dictionary of rows: `pursuing` does one vector, this what all have in common.

In common are the rows' inner products with each other and with the vectors: taken once, by matrix products in fp32, those of the rows kept in 16 bits.
Beyond `WIDEST` rows they are not kept: there vectors go side by side, and at each step one matrix product makes what they need.
"""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import TYPE_CHECKING

import numpy as np

from .pursued import Rows
from .similar import Support, unit
from .threads import spread

if TYPE_CHECKING:
    import torch

TOGETHER = 128  # vectors at a time, at most: by 32 their products with 9,400 rows take 1.5 times as long
ROOM = 1 << 29  # bytes held for all vectors at work
SHARE = ROOM // 4  # of those that go side by side: with 64 steps over 30,000 rows these are 26
EACH = 40  # bytes held for each row of one vector's work, beside two for each step
WIDEST = 23_170  # with more rows their inner products are not kept (1 GiB)
TILE = 1024  # rows whose inner products are taken at a time
PIECE = 192  # columns of a product summed at a time: by their number goes what its rounding can add up to, and by 768 it is no quicker


def _rows(anchors: np.ndarray) -> tuple[Rows, torch.Tensor]:
    """The rows, and (m, h) of length one in fp32."""
    import torch

    given = np.ascontiguousarray(anchors, dtype=np.result_type(anchors, np.float32))
    lengths = np.sqrt(np.einsum("ij,ij->i", given, given, dtype=np.float64))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    even = np.multiply(given, scale[:, None], out=np.empty(given.shape, np.float32), casting="same_kind")
    return Rows(given, scale, lengths / lengths.max(initial=np.finfo(float).tiny)), torch.from_numpy(even)


def pursue(queries: np.ndarray, anchors: np.ndarray, k: int) -> Support:
    """For each of (n, h) up to k of the (m, h) anchors, in the order they were chosen: each has the largest inner product with what the ones before leave.

    `cosines` are those of the query and the anchor. Pati et al. 1993; for embeddings 2506.06607. Beside the vectors, the anchors and their inner products it
    takes up to 512 MiB, more only where what one vector needs does; how many threads there are changes no result.
    """
    import torch

    n, m, k = len(queries), len(anchors), min(k, len(anchors))
    (rows, even), whole = _rows(anchors), m <= WIDEST
    gram = _gram(even) if whole else None
    together, at_once = sizes_of(k, m, whole)
    places, cosines, gate = np.full((n, k), -1), np.zeros((n, k)), BoundedSemaphore(at_once)

    def part(start: int) -> None:
        mine = slice(start, start + together)
        with gate:
            vectors = unit(queries[mine])
            bases = _products(torch.from_numpy(vectors).float(), even).numpy()
            if gram is not None:
                _one_by_one(vectors, bases, rows, gram, places[mine], cosines[mine])
            else:
                _side_by_side(vectors, bases, rows, even, places[mine], cosines[mine])

    for _ in spread(part, range(0, n if k else 0, together)):
        pass
    chosen = places >= 0
    return Support(np.concatenate([[0], chosen.sum(1).cumsum()]), places[chosen], cosines[chosen])


def sizes_of(k: int, m: int, whole: bool) -> tuple[int, int]:
    """(vectors of a part, parts at a time) for k steps over m rows, whose inner products are kept or not: by what they hold."""
    one = (2 * (k + 1) + EACH) * max(m, 1) + 8 * k * k
    together = TOGETHER if whole else min(max(SHARE // one, 1), TOGETHER)
    held = one + 4 * m * together if whole else one * together
    return together, max(ROOM // held, 1)


def _products(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(a, b) inner products of (a, h) and (b, h)."""
    made = left[:, :PIECE] @ right[:, :PIECE].T
    for start in range(PIECE, left.shape[1], PIECE):
        made.addmm_(left[:, start : start + PIECE], right[:, start : start + PIECE].T)
    return made


def _roundings(h: int) -> int:
    """How often what goes into one of those is rounded: both factors, each product as it is added, and the sum of each piece."""
    return 2 + min(h, PIECE) + -(-h // PIECE)


def _in_steps(cosines: torch.Tensor) -> torch.Tensor:
    import torch

    from .pursuing import STEPS

    return cosines.mul_(STEPS).round_().clamp_(-STEPS, STEPS).to(torch.int16)


def _gram(even: torch.Tensor) -> np.ndarray:
    """(m, m) inner products of the rows, int16: each of a pair of rows once."""
    import torch

    gram = np.empty((len(even), len(even)), np.int16)  # in large pages, for which NumPy asks and PyTorch does not
    made = torch.from_numpy(gram)

    def tile(place: tuple[int, int]) -> None:
        one, other = (slice(start, start + TILE) for start in place)
        made[one, other] = steps = _in_steps(_products(even[one], even[other]))
        if one != other:
            made[other, one] = steps.T

    starts = range(0, len(even), TILE)
    for _ in spread(tile, [(one, other) for one in starts for other in starts if one <= other]):
        pass
    return gram


def _one_by_one(vectors: np.ndarray, bases: np.ndarray, rows: Rows, gram: np.ndarray, places: np.ndarray, cosines: np.ndarray) -> None:
    from .pursuing import pursue_each, state_of

    m, h = rows.given.shape
    pursue_each(state_of(m, h, places.shape[1], _roundings(h)), rows, vectors, bases, gram, places, cosines)


def _side_by_side(vectors: np.ndarray, bases: np.ndarray, rows: Rows, even: torch.Tensor, places: np.ndarray, cosines: np.ndarray) -> None:
    from .pursuing import begin, choose, state_of, take

    m, h = rows.given.shape
    states = [state_of(m, h, places.shape[1], _roundings(h)) for _ in vectors]
    for state, vector, base in zip(states, vectors, bases, strict=True):
        begin(state, vector, base, rows)
    going = states
    for _ in range(places.shape[1]):
        found = [(state, best) for state in going if (best := choose(state, rows)) >= 0]
        if not found:
            break
        steps = _in_steps(_products(even[[best for _, best in found]], even)).numpy()
        for (state, best), products in zip(found, steps, strict=True):
            take(state, rows, best, products)
        going = [state for state, _ in found]
    for v, state in enumerate(states):
        n = state.counts[0]
        places[v, :n], cosines[v, :n] = state.chosen[:n], state.cosines[:n]
