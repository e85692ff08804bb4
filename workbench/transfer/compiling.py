"""How inner loops are compiled. Loaded only where one begins: numba takes up to a second to import."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from numba import njit

Work = TypeVar("Work", bound=Callable)


def compiled(work: Work, any_order: bool = True) -> Work:
    """Compiled once for all processes, or in each where no folder can be written. What sums can be off by is the same in any order.

    What was compiled is kept until the file in which `work` stands changes, and only then made again: what it is made of belongs into that file.
    """
    options = {"nogil": True, "fastmath": {"nnan", "nsz", "contract", *(["reassoc"] if any_order else [])}}
    try:
        return njit(cache=True, **options)(work)
    except RuntimeError:
        return njit(**options)(work)
