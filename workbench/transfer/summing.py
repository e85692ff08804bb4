"""Sums of weighted rows, compiled. This module is loaded where they are many: see `blends.LARGE`."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from .compiling import compiled


def _number(stored):  # numba wants the signatures of both alike
    """fp32 from what is stored: itself, or as int16 its upper half, which is bf16. In compiled code only."""


@overload(_number)
def _number_of(stored):
    if stored == types.int16:
        return lambda stored: np.int32(np.int32(stored) << 16).view(np.float32)
    return lambda stored: stored


@compiled
def _add(total: np.ndarray, a: float, b: float, c: float, d: float, p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> None:
    for i in range(len(total)):
        total[i] += a * _number(p[i]) + b * _number(q[i]) + c * _number(r[i]) + d * _number(s[i])


@compiled
def sum_each(ends: np.ndarray, places: np.ndarray, weights: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """Row after row of out (n, d), fp32: Σ weight · row over its places among the rows (m, d): fp32, or int16 that are the bits of bf16.

    Sums are taken in fp64, four rows at a time: each time the sums are loaded and stored again.
    """
    total = np.empty(out.shape[1])
    for v in range(len(out)):
        for i in range(len(total)):
            total[i] = 0.0
        at, stop = ends[v], ends[v + 1]
        while at + 4 <= stop:
            w, p = weights[at : at + 4], places[at : at + 4]
            _add(total, w[0], w[1], w[2], w[3], rows[p[0]], rows[p[1]], rows[p[2]], rows[p[3]])
            at += 4
        while at < stop:
            row = rows[places[at]]
            _add(total, weights[at], 0.0, 0.0, 0.0, row, row, row, row)
            at += 1
        row = out[v]
        for i in range(len(row)):
            row[i] = total[i]
