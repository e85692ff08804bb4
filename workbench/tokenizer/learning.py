"""Continued BPE: the most frequent adjacent pair, again and again, over words that the base merges have already cut."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..progress import Progress

Pair = tuple[int, int]


@dataclass
class Learned:
    """The new merges, each making the next free id, and the distinct pairs that were refused, by reason."""

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
            self._count(at, word, +1)
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
        self.learned.refused.update(v for v in self.verdicts.values() if v)
        return self.learned

    def _best(self, min_frequency: int) -> Pair | None:
        while self.heap:
            count, *ids = heapq.heappop(self.heap)
            pair = (ids[0], ids[1])
            if -count != self.counts.get(pair):
                continue  # an old count; the pair was pushed again when it changed
            if -count < min_frequency:
                return None
            if verdict := self._dead(pair):
                self.verdicts[pair] = verdict
                del self.counts[pair], self.where[pair]
                continue
            return pair
        return None

    def _dead(self, pair: Pair) -> str:
        """Whether the product would exist twice, or not be what its own text is cut into.

        Either stays true for ever, so that learning in two goes is learning in one.
        """
        product = self.text[pair[0]] + self.text[pair[1]]
        if product in self.known:
            return "already a token"
        return "" if self._cut(product) == [*pair] else "not its own text"

    def _cut(self, text: str) -> list[int]:
        """Segment by the base merges, then by the new ones: no new product is part of an old merge, so the order is by stage."""
        ids = self.segment(text)
        while True:
            rank, product = min((self.order[p] for p in pairwise(ids) if p in self.order), default=(-1, -1))
            if rank < 0:
                return ids
            ids = _replace(ids, self.learned.merges[rank], product)

    def _merge(self, pair: Pair, product: int) -> None:
        self.order[pair] = (len(self.learned.merges), product)
        self.learned.merges.append(pair)
        self.text[product] = self.text[pair[0]] + self.text[pair[1]]
        self.known.add(self.text[product])
        del self.counts[pair]
        changed: set[Pair] = set()
        for at in self.where.pop(pair):
            word = self.words[at]
            new = _replace(word, pair, product)
            if len(new) == len(word):
                continue
            changed |= self._count(at, word, -1)
            changed |= self._count(at, new, +1)
            self.words[at] = new
        for other in changed:
            if count := self.counts.get(other, 0):
                heapq.heappush(self.heap, (-count, *other))
        self.counts.pop(pair, None)
        self.where.pop(pair, None)

    def _count(self, at: int, word: list[int], sign: int) -> set[Pair]:
        """Add or take away the pairs of a word; refused pairs are not counted at all."""
        seen: set[Pair] = set()
        weight = sign * self.weights[at]
        for pair in pairwise(word):
            verdict = self.verdicts.get(pair)
            if verdict is None:
                verdict = self.verdicts[pair] = self.reason(self.text[pair[0]] + self.text[pair[1]])
            if verdict or pair in self.order:
                continue
            self.counts[pair] = self.counts.get(pair, 0) + weight
            seen.add(pair)
            if sign > 0:
                self.where.setdefault(pair, set()).add(at)
        return seen


def _replace(word: list[int], pair: Pair, product: int) -> list[int]:
    """The word with every occurrence of the pair merged, from the left."""
    left, right = pair
    out: list[int] = []
    i, last = 0, len(word) - 1
    while i <= last:
        if word[i] == left and i < last and word[i + 1] == right:
            out.append(product)
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out
