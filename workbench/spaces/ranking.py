"""The largest of a block of numbers, by row and by column, compiled: one pass over what a matrix product leaves, where sorting takes longer than the product.

This module is loaded where ranking begins: numba takes a second to import.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..transfer.pursuing import compiled

NONE = np.float32(-np.inf)


def room(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, k) values, all lower than any number, and places: what `rows` and `columns` fill."""
    return np.full((n, k), NONE, dtype=np.float32), np.full((n, k), -1, dtype=np.int64)


@njit(cache=True, inline="always")
def _insert(values: np.ndarray, places: np.ndarray, value: np.float32, place: np.int64) -> None:
    """Put a value where it belongs in a falling list; of equal ones the earlier stays first."""
    at = len(values) - 1
    while at > 0 and values[at - 1] < value:
        values[at], places[at] = values[at - 1], places[at - 1]
        at -= 1
    values[at], places[at] = value, place


@compiled
def rows(block: np.ndarray, first: int, values: np.ndarray, places: np.ndarray) -> None:
    """Keep of each row of a (b, c) block of columns from `first` on the largest: values and places (b, k) in falling order."""
    k = values.shape[1]
    for i in range(block.shape[0]):
        least = values[i, k - 1]
        for j in range(block.shape[1]):
            if block[i, j] > least:
                _insert(values[i], places[i], block[i, j], first + j)
                least = values[i, k - 1]


@compiled
def columns(block: np.ndarray, first: int, values: np.ndarray, places: np.ndarray, least: np.ndarray) -> None:
    """Keep of each column of a (b, c) block of rows from `first` on the largest: values and places (c, k); `least` (c,) is the last of each."""
    k = values.shape[1]
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            if block[i, j] > least[j]:
                _insert(values[j], places[j], block[i, j], first + i)
                least[j] = values[j, k - 1]


@compiled
def above(block: np.ndarray, less: np.ndarray, own: np.ndarray, counts: np.ndarray) -> None:
    """Add to counts (b,) how many of each row, each less `less` (c,), are at least `own` (b,)."""
    for i in range(block.shape[0]):
        count, mine = 0, own[i]
        for j in range(block.shape[1]):
            count += block[i, j] - less[j] >= mine
        counts[i] += count


@compiled
def beyond(block: np.ndarray, first: int, less: np.ndarray, bar: np.ndarray, counts: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
    """Write down of each row what is, less `less` (c,), at least `bar` (b,): places and values (b, room); counts (b,) go on where there is no more room."""
    for i in range(block.shape[0]):
        count, least = 0, bar[i]
        for j in range(block.shape[1]):
            count += block[i, j] - less[j] >= least
        if count == 0:  # most often, and a loop without a branch is eight times as fast
            continue
        for j in range(block.shape[1]):
            if block[i, j] - less[j] >= least:
                if counts[i] < places.shape[1]:
                    places[i, counts[i]], values[i, counts[i]] = first + j, block[i, j]
                counts[i] += 1
