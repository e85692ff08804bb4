"""Many like pieces of work on all cores: each piece on one thread, not all threads on each piece.

Between small operations threads wait for one another, and on a busy machine they wait long: with two of them on two shared cores a step of matching
pursuit took ten times as long as with one. Pieces that meet only at the end lose nothing, and no sum depends on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Part, Result = TypeVar("Part"), TypeVar("Result")


def spread(work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """work(part) of each part, in order; as many at a time as PyTorch may use threads."""
    from concurrent.futures import ThreadPoolExecutor

    import torch

    before = torch.get_num_threads()
    if before == 1 or not len(parts):
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(min(before, len(parts)), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield from pool.map(work, parts)
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(before)  # it is each thread's own, but also what threads to come begin with
