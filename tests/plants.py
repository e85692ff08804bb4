"""Planted spaces: the second language of a pair is the first one's vectors, turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.spaces import Space, of


@dataclass(frozen=True)
class Planted:
    """Two languages in two spaces: the second holds the first's vectors, turned, under other words."""

    first: Space
    second: Space
    turn: np.ndarray
    pairs: list[tuple[str, str]]


def rotation(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


def plant(words: int = 300, names: int = 60, width: int = 12, seed: int = 4) -> Planted:
    """English words e0 … and their translations р0 …, and names that both spaces have; turned and moved."""
    rng = np.random.default_rng(seed)
    vectors, turn = rng.standard_normal((words + names, width)), rotation(rng, width)
    shared = [f"Name{n}" for n in range(names)]
    english, russian = [f"e{n}" for n in range(words)], [f"р{n}" for n in range(words)]
    first = of(vectors.astype(np.float32), [*english, *shared], "first")
    second = of((vectors @ turn + 3.0).astype(np.float32), [*russian, *shared], "second")
    return Planted(first, second, turn, list(zip(english, russian, strict=True)))
