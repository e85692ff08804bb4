"""How tokens moved from one space to another, and one token's way through several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WorkbenchError
from .aligning import Alignment, Anchors, How, align, cosines, shared
from .retrieving import NEAREST, nearest, neighbours

if TYPE_CHECKING:
    from .opening import Space


@dataclass(frozen=True)
class Displacement:
    """Of n shared tokens how far each moved.

    Attributes:
        ids: (n, 2) in the first space and in the second.
        absolute: (n,) length of the way between its place in the first space, as aligned, and in the second.
        relative: (n,) the same over the mean distance to its ten nearest neighbours in the second space: 1 is as far as they are. NaN where these lie on it.
        cosine: (n,) between the two places, seen from the middle of the anchors.
        kept: (n,) the share of its ten nearest neighbours, among the shared tokens, that it kept.
    """

    ids: np.ndarray
    absolute: np.ndarray
    relative: np.ndarray
    cosine: np.ndarray
    kept: np.ndarray


def displacement(a: Space, b: Space, alignment: Alignment | None = None, how: How = "auto", most: int | None = None, seed: int = 0) -> Displacement:
    """How far the tokens that both spaces have moved. Raises WorkbenchError where they share none."""
    from .measuring import neighbourhood

    anchors = shared(a, b, most=most, seed=seed)
    alignment = alignment or align(anchors, how)
    moved = alignment.apply(anchors.a)
    absolute = np.linalg.norm(moved - anchors.b, axis=1).astype(np.float64)
    around = _around(anchors)
    relative = np.divide(absolute, around, out=np.full(len(absolute), np.nan), where=around > 0)
    return Displacement(anchors.ids, absolute, relative, cosines(*alignment.centred(anchors.a, anchors.b)), neighbourhood(anchors.a, anchors.b))


def _around(anchors: Anchors) -> np.ndarray:
    """(n,) mean distance of each to its ten nearest by cosine, in the second space."""
    near = nearest(anchors.b, anchors.b, min(NEAREST, max(len(anchors) - 1, 1)), without=np.arange(len(anchors))).places
    return np.array([np.linalg.norm(anchors.b[row[row >= 0]] - anchors.b[n], axis=1).mean() if (row >= 0).any() else np.nan for n, row in enumerate(near)])


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
    maps = list(alignments) if alignments is not None else [_map(a, b) for a, b in pairwise(spaces)]
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


def _map(a: Space, b: Space) -> Alignment | None:
    """None where two stages share no token, so that nothing says how one lies in the other."""
    try:
        return align(shared(a, b, most=5_000))
    except WorkbenchError:
        return None


def _same(space: Space, identity: Any) -> int | None:
    found = space.tokens.ids.get(identity)
    return found if found is not None and found < space.size else None
