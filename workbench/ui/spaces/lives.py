"""What a click on a point tells: the token's way through the spaces, and its neighbours in full."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from ...spaces import opening
from ...spaces.moving import onto
from ..chips import Stamp, stamp

if TYPE_CHECKING:
    from ...spaces import Alignment, Life, Picture, Space


def space(reference: str, table: str) -> Space:
    """A space, kept open."""
    return _space(reference, table, stamp(reference))


@lru_cache(maxsize=8)
def _space(reference: str, table: str, _: Stamp) -> Space:
    return opening.open(reference, table)  # type: ignore[arg-type] - a table's name from the form, which has but the two


def spaces_of(made: Picture) -> list[Space]:
    return [space(each["reference"], each["table"]) for each in made.about["spaces"]]


def life_of(made: Picture, row: int) -> Life:
    """The biography of the token of a point, in every space of the picture."""
    from ...spaces import life

    point, opened = made.points.iloc[row], spaces_of(made)
    maps = [_map(a, b) for a, b in pairwise(opened)]
    return life(opened, int(point["id"]), of=int(point["space"]), alignments=maps)


@lru_cache(maxsize=16)
def _map(a: Space, b: Space) -> Alignment | None:
    """Of large strangers this takes a minute: once, and not at every click."""
    return onto(a, b)
