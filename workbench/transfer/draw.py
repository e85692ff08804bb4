"""Random rows with the statistics of a table, drawn per token."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import torch

BLOCK = 4096  # rows read at a time: bounds the memory, and no value depends on it


@dataclass(frozen=True)
class Draw:
    """Random rows with the statistics of the source table: `std` per dimension, or the full covariance."""

    spread: Literal["std", "covariance"]
    seed: int
    keys: dict[int, bytes]  # target row → what it is drawn by

    def rows(self, ids: np.ndarray, statistics: tuple[np.ndarray, np.ndarray], salt: str) -> np.ndarray:
        """(k, d) in fp64, from the `statistics` of a table. `salt` keeps input and output table apart."""
        mean, factor = statistics
        seeds = [hashlib.blake2b(b"%d|%s|%s" % (self.seed, salt.encode(), self.keys[int(i)]), digest_size=16).digest() for i in ids]
        noise = np.stack([np.random.default_rng(int.from_bytes(s)).standard_normal(len(mean)) for s in seeds])
        return mean + (noise * factor if factor.ndim == 1 else noise @ factor)


def statistics(table: torch.Tensor, spread: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and spread of the rows that are not all zero (padding was never trained), in fp64.

    The spread is the standard deviation (d,), or a factor F (d, d) with F'F the covariance.
    """
    import torch

    rows, width = sum(int(_used(table, s).shape[0]) for s in range(0, len(table), BLOCK)), table.shape[1]
    total, second = torch.zeros(width, dtype=torch.float64), torch.zeros((width, width) if spread == "covariance" else width, dtype=torch.float64)
    mean = sum((_used(table, s).sum(0) for s in range(0, len(table), BLOCK)), total) / max(rows, 1)
    for start in range(0, len(table), BLOCK):
        off = _used(table, start) - mean
        second += off.T @ off if spread == "covariance" else (off * off).sum(0)
    second /= max(rows - 1, 1)
    if spread == "std":
        return mean.numpy(), second.sqrt().numpy()
    values, vectors = torch.linalg.eigh(second)
    return mean.numpy(), (vectors * values.clamp(min=0).sqrt()).T.contiguous().numpy()


def _used(table: torch.Tensor, start: int) -> torch.Tensor:
    """The rows of a block that are not all zero, in fp64."""
    block = table[start : start + BLOCK].double()
    return block[(block != 0).any(1)]
