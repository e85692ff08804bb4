"""Continued BPE: the most frequent adjacent pair, again and again, over words that the base merges have already cut."""

from __future__ import annotations

import gc
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from ..progress import Progress

Pair = tuple[int, int]


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for cycles meanwhile: there are none among the lists and sets of learning, and looking through them again and again took a sixth of it."""
    were = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if were:
            gc.enable()


@dataclass
class Learned:
    """The new merges, each making the next free id, and the distinct pairs that had been next and were refused, by reason."""

    merges: list[Pair] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    exhausted: bool = False  # fewer than asked: no pair was frequent enough


class Learner:
    """Learns merges over `words` (each a list of token ids) that occur `weights` times.

    `text` maps id → token and grows with each merge; `known` are the tokens that exist already; `segment` cuts a string by the base
    merges; `reason` says why a product may not be learned. The result does not depend on the order of the words: the pair with
    the highest count goes first and, among equals, the one with the lowest ids.
    """

    def __init__(
        self,
        words: Sequence[list[int]],
        weights: Sequence[int],
        text: dict[int, str],
        known: set[str],
        segment: Callable[[str], list[int]],
        reason: Callable[[str], str],
    ) -> None:
        self.words, self.weights = list(words), weights
        self.text, self.known, self.segment, self.reason = text, known, segment, reason
        self.order: dict[Pair, tuple[int, int]] = {}  # merge → (rank, product)
        self.counts: dict[Pair, int] = {}
        self.where: dict[Pair, set[int]] = {}
        self.verdicts: dict[Pair, str] = {}
        self.learned = Learned()
        for at, word in enumerate(self.words):
            for pair in pairwise(word):
                self._add(pair, at, self.weights[at])
        self.heap = [(-count, *pair) for pair, count in self.counts.items()]
        heapq.heapify(self.heap)

    def learn(self, wanted: int, first_id: int, min_frequency: int, progress: Progress) -> Learned:
        """Learn up to `wanted` merges; product k gets id `first_id` + k. May be called once."""
        for k in progress.track(range(wanted), wanted, "learning merges"):
            pair = self._best(min_frequency)
            if pair is None:
                self.learned.exhausted = True
                break
            self._merge(pair, first_id + k)
        self.learned.refused.update(self.verdicts.values())
        return self.learned

    def _best(self, min_frequency: int) -> Pair | None:
        while self.heap:
            count, *ids = heapq.heappop(self.heap)
            pair = (ids[0], ids[1])
            if -count != (now := self.counts.get(pair, 0)):
                if now:  # it has become rarer since it was pushed
                    heapq.heappush(self.heap, (-now, *pair))
                continue
            if -count < min_frequency:
                return None
            if verdict := self._verdict(pair):
                self.verdicts[pair] = verdict
                del self.counts[pair], self.where[pair]
                continue
            return pair
        return None

    def _verdict(self, pair: Pair) -> str:
        """Why the product may not be learned: the filter's reason, or that it would exist twice or not be what its own text is cut into.

        Each stays true for ever, so that learning in two goes is learning in one. Only a pair whose turn has come is judged: of 105 000 pairs of a
        novel one in five, and judging all of them was a fifth of the time.
        """
        product = self.text[pair[0]] + self.text[pair[1]]
        if reason := self.reason(product):
            return reason
        if product in self.known:
            return "already a token"
        return "" if go_on(self.segment(product), self.order) == [*pair] else "not its own text"

    def _merge(self, pair: Pair, product: int) -> None:
        self.order[pair] = (len(self.learned.merges), product)
        self.learned.merges.append(pair)
        self.text[product] = self.text[pair[0]] + self.text[pair[1]]
        self.known.add(self.text[product])
        del self.counts[pair]
        more: set[Pair] = set()
        for at in self.where.pop(pair):
            self.words[at] = self._merge_in(at, pair, product, more)
        for other in more:
            if count := self.counts.get(other, 0):
                heapq.heappush(self.heap, (-count, *other))

    def _merge_in(self, at: int, pair: Pair, product: int, more: set[Pair]) -> list[int]:
        """Merge one word and move only the counts of the pairs beside the merged ones; `more` gathers those that became more frequent."""
        left, right = pair
        word, weight = self.words[at], self.weights[at]
        out: list[int] = []
        i, last = 0, len(word) - 1
        while i <= last:
            if word[i] != left or i == last or word[i + 1] != right:
                out.append(word[i])
                i += 1
                continue
            if out:
                self._take((word[i - 1], left), weight)
                if self._add((out[-1], product), at, weight):
                    more.add((out[-1], product))
            out.append(product)
            i += 2
            if i <= last and not (word[i] == left and i < last and word[i + 1] == right):
                self._take((right, word[i]), weight)
                if self._add((product, word[i]), at, weight):
                    more.add((product, word[i]))
        return out

    def _add(self, pair: Pair, at: int, weight: int) -> bool:
        """Count a pair of word `at`; refused pairs, and those merged already, are not counted at all."""
        if pair in self.verdicts or pair in self.order:
            return False
        if pair in self.counts:
            self.counts[pair] += weight
            self.where[pair].add(at)
        else:
            self.counts[pair], self.where[pair] = weight, {at}
        return True

    def _take(self, pair: Pair, weight: int) -> None:
        if pair in self.counts:
            self.counts[pair] -= weight


def go_on(ids: list[int], order: dict[Pair, tuple[int, int]]) -> list[int]:
    """Apply the new merges, pair → (rank, product), to what the base merges left: no new product is part of an old merge, so the order is by stage."""
    ids = list(ids)
    while True:
        rank, at = min(((order[pair][0], at) for at, pair in enumerate(pairwise(ids)) if pair in order), default=(-1, -1))
        if rank < 0:
            return ids
        ids[at : at + 2] = [order[ids[at], ids[at + 1]][1]]
