"""How tokens moved from one space to another, and one token's way through several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WorkbenchError
from .aligning import Alignment, Anchors, How, align, cosines, pairs_of, shared
from .retrieving import NEAREST, nearest, neighbours

if TYPE_CHECKING:
    from .opening import Space


POOL = 5_000  # shared tokens among which neighbours are looked for
CHUNK = 4_096  # tokens at a time


@dataclass(frozen=True)
class Displacement:
    """Of n shared tokens how far each moved.

    Attributes:
        ids: (n, 2) in the first space and in the second.
        absolute: (n,) length of the way between its place in the first space, as aligned, and in the second.
        relative: (n,) the same over the mean distance to its ten nearest neighbours in the second space: 1 is as far as they are. NaN where these lie on it.
        cosine: (n,) between the two places, seen from the middle of the anchors.
        kept: (n,) the share of its ten nearest neighbours that it kept.
    """

    ids: np.ndarray
    absolute: np.ndarray
    relative: np.ndarray
    cosine: np.ndarray
    kept: np.ndarray


def displacement(
    a: Space, b: Space, alignment: Alignment | None = None, how: How = "auto", tokens: np.ndarray | None = None, seed: int = 0
) -> Displacement:  # fmt: skip
    """How far the tokens that both spaces have moved, or those of `tokens` (ids of the second space) that both have.

    Neighbours are looked for among all shared tokens, of more than 5,000 among a seeded sample. Raises WorkbenchError where the spaces share none.
    """
    ids, pool = pairs_of(a, b), shared(a, b, most=POOL, seed=seed)
    ids = ids if tokens is None else ids[np.isin(ids[:, 1], tokens)]
    alignment = alignment or align(pool, how)
    places = {int(i): n for n, i in enumerate(pool.ids[:, 1])}
    parts = [_displaced(a, b, ids[start : start + CHUNK], pool, places, alignment) for start in range(0, len(ids), CHUNK)]
    return Displacement(ids, *(np.concatenate([np.zeros(0), *column]) for column in (zip(*parts, strict=True) if parts else [[]] * 4)))


def _displaced(
    a: Space, b: Space, ids: np.ndarray, pool: Anchors, places: dict[int, int], alignment: Alignment
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    mine, theirs = a.vectors(ids[:, 0]), b.vectors(ids[:, 1])
    own = np.array([places.get(int(i), -1) for i in ids[:, 1]], dtype=np.int64)
    k = min(NEAREST, max(len(pool) - 1, 1))
    before, after = (nearest(rows, among, k, without=own).places for rows, among in ((mine, pool.a), (theirs, pool.b)))
    absolute = np.linalg.norm(alignment.apply(mine) - theirs, axis=1).astype(np.float64)
    around = np.array([_distance(row, pool.b[near[near >= 0]]) for row, near in zip(theirs, after, strict=True)])
    relative = np.divide(absolute, around, out=np.full(len(absolute), np.nan), where=around > 0)
    kept = np.array([len(np.intersect1d(x[x >= 0], y[y >= 0])) / k for x, y in zip(before, after, strict=True)])
    return absolute, relative, cosines(*alignment.centred(mine, theirs)), kept


def _distance(row: np.ndarray, others: np.ndarray) -> float:
    """The mean distance to other rows; 0 where there are none."""
    return float(np.linalg.norm(others - row, axis=1).mean()) if len(others) else 0.0


def most_moved(found: Displacement, space: Space, count: int = 50) -> list[dict[str, Any]]:
    """The tokens that moved farthest for where they are, as rows; `space` is the second one, which names them."""
    order = np.argsort(-np.nan_to_num(found.relative, nan=-1.0), kind="stable")[:count]
    return [
        {
            "token": space.tokens.printable(int(found.ids[n, 1])), "id": int(found.ids[n, 1]), "relative": float(found.relative[n]),
            "absolute": float(found.absolute[n]), "cosine": float(found.cosine[n]), "neighbours_kept": float(found.kept[n]),
        }
        for n in order.tolist()
    ]  # fmt: skip


@dataclass(frozen=True)
class Life:
    """One token through several spaces; each stage is a row: space, id, norm, cosine and distance to the stage before, neighbours kept, neighbours.

    `places` (stages, d) are its vectors in the frame of the last space, for those stages that have it and can be laid onto the last.
    """

    token: str
    stages: list[dict[str, Any]]
    places: np.ndarray


def life(spaces: Sequence[Space], token: str | int, *, of: int = -1, k: int = 8, alignments: Sequence[Alignment] | None = None) -> Life:
    """The biography of a token: init → aligned → LEP → calibrated, or whatever stages are given.

    `token` is one of the space number `of`; in the others it is found by its bytes. `alignments` lay each space onto the next; found where not given.
    Raises WorkbenchError where there is no such token.
    """
    if not spaces:
        raise WorkbenchError("There is no space to look into; name at least one.")
    whose = spaces[of]
    here = whose.find(token)
    identity = whose.tokens.identity(here)
    ids = [here if space is whose else _same(space, identity) for space in spaces]
    maps = list(alignments) if alignments is not None else [onto(a, b) for a, b in pairwise(spaces)]
    stages: list[dict[str, Any]] = []
    places: list[np.ndarray] = []
    for n, (space, mine) in enumerate(zip(spaces, ids, strict=True)):
        if mine is None:
            stages.append({"space": space.name, "id": None, "note": "not in this vocabulary"})
            continue
        vector = space.vectors([mine])
        row: dict[str, Any] = {"space": space.name, "id": mine, "norm": float(np.linalg.norm(vector))}
        if n and ids[n - 1] is not None and maps[n - 1] is not None:
            before = spaces[n - 1].vectors([ids[n - 1]])
            row |= {"cosine": float(cosines(*maps[n - 1].centred(before, vector))[0]), "moved": float(np.linalg.norm(maps[n - 1].apply(before) - vector))}
        near = neighbours(space, mine, k) if space.usable[mine] else []
        earlier = next((stage["neighbours"] for stage in reversed(stages) if stage.get("neighbours")), [])
        if earlier and near:
            row["kept"] = len({r["token"] for r in earlier} & {r["token"] for r in near}) / len(near)
        stages.append(row | {"neighbours": near})
        if None not in maps[n:]:
            for later in maps[n:]:
                vector = later.apply(vector)
            places.append(vector[0])
    return Life(whose.tokens.printable(here), stages, np.array(places))


def onto(a: Space, b: Space) -> Alignment | None:
    """How one stage lies in the next, by their shared tokens; None where they share none, so that nothing says so."""
    try:
        return align(shared(a, b, most=POOL))
    except WorkbenchError:
        return None


def _same(space: Space, identity: Any) -> int | None:
    found = space.tokens.ids.get(identity)
    return found if found is not None and found < space.size else None
