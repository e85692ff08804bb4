"""The lattice of a Unigram model: every piece that fits somewhere in a word, the best way through, and the next best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from .alphabet import byte_piece

PENALTY = 10.0  # an unknown character scores this much below the worst piece, as in SentencePiece and the tokenizers library


@dataclass(frozen=True)
class Edge:
    """One piece that fits from character `start` to `end` of the word, with its log-probability (natural logarithm)."""

    start: int
    end: int
    id: int | None  # None: no piece fits this character; it becomes byte pieces or the unknown token
    shown: str
    score: float
    best: bool = False
    runner_up: bool = False


@dataclass(frozen=True)
class Lattice:
    """All edges, by start and end. `ids` is what the best path becomes; scores are sums of log-probabilities along a path."""

    characters: tuple[str, ...]
    edges: tuple[Edge, ...]
    ids: tuple[int, ...]
    score: float
    runner_up_score: float | None = None

    @property
    def paths(self) -> int:
        """In how many ways the word can be cut."""
        ways = [1] + [0] * len(self.characters)
        for edge in sorted(self.edges, key=lambda e: e.start):
            ways[edge.end] += ways[edge.start]
        return ways[-1]


def follow_lattice(
    word: str, vocab: Mapping[str, int], scores: Sequence[float], unknown: int | None, fallback: bool, longest: int, shown: Callable[[str], str]
) -> Lattice:
    """The lattice of one word. `vocab` and `scores` are the model's pieces; `fallback` says whether unknown characters are spelt in byte pieces."""
    worst = min(scores, default=0.0) - PENALTY
    edges: list[Edge] = []
    for start in range(len(word)):
        found = [
            Edge(start, end, vocab[piece], shown(piece), scores[vocab[piece]])
            for end in range(start + 1, min(len(word), start + longest) + 1)
            if (piece := word[start:end]) in vocab
        ]
        if not any(edge.end == start + 1 for edge in found):
            found.append(Edge(start, start + 1, None, shown(word[start]), worst))
        edges += found
    paths = two_best(len(word), edges)
    best = paths[0][1] if paths else ()
    second = paths[1] if len(paths) > 1 else None
    marked = tuple(replace(edge, best=n in best, runner_up=second is not None and n in second[1]) for n, edge in enumerate(edges))
    ids = _ids(word, [edges[n] for n in best], vocab, unknown, fallback)
    return Lattice(tuple(map(shown, word)), marked, ids, paths[0][0] if paths else 0.0, second[0] if second else None)


def two_best(size: int, edges: Sequence[Edge]) -> list[tuple[float, tuple[int, ...]]]:
    """The best two paths over characters 0 to `size`, as (sum of scores, places in `edges`); of equal ones the first found stays, as in the library."""
    ends: list[list[tuple[float, int, int]]] = [[] for _ in range(size + 1)]  # (score, last edge, which of the two paths before it)
    ends[0] = [(0.0, -1, 0)]
    for n, edge in enumerate(edges):  # by start: all paths to it are known
        for which, (score, _, _) in enumerate(ends[edge.start]):
            arrived = [*ends[edge.end], (score + edge.score, n, which)]
            ends[edge.end] = sorted(arrived, key=lambda path: -path[0])[:2]
    return [(score, _walk(ends, edges, size, which)) for which, (score, _, _) in enumerate(ends[size])] if size else []


def _walk(ends: list[list[tuple[float, int, int]]], edges: Sequence[Edge], at: int, which: int) -> tuple[int, ...]:
    path: list[int] = []
    while at:
        _, n, which = ends[at][which]
        path.append(n)
        at = edges[n].start
    return tuple(reversed(path))


def _ids(word: str, path: list[Edge], vocab: Mapping[str, int], unknown: int | None, fallback: bool) -> tuple[int, ...]:
    """Neighbouring unknown characters are one piece to the model, spelt in bytes where it can be."""
    ids: list[int] = []
    waiting = ""
    for edge in [*path, None]:
        if edge is not None and (edge.id is None or edge.id == unknown):
            waiting += word[edge.start : edge.end]
            continue
        if waiting:
            spelt = [vocab.get(byte_piece(byte)) for byte in waiting.encode()] if fallback else [None]
            if waiting in vocab:
                ids.append(vocab[waiting])
            else:
                ids += spelt if None not in spelt else [unknown] if unknown is not None else []
            waiting = ""
        if edge is not None:
            ids.append(edge.id)
    return tuple(ids)
