"""Results as plotly figures: no user interface here, so that the app, the notebooks and a report draw the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

# Passed wherever a figure is shown: nothing may leave the machine by a button.
CONFIG = {"showSendToCloud": False, "displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}

KEPT, NEW, DROPPED = "#4f7c93", "#2e9e77", "#c4536f"
A, B = "#3f6fb5", "#d0812c"  # original | adapted, everywhere
SERIES = (A, B, NEW, "#8a63b8", DROPPED, "#b39a2c", KEPT, "#6b7280")
QUIET = "#7b8794"  # text and lines that must be readable on light and on dark

Row = Mapping[str, Any]


def show(figure: go.Figure) -> dict[str, Any]:
    """The figure and its configuration as one JSON object, as plotly.js takes it."""
    return json.loads(figure.to_json()) | {"config": CONFIG}


def html(figure: go.Figure) -> str:
    """The figure as a piece of HTML that needs nothing from the network."""
    return figure.to_html(full_html=False, include_plotlyjs=True, config=CONFIG)


def bars(rows: Sequence[Row], value: str, name: str = "name", title: str = "", unit: str = "") -> go.Figure:
    """Horizontal bars, one per row; `low` and `high` of a row (or `VALUE_low` …) are drawn as its interval."""
    values = [row[value] for row in rows]
    low, high = ([row.get(f"{value}_{end}", row.get(end)) for row in rows] for end in ("low", "high"))
    interval = None
    if any(x is not None for x in low + high):
        interval = {
            "type": "data", "symmetric": False, "color": QUIET, "thickness": 1.5,
            "array": [(h if h is not None else v) - v for v, h in zip(values, high, strict=True)],
            "arrayminus": [v - (x if x is not None else v) for v, x in zip(values, low, strict=True)],
        }  # fmt: skip
    names = [str(row[name]) for row in rows]
    figure = go.Figure(
        go.Bar(
            x=values, y=list(range(len(rows))), orientation="h", error_x=interval, width=0.62, marker_color=colours(len(rows)),
            text=[f"{v:.2f}" for v in values], textposition="inside", insidetextanchor="start", textfont_color="white", customdata=names,
            hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(rows))), ticktext=[shorten(n) for n in names], showgrid=False)
    return _frame(figure, title, x=unit, height=110 + 46 * max(len(rows), 1))


def fertility(rows: Sequence[Row] | Any, text: str = "") -> go.Figure:
    """Tokens per word of each tokenizer with 95 % intervals; bytes per token where a script has no words to count.

    Takes rows, or the result of a measurement that has them; `text` goes into the title.
    """
    rows = getattr(rows, "rows", rows)
    on = f" of {text}" if text else ""
    if all(row.get("tokens_per_word") is not None for row in rows):
        return bars(rows, "tokens_per_word", "tokenizer", f"Tokens per word{on} (fewer is better)", "tokens per word")
    rows = [{k: row[k] for k in ("tokenizer", "bytes_per_token")} for row in rows if row.get("bytes_per_token") is not None]
    return bars(rows, "bytes_per_token", "tokenizer", f"Bytes per token{on} (more is better)", "bytes per token")


def bits_per_byte(rows: Sequence[Row], text: str = "") -> go.Figure:
    """Bits per byte of each model on one text, from the rows of an evaluation. Comparable across vocabularies, as loss per token is not."""
    rows = [row for row in rows if row.get("measure", "bits_per_byte") == "bits_per_byte" and text in ("", row.get("text"))]
    return bars(rows, "value", "model", f"Bits per byte{f' of {text}' if text else ''} (fewer is better)", "bits per byte")


def rows_kept(counts: Row) -> go.Figure:
    """What a transfer keeps, makes and drops, as one bar."""
    figure = go.Figure()
    for name, colour in (("kept", KEPT), ("new", NEW), ("dropped", DROPPED)):
        if counts.get(name):
            figure.add_bar(
                x=[counts[name]],
                y=["rows"],
                orientation="h",
                name=name,
                marker_color=colour,
                text=[f"{counts[name]:,} {name}"],
                textposition="inside",
                textfont_color="white",
            )
    figure.update_layout(barmode="stack", showlegend=False)
    figure.update_yaxes(visible=False)
    return _frame(figure, "Rows of the tables", x="rows", height=170)


def curves(series: Mapping[str, Sequence[tuple[float, float]]], title: str = "", y: str = "") -> go.Figure:
    """Lines over training steps, one per name."""
    figure = go.Figure()
    for (name, points), colour in zip(series.items(), _cycle(), strict=False):
        figure.add_scatter(
            x=[p[0] for p in points],
            y=[p[1] for p in points],
            name=name,
            mode="lines" if len(points) > 25 else "lines+markers",
            line={"color": colour, "width": 2},
        )
    figure.update_xaxes(rangemode="tozero")
    figure = _frame(figure, title, x="step", y=y, height=300)
    return figure.update_layout(margin_t=68 if title and len(series) > 1 else figure.layout.margin.t)  # the legend has a line of its own below the title


def loss(metrics: Iterable[Row]) -> go.Figure:
    """The training loss from a job's metric events."""
    return curves({"loss": [(m["step"], m["loss"]) for m in metrics if "step" in m and "loss" in m]}, "Training loss", "loss per token")


