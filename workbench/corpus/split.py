"""Splitting by document: where a document goes depends on its text and the seed, on nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Generic, Literal, TypeVar

import numpy as np

T = TypeVar("T", str, tuple[str, str])
Split = Literal["train", "validation", "held_out"]
SPLITS: tuple[Split, ...] = ("train", "validation", "held_out")


def place(item: str | tuple[str, str], seed: int, share: float) -> Split:
    """The split of a document or pair: `share` each for validation and held_out, the rest for train.

    A keyed hash of the text decides, so no document moves when others come or go, and equal texts are never on two sides.
    A pair goes by its source side.
    """
    text = item if isinstance(item, str) else item[0]
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, salt=seed.to_bytes(8, "little")).digest()
    point = int.from_bytes(digest, "little") / 2**64
    return "held_out" if point < share else "validation" if point < 2 * share else "train"


class Stream(Generic[T]):
    """Items that are read anew, and come in the same order, each time one iterates."""

    def __init__(self, name: str, start: Callable[[], Iterator[T]]) -> None:
        self.name = name
        self._start = start

    def __iter__(self) -> Iterator[T]:
        return self._start()

    def __repr__(self) -> str:
        return f"Stream({self.name!r})"

    def take(self, count: int) -> list[T]:
        """The first `count` items, or all where there are fewer."""
        return list(islice(self, count))


@dataclass(frozen=True)
class Source(Generic[T]):
    """One reference, opened. `tagged()` reads all of it once; `read(split)` only one split; `ready`: it brought its splits."""

    name: str
    tagged: Callable[[], Iterator[tuple[Split, T]]]
    read: Callable[[Split], Iterator[T]]
    ready: bool = False


def by_hash(name: str, start: Callable[[], Iterable[T]], seed: int, share: float, limit: int | None) -> Source[T]:
    """A source without splits of its own; only its first `limit` items are used."""

    def tagged() -> Iterator[tuple[Split, T]]:
        return ((place(item, seed, share), item) for item in islice(start(), limit))

    return Source(name, tagged, lambda split: (item for side, item in tagged() if side == split))


def ready_split(name: str, start: Callable[[Split], Iterable[T]], share: float, limit: int | None) -> Source[T]:
    """A source that brings its splits; at most `limit` items, of which validation and held_out get `share` each
    (at least one each where that leaves one to train on)."""
    counts = dict.fromkeys(SPLITS, limit)
    if limit is not None:
        small = min(max(round(limit * share), 1), (limit - 1) // 2) if share else 0
        counts = {"train": limit - 2 * small, "validation": small, "held_out": small}

    def read(split: Split) -> Iterator[T]:
        return iter(islice(start(split), counts[split]))

    return Source(name, lambda: ((split, item) for split in SPLITS for item in read(split)), read, ready=True)


class Splits(Generic[T]):
    """The three streams of one or several sources; iterating over it gives everything.

    Without weights the sources follow one another. With weights (one per source) the source of each next item is drawn
    with that probability, until the drawn one has no more: nothing is repeated.
    """

    def __init__(self, sources: list[Source[T]], seed: int = 0, weights: list[float] | None = None) -> None:
        self.sources, self.seed, self.weights = sources, seed, weights
        self.name = " + ".join(s.name for s in sources)
        self.train, self.validation, self.held_out = (Stream(f"{self.name} {split}", partial(self.read, split)) for split in SPLITS)

    def read(self, split: Split) -> Iterator[T]:
        streams = [source.read(split) for source in self.sources]
        return chain.from_iterable(streams) if self.weights is None else mix(streams, self.weights, self.seed)

    def tagged(self) -> Iterator[tuple[Split, T]]:
        """Every item with its split."""
        if self.weights is None:
            return (pair for source in self.sources for pair in source.tagged())
        return ((split, item) for split in SPLITS for item in self.read(split))

    def __iter__(self) -> Iterator[T]:
        return (item for _, item in self.tagged())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def mix(streams: list[Iterator[T]], weights: list[float], seed: int) -> Iterator[T]:
    """Items of several streams in random order, by weight, until a drawn stream has ended."""
    generator = np.random.default_rng(seed)
    shares = np.array(weights, dtype=float) / sum(weights)
    end = object()
    while True:
        for choice in generator.choice(len(streams), size=1024, p=shares):
            item = next(streams[choice], end)
            if item is end:
                return
            yield item
