"""What a click on a point tells: the token's way through the spaces, and its neighbours in full."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from ... import chiphtml
from ...spaces import opening
from ..chips import Stamp, stamp
from ..messages import say

if TYPE_CHECKING:
    from ...spaces import Life, Picture, Space

COLUMNS = {"space": "Space", "id": "Id", "norm": "Length", "cosine": "Cosine with the stage before", "moved": "Moved", "kept": "Neighbours kept"}


def space(reference: str, table: str) -> Space:
    """A space, kept open."""
    return _space(reference, table, stamp(reference))


@lru_cache(maxsize=8)
def _space(reference: str, table: str, _: Stamp) -> Space:
    return opening.open(reference, table)  # type: ignore[arg-type]


def spaces_of(made: Picture) -> list[Space]:
    return [space(each["reference"], each["table"]) for each in made.about["spaces"]]


def life_of(made: Picture, row: int) -> Life:
    """The biography of the token of a point, in every space of the picture."""
    from ...spaces import life

    point = made.points.iloc[row]
    return life(spaces_of(made), int(point["id"]), of=int(point["space"]))


def life_html(found: Life) -> str:
    """The token, its stages as a table, and its neighbours at each stage as chips."""
    columns = [key for key in COLUMNS if any(stage.get(key) is not None for stage in found.stages)]
    head = "".join(f"<th>{COLUMNS[key]}</th>" for key in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(stage, key)}</td>' for key in columns)}</tr>" for stage in found.stages)
    rows = "".join(_near(stage) for stage in found.stages if stage.get("neighbours"))
    portrait = f'<div class="portrait">{chiphtml.plain(found.token)}</div>'
    return f'<div class="why-token">{portrait}<div><table class="plain"><tr>{head}</tr>{body}</table></div></div>{rows}'


def _cell(stage: dict[str, Any], key: str) -> str:
    if key == "id" and stage.get("id") is None:
        return escape(stage.get("note", "–"))
    return f"<bdi>{escape(say(stage.get(key)))}</bdi>"


def _near(stage: dict[str, Any]) -> str:
    chips = "".join(
        chiphtml.plain(row["token"], about=f"id {row['id']} · cosine {row['cosine']:.4f}", below=f"{row['cosine']:.3f}") for row in stage["neighbours"]
    )
    return f'<div class="chip-row"><h5>Nearest in <bdi>{escape(stage["space"])}</bdi>, among all tokens</h5><div class="chips">{chips}</div></div>'
