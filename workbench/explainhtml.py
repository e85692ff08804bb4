"""Why a vector is what it is, in HTML that the app and the notebooks share."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .transfer.explaining import Explanation

SHOWN = 12  # rows of a table; an explanation may have thousands
COLUMNS = ("token", "weight", "similarity", "cosine")


def explanation_html(found: Explanation) -> str:
    """The sentence, the numbers, and tables of source tokens and neighbours."""
    numbers = {
        "Length of the input row": found.norm,
        "Length of the output row": found.output_norm,
        "Residual": found.residual,
        "Cosine with the row that the transfer made": found.moved,
    }
    lines = "".join(f"<tr><th>{name}</th><td>{value:.4g}</td></tr>" for name, value in numbers.items() if value is not None)
    parts = {
        "Made of": found.rows if found.kind != "copy" else [],
        "Output row made of": found.output_rows,
        "Nearest neighbours": found.neighbours,
        "Nearest neighbours among kept rows": found.kept_neighbours,
    }
    tables = "".join(_table(name, rows, found.terms if name == "Made of" else len(rows)) for name, rows in parts.items() if rows)
    row = "display:flex; flex-wrap:wrap; gap:2em; align-items:flex-start"
    return f'<div class="explanation"><p dir="auto">{escape(found.text)}</p><table class="plain">{lines}</table><div style="{row}">{tables}</div></div>'


def _table(name: str, rows: list[dict[str, Any]], total: int) -> str:
    columns = [key for key in COLUMNS if any(key in row for row in rows)]
    head = "".join(f"<th>{key}</th>" for key in columns)
    body = "".join("<tr>" + "".join(f"<td>{_cell(row.get(key))}</td>" for key in columns) + "</tr>" for row in rows[:SHOWN])
    more = f"<small>… {total - SHOWN:,} more</small>" if total > SHOWN else ""
    return f'<div><b>{escape(name)}</b><table class="plain"><tr>{head}</tr>{body}</table>{more}</div>'


def _cell(value: Any) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else f"<bdi>{escape(str(value))}</bdi>"
