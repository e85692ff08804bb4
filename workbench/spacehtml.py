"""One token's way through several spaces, in HTML that the app and the notebooks share."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from . import chiphtml

if TYPE_CHECKING:
    from .spaces import Life

COLUMNS = {"space": "Space", "id": "Id", "norm": "Length", "cosine": "Cosine with the stage before", "moved": "Moved", "kept": "Neighbours kept"}


def life_html(found: Life) -> str:
    """The token, its stages as a table, and its neighbours at each stage as chips."""
    columns = [key for key in COLUMNS if any(stage.get(key) is not None for stage in found.stages)]
    head = "".join(f"<th>{COLUMNS[key]}</th>" for key in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(stage, key)}</td>' for key in columns)}</tr>" for stage in found.stages)
    rows = "".join(_near(stage) for stage in found.stages if stage.get("neighbours"))
    portrait = f'<div class="portrait">{chiphtml.plain(found.token)}</div>'
    return f'<div class="why-token">{portrait}<div><table class="plain"><tr>{head}</tr>{body}</table></div></div>{rows}'


def _cell(stage: dict[str, Any], key: str) -> str:
    value = stage.get(key)
    if value is None:
        return escape(stage.get("note", "–")) if key == "id" else "–"
    return f"{value:.3g}" if isinstance(value, float) else f"<bdi>{escape(str(value))}</bdi>"


def _near(stage: dict[str, Any]) -> str:
    chips = "".join(
        chiphtml.plain(row["token"], about=f"id {row['id']} · cosine {row['cosine']:.4f}", below=f"{row['cosine']:.3f}") for row in stage["neighbours"]
    )
    return f'<div class="chip-row"><h5>Nearest in <bdi>{escape(stage["space"])}</bdi>, among all tokens</h5><div class="chips">{chips}</div></div>'
