"""Which tokens of several spaces go into one picture, and where they lie in one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import WorkbenchError
from .aligning import How, align
from .choosing import choose
from .dictionaries import translations
from .measuring import anchors_of
from .opening import Space

ANCHORS = 5_000  # shared tokens that decide how spaces lie to each other
CHUNK = 2_048  # rows laid at a time
Pair = tuple[int, int, int, int]  # space and id of the source word, space and id of the target word


def names_of(opened: Sequence[Space]) -> list[str]:
    """Of spaces with one name the later ones get a number."""
    found: list[str] = []
    for space in opened:
        again = sum(name == space.name or name.startswith(f"{space.name} (") for name in found)
        found.append(f"{space.name} ({again + 1})" if space.name in found else space.name)
    return found


def paired(opened: Sequence[Space], pairs: Sequence[tuple[str, str]]) -> list[Pair]:
    """Pairs that are one token each: within each space, and where none knows both sides, from the first to the last."""
    cut = [[[ids[0] if len(ids := space.pieces(word)) == 1 else -1 for word in column] for column in zip(*pairs, strict=True)] for space in opened]
    found = [(n, i, n, j) for n, (sources, targets) in enumerate(cut) for i, j in zip(sources, targets, strict=True) if min(i, j) >= 0 and i != j]
    last = len(opened) - 1
    if not found and last:
        found = [(0, i, last, j) for i, j in zip(cut[0][0], cut[-1][1], strict=True) if min(i, j) >= 0]
    return list(dict.fromkeys(found))


def chosen(
    opened: Sequence[Space], states: Sequence[np.ndarray], pick: Sequence[str | int], pairs: Sequence[Pair], counts: Sequence[Any], filters: Mapping[str, Any],
    notes: list[str],
) -> tuple[list[np.ndarray], list[int]]:  # fmt: skip
    """Ids of each space, and how many there are to choose from.

    The last space first; in the others the same tokens, and a sample of what is left. Tokens of the translation pairs are always among them, unless a
    state, a script or a beginning is asked for.
    """
    ids: list[np.ndarray] = [np.zeros(0, dtype=np.int64)] * len(opened)
    fitting, last = [0] * len(opened), len(opened) - 1
    narrowed = filters["state"] != "all" or filters["script"] or filters["prefix"]
    by_hand = bool(pick) and filters["sample"] is None and not narrowed and not filters["min_count"]
    drawn: set[Any] = set()
    for n in range(last, -1, -1):
        space = opened[n]
        hand = [space.find(token) for token in pick] if n == last else _known(space, [opened[last].tokens.identity(opened[last].find(t)) for t in pick])
        lines = [] if narrowed or by_hand else [i for pair in pairs for where, i in (pair[:2], pair[2:]) if where == n]
        more = [i for i in [*lines, *(_known(space, drawn) if n < last and not by_hand else [])] if space.usable[i]]
        together = hand + [i for i in dict.fromkeys(more) if i not in set(hand)]
        if n < last and by_hand and not hand:
            continue
        try:
            found = choose(space, states=states[n], pick=together, counts=counts[n], **filters)
        except WorkbenchError as nothing:  # nothing is new in the first of two spaces, for example
            if n == last:
                raise
            notes.append(str(nothing))
            continue
        ids[n], fitting[n] = found.ids, found.of
        notes += [note for note in found.notes if note not in notes]
        drawn |= {space.tokens.identity(int(i)) for i in found.ids}
    return ids, fitting


def _known(space: Space, identities: Any) -> list[int]:
    """The tokens of these identities that a space has, with a row."""
    found = (space.tokens.ids.get(identity) for identity in identities)
    return sorted(i for i in found if i is not None and i < space.size)


def stacked(
    opened: Sequence[Space], ids: Sequence[np.ndarray], dictionary: Any, how: How, seed: int, notes: list[str]
) -> tuple[np.ndarray, list[str]]:  # fmt: skip
    """All chosen vectors in the frame of the last space, in one array that is the only copy; and how each space was laid into it."""
    last, said = opened[-1], []
    rows = np.empty((sum(map(len, ids)), last.width), dtype=np.float32)
    start = 0
    for space, mine in zip(opened, ids, strict=True):
        place = rows[start : start + len(mine)]
        start += len(mine)
        alignment = None
        if space is not last:
            anchors = anchors_of(space, last, partial(translations, space, last, dictionary) if dictionary else None, ANCHORS, seed)
            alignment = align(anchors, how)
            notes += [note for note in alignment.notes if note not in notes]
            how_said = "as it is" if alignment.how == "none" else f"by {alignment.how}"
            said.append(f"{space.name} {how_said} ({alignment.anchors:,} {anchors.kind})")
        for first in range(0, len(mine), CHUNK):
            part = space.vectors(mine[first : first + CHUNK], place[first : first + CHUNK])
            if alignment is not None:
                part[:] = alignment.apply(part)
    return rows, said