def convergence(metrics: Iterable[Row]) -> go.Figure:
    """Bits per byte of held-out text while training: every key that speaks of bits per byte becomes a line."""
    series: dict[str, list[tuple[float, float]]] = {}
    for m in metrics:
        for key, value in m.items():
            if "bits_per_byte" in key and "step" in m and isinstance(value, (int, float)):
                series.setdefault(key.replace("bits_per_byte", "").strip("_").replace("_", " ") or "bits per byte", []).append((m["step"], value))
    return curves(series, "Bits per byte, held-out text", "bits per byte")


def lengths(bins: Sequence[Row], title: str = "Length of documents", unit: str = "characters") -> go.Figure:
    """A histogram that was counted already, as the corpus statistics give it: rows with from, to and documents."""
    filled = [i for i, b in enumerate(bins) if b["documents"]]
    bins = bins[filled[0] : filled[-1] + 1] if filled else []
    names = [f"{b['from']:,}–{b['to'] - 1:,}" if b["to"] - 1 > b["from"] else str(b["from"]) for b in bins]
    figure = go.Figure(go.Bar(x=names, y=[b["documents"] for b in bins], marker_color=KEPT))
    figure.update_xaxes(type="category")
    return _frame(figure, title, x=unit, y="documents", height=300)


def scripts(shares: Mapping[str, float]) -> go.Figure:
    """The share of each script among the letters."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:8]
    rows = [{"name": name, "share": 100 * share} for name, share in ranked]
    return bars(rows, "share", title="Scripts, % of letters", unit="% of letters")


def colours(n: int) -> list[str]:
    return [colour for colour, _ in zip(_cycle(), range(n), strict=False)]


def shorten(text: str, limit: int = 28) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _cycle() -> Iterable[str]:
    while True:
        yield from SERIES


def _frame(figure: go.Figure, title: str, x: str = "", y: str = "", height: int = 300) -> go.Figure:
    """The shared look: no background of its own, so that it sits on light and dark alike."""
    line = "rgba(128,138,150,0.22)"
    figure.update_layout(
        title={"text": title, "font": {"size": 14}, "x": 0, "xref": "container", "pad": {"l": 14}}, height=height, template="none",
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", font={"color": QUIET, "family": "system-ui, sans-serif", "size": 12},
        margin={"l": 14, "r": 18, "t": 46 if title else 16, "b": 14}, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        hoverlabel={"font": {"family": "system-ui, sans-serif"}},
    )  # fmt: skip
    figure.update_xaxes(title=x, gridcolor=line, zerolinecolor=line, automargin=True, title_standoff=6)
    figure.update_yaxes(title=y or None, gridcolor=line, zerolinecolor=line, automargin=True, title_standoff=8)
    return figure
