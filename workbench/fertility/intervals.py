"""Bootstrap intervals of ratios, over the documents of a text."""

from __future__ import annotations

import numpy as np

ROUNDS = 1_000  # of the bootstrap
BLOCKS = 2_500  # beyond twice as many documents, neighbours are drawn together: thousands of units are plenty, and memory stays bounded
AT_ONCE = 50  # rounds drawn in one array


class Blocks:
    """Sums of several columns over blocks of consecutive documents. One document is a block until there are 2·BLOCKS of them; then neighbours join."""

    def __init__(self, columns: int) -> None:
        self._sums, self._size, self.documents = np.zeros((columns, 2 * BLOCKS)), 1, 0

    def add(self, columns: np.ndarray) -> None:
        """Add documents, as (columns, documents)."""
        ends = self.documents + columns.shape[1]
        while ends > self._sums.shape[1] * self._size:
            joined = self._sums[:, ::2] + self._sums[:, 1::2]
            self._sums[:], self._size = 0, 2 * self._size
            self._sums[:, : joined.shape[1]] = joined
        places = np.arange(self.documents, ends) // self._size
        np.add.at(self._sums.T, places, columns.T)
        self.documents = ends

    @property
    def sums(self) -> np.ndarray:
        """(columns, blocks)."""
        return self._sums[:, : -(-self.documents // self._size)]


class Resampled:
    """Sums of columns over blocks that were drawn with replacement, ROUNDS times: ratios of any two of them get their interval from the same draws."""

    def __init__(self, sums: np.ndarray, seed: int) -> None:
        self.totals, count = sums.sum(axis=1), sums.shape[1]
        self.drawn: np.ndarray | None = None  # (ROUNDS, columns)
        if count > 1:
            generator, found = np.random.default_rng(seed), []
            for _ in range(ROUNDS // AT_ONCE):
                rounds = generator.integers(count, size=(AT_ONCE, count))
                found.append(np.array([np.bincount(drawn, minlength=count) for drawn in rounds], dtype=float) @ sums.T)
            self.drawn = np.concatenate(found)

    def ratio(self, top: int, bottom: int) -> tuple[float | None, float | None, float | None]:
        """Column `top` over column `bottom` with its 95 % percentile interval. (None, None, None) over nothing; no interval for a single document."""
        if not self.totals[bottom]:
            return None, None, None
        value = float(self.totals[top] / self.totals[bottom])
        if self.drawn is None:
            return value, None, None
        with np.errstate(divide="ignore", invalid="ignore"):
            every = self.drawn[:, top] / self.drawn[:, bottom]
        low, high = np.quantile(every[np.isfinite(every)], [0.025, 0.975])
        return value, float(low), float(high)
