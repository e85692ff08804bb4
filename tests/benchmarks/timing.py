"""Times that can be compared on a busy machine: the works take turns, and what counts is the median of the ratios of a round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def paired(work: Mapping[str, Callable[[], object]], rounds: int, warm_up: bool = True) -> dict[str, float]:
    """For two works by name: NAME_seconds of each (medians), ratio (median over rounds of second over first), ratio_low and ratio_high (its extremes)."""
    first, second = work
    taken: dict[str, list[float]] = {name: [] for name in work}
    if warm_up:
        for each in work.values():
            each()
    for number in range(rounds):
        for name in (first, second) if number % 2 else (second, first):  # in either order, so that neither always comes first
            taken[name].append(seconds(work[name]))
    ratios = [b / a for a, b in zip(taken[first], taken[second], strict=True)]
    found = {f"{name}_seconds": round(statistics.median(times), 3) for name, times in taken.items()}
    return found | {"ratio": round(statistics.median(ratios), 3), "ratio_low": round(min(ratios), 3), "ratio_high": round(max(ratios), 3)}
