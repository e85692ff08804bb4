"""The one merge per token that ever fires, out of the many that a converted tokenizer may list."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import WorkbenchError
from .alphabet import BYTE_PIECE

if TYPE_CHECKING:
    from .base import Base

Pair = tuple[int, int]
Ranks = Mapping[Pair, tuple[int, int]]  # pair of ids → (rank, product)


def firing(base: Base) -> dict[int, Pair]:
    """Token id → the pair whose merge makes it, in the order of the merges; tokens that no merge makes are not in it.

    The merge that counts is the last one when the token's own string is merged. The others can go without changing any encoding, by proof and
    not only on the texts tried: all merges inside a stretch of text that ends as one token are chosen, lowest rank and then leftmost, from
    the pairs that the token's string has alone, so whatever fires in a text fires in some token's own string. That leaves 29 612 of the 61 249
    merges that Llama-2's converted file has, and 127 156 of Llama-3's 280 147.
    Raises WorkbenchError where merges join byte-fallback pieces, which no string spells.
    """
    vocab: dict[str, int] = base.spec["model"]["vocab"]
    ranks: dict[Pair, tuple[int, int]] = {}
    several: dict[int, list[Pair]] = {}
    for rank, (left, right) in enumerate(pairs_of(base.spec["model"]["merges"])):
        if base.kind == "metaspace" and (BYTE_PIECE.fullmatch(left) or BYTE_PIECE.fullmatch(right)):
            raise WorkbenchError("This base merges byte-fallback pieces, so its tokens cannot be pruned one by one; choose another base.")
        pair, product = (vocab[left], vocab[right]), vocab[left + right]
        ranks[pair] = (rank, product)
        several.setdefault(product, []).append(pair)
    text = {i: token for token, i in vocab.items()}
    found: dict[int, Pair] = {}
    for product, pairs in several.items():
        if len(pairs) == 1 and base.cut(text[product]) == [product]:
            found[product] = pairs[0]
        elif len(pairs) > 1:
            ids, last = merge([vocab.get(letter, -1) for letter in text[product]], ranks)
            if ids == [product]:
                found[product] = last
    return dict(sorted(found.items(), key=lambda item: ranks[item[1]]))


def pairs_of(merges: Iterable[str | Sequence[str]]) -> list[tuple[str, str]]:
    """Merges as a tokenizer.json lists them, "l r" or [l, r]."""
    split = (m.split(" ") if isinstance(m, str) else m for m in merges)
    return [(left, right) for left, right in split]


def merge(units: Sequence[int], ranks: Ranks) -> tuple[list[int], Pair]:
    """BPE over ids: the pair of lowest rank and then the leftmost, until none is left; and the last pair merged ((-1, -1) if none was)."""
    ids, last = list(units), (-1, -1)
    after = [*range(1, len(ids)), -1]
    before = list(range(-1, len(ids) - 1))
    heap = [(ranks[pair][0], i, pair) for i, pair in enumerate(pairwise(ids)) if pair in ranks]
    heapq.heapify(heap)
    while heap:
        _, i, pair = heapq.heappop(heap)
        j = after[i]
        if j < 0 or (ids[i], ids[j]) != pair:  # one of the two has been merged away since
            continue
        ids[i], ids[j], last = ranks[pair][1], -2, pair
        after[i] = after[j]
        if after[j] >= 0:
            before[after[j]] = i
            if (right := (ids[i], ids[after[j]])) in ranks:
                heapq.heappush(heap, (ranks[right][0], i, right))
        if before[i] >= 0 and (left := (ids[before[i]], ids[i])) in ranks:
            heapq.heappush(heap, (ranks[left][0], before[i], left))
    return [i for i in ids if i != -2], last
