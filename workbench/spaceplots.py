"""Figures of spaces: the picture itself, the numbers beside it, and one token's way through several spaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import plotly.graph_objects as go

from .errors import WorkbenchError
from .plots import DROPPED, KEPT, NEW, QUIET, SERIES, Row, _frame, shorten

if TYPE_CHECKING:
    import pandas

    from .spaces import Picture
    from .spaces.measuring import Measured

Colour = Literal["state", "script", "cluster", "space", "norm", "frequency", "displacement", "relative"]
View = Literal["side by side", "before", "after", "together"]
CLASSES: tuple[Colour, ...] = ("state", "script", "cluster", "space")
STATES = {"kept": KEPT, "new": NEW, "dropped": DROPPED}
SCALE = "Viridis"
HITS = ("hit@1", "hit@5", "hit@10", "mrr")
FEW = 60  # points that are labelled
LINES = "rgba(128,138,150,0.45)"
# No rectangle or zoom by accident: dragging draws a lasso where points can be chosen, and pans elsewhere.
CONFIG = {
    "showSendToCloud": False, "displaylogo": False, "scrollZoom": True, "responsive": True, "modeBarButtonsToRemove": ["autoScale2d", "select2d"],
}  # fmt: skip


def isolated(text: str) -> str:
    """A token between marks that keep its direction from turning what stands beside it; plotly reads < and & as markup."""
    escaped = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"\u2068{escaped}\u2069"


def scatter(picture: Picture, colour: Colour = "state", view: View = "side by side", lines: bool = True, height: int = 560, title: str = "") -> go.Figure:
    """The points of a picture by WebGL: a pane for each space on one scale, only the first or last space, or all in one pane.

    Each point's customdata is its row in the picture's table. The caption stands below; `title` above. Raises WorkbenchError where the colour is of
    something that this picture does not know, or the view is none of these.
    """
    points = picture.points
    if colour not in points and colour != "space":
        needs = {"frequency": "draw it with a text", "displacement": "draw two spaces that share tokens", "relative": "draw two spaces that share tokens"}
        raise WorkbenchError(f"This picture has no {colour}; {needs.get(colour, 'choose another colour')}.")
    last = len(picture.names) - 1
    views = {"side by side": [[n] for n in range(last + 1)], "before": [[0]], "after": [[last]], "together": [list(range(last + 1))]}
    if view not in views:
        raise WorkbenchError(f"A picture is seen {', '.join(views)}, not '{view}'.")
    panes = views[view]
    solid = picture.about["dimensions"] == 3
    figure = _panes(picture, panes, solid)
    seen: set[str] = set()
    for column, spaces in enumerate(panes, 1):
        mine = points[points["space"].isin(spaces)]
        if lines and len(picture.lines):
            figure.add_trace(_lines(picture, mine, solid), row=1, col=column)
        for trace in _traces(picture, mine, colour, solid, seen):
            figure.add_trace(trace, row=1, col=column)
    _look(figure, picture, colour, height, title)
    for axis in () if solid else ("x", "y"):
        low, high = float(points[axis].min()), float(points[axis].max())
        room = 0.04 * (high - low) or 1.0
        figure.update_layout({f"{axis}axis{'' if n == 1 else n}": {"range": [low - room, high + room]} for n in range(1, len(panes) + 1)})
    return figure


def _panes(picture: Picture, panes: Sequence[Sequence[int]], solid: bool) -> go.Figure:
    from plotly.subplots import make_subplots

    names = [shorten(picture.names[spaces[0]], 40) if len(spaces) == 1 else "all spaces" for spaces in panes]
    kind = {"type": "scene"} if solid else {"type": "xy"}
    return make_subplots(1, len(panes), specs=[[kind] * len(panes)], subplot_titles=names if len(picture.names) > 1 else None, horizontal_spacing=0.02)


def _traces(picture: Picture, mine: pandas.DataFrame, colour: Colour, solid: bool, seen: set[str]) -> Iterator[go.Scattergl | go.Scatter3d]:
    """One trace for each class, the large ones below; or one of all points with a colour scale."""
    if colour in CLASSES:
        column = "space_name" if colour == "space" else colour
        names = picture.points[column].astype(str)
        order = list(names.value_counts().index)
        palette = STATES if colour == "state" else {name: SERIES[n % len(SERIES)] for n, name in enumerate(order)}
        mine_names = mine[column].astype(str)
        for name in order:
            part = mine[mine_names == name]
            if len(part):
                label = f"cluster {name}" if colour == "cluster" else name
                yield _points(part, solid, name=shorten(label), legendgroup=name, showlegend=name not in seen, marker={"color": palette.get(name, QUIET)})
                seen.add(name)
        return
    values = mine[colour].to_numpy(dtype=float)
    every = picture.points[colour].to_numpy(dtype=float)
    known = np.isfinite(values)
    if (~known).any():
        yield _points(mine[~known], solid, name=f"no {colour}", legendgroup="none", showlegend="none" not in seen, marker={"color": "rgba(128,138,150,0.35)"})
        seen.add("none")
    low, high = np.nanpercentile(every, [1, 99]) if np.isfinite(every).any() else (0.0, 1.0)
    scaled = np.log10(values + 1) if colour == "frequency" else values
    ends = np.log10([low + 1, high + 1]) if colour == "frequency" else (low, high)
    bar = {"title": {"text": "log₁₀(1 + count)" if colour == "frequency" else colour}, "thickness": 10, "len": 0.7, "outlinewidth": 0}
    marker = {"color": scaled[known], "colorscale": SCALE, "cmin": float(ends[0]), "cmax": float(ends[1]), "showscale": "scale" not in seen, "colorbar": bar}
    seen.add("scale")
    yield _points(mine[known], solid, name=colour, showlegend=False, marker=marker)


def _points(part: pandas.DataFrame, solid: bool, marker: dict[str, Any], **about: Any) -> go.Scattergl | go.Scatter3d:
    few = len(part) <= FEW
    kind, size = (go.Scatter3d, 3) if solid else (go.Scattergl, 7 if len(part) <= 2_000 else 5 if len(part) <= 12_000 else 3)
    places = {axis: part[axis].to_numpy(dtype=np.float32) for axis in "xyz"[: 3 if solid else 2]}
    marker = {"size": size, "opacity": 0.75 if len(part) <= 12_000 else 0.55, "line": {"width": 0}} | marker
    return kind(
        **places, mode="markers+text" if few else "markers", text=[isolated(token) for token in part["token"]], textposition="top center",
        textfont={"size": 11, "color": QUIET}, customdata=part.index.to_numpy(dtype=np.int32), hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        marker=marker, **about,
    )  # fmt: skip


def _lines(picture: Picture, mine: pandas.DataFrame, solid: bool) -> go.Scattergl | go.Scatter3d:
    """All lines between translations as one trace, with gaps."""
    ends = picture.lines[np.isin(picture.lines, mine.index).all(axis=1)]
    axes = {}
    for axis in "xyz"[: 3 if solid else 2]:
        values = picture.points[axis].to_numpy(dtype=np.float32)[ends]
        axes[axis] = np.concatenate([values, np.full((len(ends), 1), np.nan, np.float32)], axis=1).ravel()
    kind = go.Scatter3d if solid else go.Scattergl
    return kind(**axes, mode="lines", line={"color": LINES, "width": 1}, hoverinfo="skip", name="translations", legendgroup="lines", showlegend=False)


def _look(figure: go.Figure, picture: Picture, colour: Colour, height: int, title: str) -> None:
    _frame(figure, title, height=height)
    panes = len(figure.layout.annotations) or 1
    figure.update_annotations(font={"size": 13, "color": QUIET})
    figure.update_xaxes(title=None, showticklabels=False, showgrid=True, zeroline=False, matches="x")
    figure.update_yaxes(title=None, showticklabels=False, showgrid=True, zeroline=False, matches="y")
    if picture.about["method"] == "axis":
        figure.update_xaxes(title="the axis: −1 to 1", showticklabels=True)
    grid = {"gridcolor": "rgba(128,138,150,0.22)", "zerolinecolor": "rgba(128,138,150,0.4)", "backgroundcolor": "rgba(0,0,0,0)"}
    axis = {"showticklabels": False, "title": ""} | grid
    figure.update_scenes(xaxis=axis, yaxis=axis, zaxis=axis)
    top = 34 + 22 * (panes > 1) + 24 * bool(title)
    legend = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0.5, "xanchor": "center", "itemsizing": "constant"}
    drag = "turntable" if picture.about["dimensions"] == 3 else "lasso"
    figure.update_layout(
        showlegend=True, margin={"l": 8, "r": 8, "t": top, "b": 8}, dragmode=drag, hovermode="closest", legend=legend, uirevision=picture.about["method"]
    )
    if panes > 1:
        figure.update_layout(legend={"y": 1.05}, margin={"t": top + 14})


def captioned(figure: go.Figure, picture: Picture) -> go.Figure:
    """The figure with its caption below, for where it stands by itself: a file, a notebook."""
    words, lines = picture.caption.split(" "), [""]
    for word in words:
        lines[-1] = f"{lines[-1]} {word}".strip()
        if len(lines[-1]) > 130:
            lines.append("")
    text = "<br>".join(isolated(line) for line in lines if line)
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": 0, "xanchor": "left", "yanchor": "top", "yshift": -8}
    figure.add_annotation(text=text, showarrow=False, align="left", font={"size": 11}, **place)
    return figure.update_layout(margin={"b": 22 + 16 * len(lines)}, height=(figure.layout.height or 560) + 16 * len(lines))


def numbers(measured: Measured | Sequence[Row], what: str = "translations") -> go.Figure:
    """hit@1, 5, 10 and MRR of one kind of pairs ("translations" or "held-out anchors"), with 95 % intervals: by cosine and by CSLS.

    Where the rows are of several pairs of spaces, each is a colour, by CSLS. Raises WorkbenchError where nothing was ranked.
    """
    rows = [row for row in getattr(measured, "rows", measured) if row["script"] == "all" and row["measure"].startswith(f"{what}, ")]
    pairs = list(dict.fromkeys(row.get("spaces", "") for row in rows))
    bars = [(pair, "csls", shorten(pair)) for pair in pairs] if len(pairs) > 1 else [(pair, how, how) for pair in pairs for how in ("cosine", "csls")]
    figure, n = go.Figure(), 0
    for (pair, how, label), colour in zip(bars, SERIES, strict=False):
        found = {row["measure"]: row for row in rows if row.get("spaces", "") == pair}
        mine = [found.get(f"{what}, {name} {how}") for name in HITS]
        if any(row is None or row["value"] is None for row in mine):
            continue
        ends = [((row["high"] or row["value"]) - row["value"], row["value"] - (row["low"] or row["value"])) for row in mine]
        interval = {"type": "data", "symmetric": False, "array": [e[0] for e in ends], "arrayminus": [e[1] for e in ends], "color": QUIET, "thickness": 1.5}
        label, n = label.replace("csls", "CSLS"), mine[0]["n"]
        figure.add_bar(
            x=[name.replace("mrr", "MRR") for name in HITS], y=[row["value"] for row in mine], name=label, marker_color=colour, error_y=interval,
            hovertemplate=f"%{{x}}, {label}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    if not figure.data:
        raise WorkbenchError(f"The measurement ranked no {what}; give it a dictionary, or two spaces that share tokens.")
    figure.update_layout(barmode="group", showlegend=True)
    figure.update_yaxes(rangemode="tozero")
    by = "by CSLS, " if len(pairs) > 1 else ""
    # Two lines, and the names below: the place beside a picture is narrow, and names of models are long.
    made = _frame(figure, f"{what.capitalize()} found again<br>{by}n = {n:,}", height=270 + 20 * len(figure.data))
    return made.update_layout(legend={"orientation": "h", "y": -0.15, "yanchor": "top", "x": 0, "xanchor": "left"}, margin_b=40 + 20 * len(figure.data))


def way(stages: Sequence[Mapping[str, Any]], token: str = "") -> go.Figure:
    """One token from stage to stage: the length of its vector, and the cosine with the stage before."""
    mine = [stage for stage in stages if stage.get("id") is not None]
    names = [shorten(stage["space"], 24) for stage in mine]
    figure = go.Figure()
    figure.add_scatter(x=names, y=[stage["norm"] for stage in mine], name="norm", mode="lines+markers", line={"color": SERIES[0], "width": 2})
    cosine = [stage.get("cosine") for stage in mine]
    if any(value is not None for value in cosine):
        figure.add_scatter(x=names, y=cosine, name="cosine with the stage before", mode="lines+markers", line={"color": SERIES[1], "width": 2}, yaxis="y2")
        figure.update_layout(yaxis2={"overlaying": "y", "side": "right", "showgrid": False, "zeroline": False, "automargin": True})
    figure.update_layout(showlegend=True)
    figure.update_xaxes(type="category")
    return _frame(figure, f"The way of {isolated(token)}" if token else "", y="norm", height=260).update_layout(margin_t=72)
