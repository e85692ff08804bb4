"""What matching pursuit works on: the rows, and of one vector how far it is. Arrays only, as compiled code takes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Rows(NamedTuple):
    """Rows as they are given (m, h), in fp32 or fp64; of each (m,) 1 / its length (0 for a zero row), and its length relative to the longest, in fp64."""

    given: np.ndarray
    scale: np.ndarray
    lengths: np.ndarray


class State(NamedTuple):
    """One vector's pursuit of k steps over m rows of width h.

    Attributes:
        vector: (h,) fp64.
        base: (m,) fp32, inner products when they were last taken with all rows.
        weights: (m,) fp32, lengths of the rows; 0 where a row is closed.
        kept: (⌈k/2⌉, m) int32, inner products of the chosen rows with all, in steps: of each two the first in the upper half, and the other added.
        factor: (k, k) fp64, the Cholesky factor L of the chosen rows' inner products.
        shares: (k,) fp64, inner products of the vector with the chosen rows, each made orthogonal to those before and of length one.
        now, then: (k,) fp64, coefficients of the chosen rows, and what they were when `base` was taken.
        chosen: (k,) int64, places of the chosen rows.
        cosines: (k,) fp64, theirs with the vector.
        inner, near, exact: (m,) fp32, int64, fp64, of one step: all inner products as summed; the rows that can be the largest, and their sizes.
        peaks: (chunks + 1,) fp32, what the sizes of each chunk are at most; last, what the largest of all is at least.
        counts: rows chosen; rows looked at in fp64 since `base` was taken.
        levels: size of the first step's inner product, infinite before it; length of what was left when `base` was taken; roundings in an
            inner product; what those of the last step are off by at most.
    """

    vector: np.ndarray
    base: np.ndarray
    weights: np.ndarray
    kept: np.ndarray
    factor: np.ndarray
    shares: np.ndarray
    now: np.ndarray
    then: np.ndarray
    chosen: np.ndarray
    cosines: np.ndarray
    inner: np.ndarray
    near: np.ndarray
    exact: np.ndarray
    peaks: np.ndarray
    counts: np.ndarray
    levels: np.ndarray
