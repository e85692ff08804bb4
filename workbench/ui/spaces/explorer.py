"""The picture as a component of the page: what it is sent, what comes back from it, and the files it gives."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gradio as gr
import plotly

from ... import plots, spaceplots
from ...errors import WorkbenchError
from ...spaces.steps import kept

if TYPE_CHECKING:
    from ...spaces import Picture

PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
FILES = {"png": "PNG", "svg": "SVG", "html": "HTML page", "parquet": "Points as parquet", "csv": "Selection as CSV"}
COLUMNS = ("token", "id", "space_name", "state", "script", "norm", "frequency", "displacement", "relative", "cluster", "x", "y", "z")
TYPES = {"html": "text/html", "parquet": "application/vnd.apache.parquet", "csv": "text/csv"}


def component() -> gr.HTML:
    """An empty picture. `click` tells of a point, `select` of a lasso; see `row_of` and `rows_of`."""
    gr.set_static_paths([PLOTLY])
    buttons = "".join(f'<button type="button" data-file="{name}"{" disabled" * (name == "csv")}>{escape(label)}</button>' for name, label in FILES.items())
    search = '<input class="space-search" type="search" dir="auto" placeholder="Search tokens …" aria-label="Search tokens" maxlength="80">'
    template = (
        f'<div class="space-tools">{search}<span class="space-said" role="status"></span><span class="space-files">{buttons}</span></div>'
        '<div class="space-plot"></div>'
    )
    script = (Path(__file__).parent / "explorer.js").read_text(encoding="utf-8").replace("'PLOTLY'", json.dumps(f"gradio_api/file={quote(str(PLOTLY))}"))
    return gr.HTML(
        {}, html_template=template, js_on_load=script, server_functions=[file], elem_id="space-picture", elem_classes="space-picture", visible="hidden"
    )  # fmt: skip


def value(key: str, colour: str, view: str, lines: bool) -> dict[str, Any]:
    """What the component draws: the figure, and which points are one token."""
    made = opened(key)
    figure = spaceplots.scatter(made, colour, view, lines)  # type: ignore[arg-type] - scatter refuses words that are none of its own
    keys = made.points["key"].astype("category").cat.codes.tolist() if len(made.names) > 1 else None
    shown = plots.show(figure) | {"config": spaceplots.CONFIG}
    return {"figure": shown, "keys": keys, "key": key, "colour": colour, "view": view}


def opened(key: str) -> Picture:
    """The picture of a key, kept open. Raises WorkbenchError where it is gone."""
    if not key:
        raise WorkbenchError("No picture is drawn yet; press “Draw now”.")
    return _opened(key)


@lru_cache(maxsize=4)
def _opened(key: str) -> Picture:
    return kept(key)


def row_of(data: Any, made: Picture) -> int:
    """The row of a point that was clicked. What the browser says is checked."""
    rows = rows_of({"rows": [data.get("row")]} if isinstance(data, dict) else {}, made)
    return rows[0]


def rows_of(data: Any, made: Picture) -> list[int]:
    """The rows of points that were lassoed. Raises WorkbenchError where they are none of this picture's."""
    rows = data.get("rows") if isinstance(data, dict) else None
    good = isinstance(rows, list) and rows and all(isinstance(row, int) and 0 <= row < len(made.points) for row in rows)
    if not good:
        raise WorkbenchError("Those points are no longer shown; choose them once more.")
    return list(dict.fromkeys(rows))


def listed(made: Picture, rows: list[int]) -> list[dict[str, Any]]:
    """Points as the rows of a table."""
    columns = [column for column in COLUMNS if column in made.points]
    return made.points.loc[rows, columns].astype(object).where(made.points.loc[rows, columns].notna(), None).to_dict("records")


def file(asked: Any) -> dict[str, str]:
    """A file of the picture: its points as parquet, the figure as a page of its own, the chosen points as CSV. Called by the browser.

    `asked`: key, what, colour, view, rows; in a list of one, for that is how Gradio may hand on what a page calls with.
    """
    asked = asked[0] if isinstance(asked, list) and len(asked) == 1 else asked
    if not isinstance(asked, dict):
        raise WorkbenchError("There is no such file of a picture.")
    key, what, colour, view, rows = (asked.get(name) for name in ("key", "what", "colour", "view", "rows"))
    made = opened(str(key or ""))
    if what == "parquet":
        data = parquet(made)
    elif what == "html":
        title = escape(f"{' and '.join(made.names)}: {made.about['method']}")
        figure = spaceplots.captioned(spaceplots.scatter(made, str(colour), str(view)), made)  # type: ignore[arg-type] - the same
        data = f"<!doctype html><meta charset=utf-8><title>{title}</title>{plots.html(figure)}".encode()
    elif what == "csv":
        import pandas

        data = ("\ufeff" + pandas.DataFrame(listed(made, rows_of({"rows": rows}, made))).to_csv(index=False)).encode()
    else:
        raise WorkbenchError("There is no such file of a picture.")
    return {"name": f"space.{what}" if what != "csv" else "selection.csv", "type": TYPES[what], "base64": base64.b64encode(data).decode()}


def parquet(made: Picture) -> bytes:
    """The points as Embedding Atlas opens them; neighbours among full vectors are found now where the picture was drawn without."""
    import io

    from ...spaces.picturing import with_neighbours

    buffer = io.BytesIO()
    with_neighbours(made).points.to_parquet(buffer, index=False)
    return buffer.getvalue()
