"""Matching pursuit of one vector, compiled. This module is loaded where pursuit begins: numba takes a second to import.

What is left of the vector has with each row an inner product base − Σ c·g: those of the vector itself, and those of the chosen rows (g) by their
coefficients (Rubinstein et al. 2008, Batch-OMP). They are summed in fp32, from g rounded to 16 bits so that one vector's g stay in the processor's cache,
and only say which rows can have the largest, for how far off they can be is known. Where that is more than one, these are taken again in fp64: no rounding
and no order of summing decides which row is chosen. Here vectors and rows have length one, and `weights` give the rows their own lengths back.

Lengths of loops are those of one-dimensional parts of arrays: only such loops become vector instructions. Assigning whole arrays takes seconds to compile.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from .compiling import compiled
from .pursued import Rows, State

SPENT = 1e-5  # of the first inner product: what is left below this is rounding
NOTHING = 1e-12  # a cosine that is rounding in fp64
EQUAL = 1e-9  # inner products this near to each other are equal, and the first row counts
COMBINED = 1e-6  # squared length of what of a row is orthogonal to those chosen: below, it is a combination of them
STEPS = 32_767  # of a cosine in 16 bits
CHUNK = 1024  # rows at a time: their sums stay in the first cache


def state_of(m: int, h: int, k: int, roundings: int) -> State:
    def numbers(*shape: int, kind: type = np.float64) -> np.ndarray:
        return np.zeros(shape, kind)

    single, places = np.float32, np.int64
    return State(
        numbers(h), numbers(m, kind=single), numbers(m, kind=single), numbers(-(-k // 2), m, kind=np.int32), numbers(k, k), numbers(k), numbers(k), numbers(k),
        numbers(k, kind=places), numbers(k), numbers(m, kind=single), numbers(m, kind=places), numbers(m), numbers(-(-m // CHUNK) + 1, kind=single),
        numbers(2, kind=places), np.array([np.inf, 1.0, roundings, 0.0]),
    )  # fmt: skip


@compiled
def begin(state: State, vector: np.ndarray, base: np.ndarray, rows: Rows) -> None:
    """vector: (h,) of length one, base: (m,) fp32, its inner products with the rows."""
    for i in range(len(vector)):
        state.vector[i] = vector[i]
    for i in range(len(base)):
        state.base[i], state.weights[i] = base[i], rows.lengths[i]
    for j in range(len(state.now)):
        state.now[j] = state.then[j] = 0.0
    state.counts[0], state.counts[1], state.levels[0], state.levels[1] = 0, 0, np.inf, 1.0


@compiled
def _dot(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for i in range(len(a)):
        total += np.float64(a[i]) * b[i]
    return total


@partial(compiled, any_order=False)
def _sum(inner: np.ndarray, kept: np.ndarray, c: np.ndarray, start: int, stop: int) -> None:
    """Adds the chosen rows' share to the inner products from `start` to `stop`; c: (pairs · 2,), see `choose`.

    Nothing is unpacked: a pair taken as one number is the first and a little of the other, and without its upper half the other. Unpacked it takes half as
    long again, in fp32 a quarter, and twice the memory. The order of the sums stands as written, two that do not wait for each other: a tenth of each step.
    """
    pair, pairs = 0, len(c) // 2
    while pair + 3 <= pairs:
        k0, k1, k2 = kept[pair, start:stop], kept[pair + 1, start:stop], kept[pair + 2, start:stop]
        c0, c1, c2, c3, c4, c5 = c[2 * pair], c[2 * pair + 1], c[2 * pair + 2], c[2 * pair + 3], c[2 * pair + 4], c[2 * pair + 5]
        for i in range(len(inner)):
            first = inner[i] + c0 * np.float32(k0[i]) + c2 * np.float32(k1[i]) + c4 * np.float32(k2[i])
            inner[i] = first + (c1 * np.float32(np.int32(k0[i] << 16)) + c3 * np.float32(np.int32(k1[i] << 16)) + c5 * np.float32(np.int32(k2[i] << 16)))
        pair += 3
    while pair < pairs:
        k0, c0, c1 = kept[pair, start:stop], c[2 * pair], c[2 * pair + 1]
        for i in range(len(inner)):
            inner[i] = inner[i] + c0 * np.float32(k0[i]) + c1 * np.float32(np.int32(k0[i] << 16))
        pair += 1


@compiled
def _approximate(state: State, c: np.ndarray, slack: np.float32) -> float:
    """Fills `inner`, each off by `slack` at most, and `peaks`; what the largest size is at least.

    The largest are sought among the bits of numbers: those of positive ones are in the same order, and numba does not vectorise a maximum of fp32.
    """
    bits, least = state.peaks.view(np.int32), np.int32(0)
    for chunk in range(len(bits) - 1):
        start, stop = chunk * CHUNK, min((chunk + 1) * CHUNK, len(state.base))
        inner, base, weights, peak = state.inner[start:stop], state.base[start:stop], state.weights[start:stop], np.int32(0)
        for i in range(len(inner)):
            inner[i] = base[i]
        _sum(inner, state.kept, c, start, stop)
        for i in range(len(inner)):
            size = abs(inner[i])
            least = max(least, np.float32((size - slack) * weights[i]).view(np.int32))
            peak = max(peak, np.float32((size + slack) * weights[i]).view(np.int32))
        bits[chunk] = peak
    bits[-1] = least
    return state.peaks[-1]


@compiled
def choose(state: State, rows: Rows) -> int:
    """The place of the row with the largest inner product, of equal ones the first; −1 where nothing is left.

    An inner product is off by 2⁻²⁴ of what it adds up in size, as often as something in it is rounded, and by half a step of each of those kept. What the
    first of a pair has too much of the other, the other's coefficient takes back.
    """
    n, size, found = state.counts[0], 0.0, 0
    c = np.zeros(n + n % 2, np.float32)
    for j in range(n):
        change = state.now[j] - state.then[j]
        size += abs(change)
        c[j] -= change / (STEPS * 65536)
        if j % 2 == 0:
            c[j + 1] = -c[j] / 65536
    slack = np.float32((state.levels[1] + size) * (state.levels[2] + n + 8) * 2.0**-24 + size / (2 * STEPS))
    state.levels[3] = slack
    least = _approximate(state, c, slack)
    for chunk in range(len(state.peaks) - 1):
        if state.peaks[chunk] >= least:
            for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(state.base))):
                if state.weights[i] > 0 and (abs(state.inner[i]) + slack) * state.weights[i] >= least:
                    state.near[found] = i
                    found += 1
    if found == 1 and least > SPENT * state.levels[0]:
        return state.near[0]
    return _look(state, rows, np.int64(found))  # of its own accord numba would compile it for the number 0, too


@compiled
def _look(state: State, rows: Rows, found: int) -> int:
    """The same in fp64, of the rows that are near. Of all, as a new base, once this has cost no more than the looks since the last: then little is left."""
    left, n, largest = state.vector.copy(), state.counts[0], 0.0
    for j in range(n):
        row, c = rows.given[state.chosen[j]], state.now[j] * rows.scale[state.chosen[j]]
        for i in range(len(left)):
            left[i] -= c * row[i]
    state.counts[1] += found
    anew = state.counts[1] > len(state.base)
    if anew:
        found, state.counts[1], state.levels[1] = len(state.base), 0, np.sqrt(_dot(left, left))
        for j in range(n):
            state.then[j] = state.now[j]
    for at in range(found):
        i = at if anew else state.near[at]
        cosine = _dot(rows.given[i], left) * rows.scale[i]
        if anew:
            state.near[i], state.base[i] = i, cosine
        state.exact[at] = abs(cosine) * rows.lengths[i] if state.weights[i] > 0 and abs(cosine) > NOTHING else 0.0
        largest = max(largest, state.exact[at])
    if state.levels[0] == np.inf:
        state.levels[0] = largest
    if largest <= SPENT * state.levels[0]:
        return -1
    at = 0
    while state.exact[at] < largest * (1 - EQUAL):
        at += 1
    return state.near[at]


@compiled
def take(state: State, rows: Rows, best: int, products: np.ndarray) -> None:
    """Adds a row, with its inner products (m,) int16 in steps; one that is a combination of those chosen before is only closed."""
    n, given, factor, now = state.counts[0], rows.given[best], state.factor, state.now
    state.weights[best] = 0
    new = np.empty(len(given))
    for i in range(len(new)):
        new[i] = given[i] * rows.scale[best]
    height, state.cosines[n] = 1.0, _dot(new, state.vector)
    share = state.cosines[n]
    for j in range(n):
        place, before = state.chosen[j], factor[j]
        across = (_dot(rows.given[place], new) * rows.scale[place] - _dot(before[:j], factor[n])) / before[j]
        factor[n, j] = across
        height -= across * across
        share -= across * state.shares[j]
    if height <= COMBINED:
        return
    factor[n, n] = np.sqrt(height)
    state.shares[n], state.chosen[n], state.counts[0] = share / factor[n, n], best, n + 1
    kept = state.kept[n // 2]
    for i in range(len(kept)):
        kept[i] = kept[i] + products[i] if n % 2 else np.int32(products[i]) << 16
    for j in range(n + 1):
        now[j] = state.shares[j]
    for j in range(n, -1, -1):
        row, c = factor[j], now[j] / factor[j, j]
        now[j] = c
        for i in range(j):
            now[i] -= c * row[i]


@compiled
def pursue_each(state: State, rows: Rows, vectors: np.ndarray, bases: np.ndarray, gram: np.ndarray, places: np.ndarray, cosines: np.ndarray) -> None:
    """One vector (n, h) after the other; gram: (m, m) int16, the rows' inner products in steps; places and cosines (n, k) are filled from the left."""
    for v in range(len(vectors)):
        begin(state, vectors[v], bases[v], rows)
        for _ in range(places.shape[1]):
            best = choose(state, rows)
            if best < 0:
                break
            take(state, rows, best, gram[best])
        for j in range(state.counts[0]):
            places[v, j], cosines[v, j] = state.chosen[j], state.cosines[j]
