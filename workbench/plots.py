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


def bars(rows: Sequence[Row], value: str, name: str = "name", title: str = "", unit: str = "", hover: Sequence[str] = ()) -> go.Figure:
    """Horizontal bars, one per row; `low` and `high` of a row (or `VALUE_low` …) are drawn as its interval, `hover` says more of each."""
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
            hovertemplate=[f"%{{customdata}}: %{{x:.3f}}{f'<br>{more}' if more else ''}<extra></extra>" for more in hover or [""] * len(rows)],
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(rows))), ticktext=[shorten(n) for n in names], showgrid=False)
    return _frame(figure, title, x=unit, height=110 + 46 * max(len(rows), 1)).update_yaxes(zeroline=False)


def fertility(rows: Sequence[Row] | Any, text: str = "") -> go.Figure:
    """Tokens per word of each tokenizer with 95 % intervals; bytes per token where a script has no words to count.

    Takes rows, or the result of a measurement that has them; `text` goes into the title. Unknown and byte-fallback rates stand beside each bar's value.
    """
    rows = getattr(rows, "rows", rows)
    on = f" of {text}" if text else ""
    if all(row.get("tokens_per_word") is not None for row in rows):
        return bars(rows, "tokens_per_word", "tokenizer", f"Tokens per word{on} (fewer is better)", "tokens per word", [_rates(row) for row in rows])
    keys = ("tokenizer", "bytes_per_token", "bytes_per_token_low", "bytes_per_token_high", "unknown_rate", "byte_fallback_rate")
    rows = [{key: row.get(key) for key in keys} for row in rows if row.get("bytes_per_token") is not None]
    return bars(rows, "bytes_per_token", "tokenizer", f"Bytes per token{on} (more is better)", "bytes per token", [_rates(row) for row in rows])


def _rates(row: Row) -> str:
    rates = ((row.get(f"{name}_rate"), name.replace("_", " ")) for name in ("unknown", "byte_fallback"))
    return ", ".join(f"{100 * rate:.1f} % {name}" for rate, name in rates if rate is not None)


def parity(rows: Sequence[Row] | Any) -> go.Figure:
    """Tokens of each language over tokens of the same sentences in the source language, by tokenizer, with 95 % intervals; the line at 1 is equality."""
    rows = getattr(rows, "parities", rows)
    figure = go.Figure()
    for name, colour in zip(dict.fromkeys(row["tokenizer"] for row in rows), _cycle(), strict=False):
        mine = [row for row in rows if row["tokenizer"] == name and row["parity"] is not None]
        ends = [(row["parity_high"] - row["parity"], row["parity"] - row["parity_low"]) if row["parity_low"] is not None else (0, 0) for row in mine]
        figure.add_bar(
            x=[f"{row['source']} → {row['target']}" for row in mine], y=[row["parity"] for row in mine], name=shorten(name), marker_color=colour,
            error_y={"type": "data", "symmetric": False, "array": [e[0] for e in ends], "arrayminus": [e[1] for e in ends], "color": QUIET, "thickness": 1.5},
            hovertemplate=f"{name}, %{{x}}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=1, line={"color": QUIET, "dash": "dot", "width": 1.5})
    figure.update_layout(barmode="group", showlegend=True)
    return _frame(figure, "Parity: tokens for the same sentences (1 is equal)", y="parity", height=320).update_layout(margin_t=72)


def histogram(rows: Sequence[Row] | Any, kind: str, text: str = "") -> go.Figure:
    """One histogram of a measurement, in percent, a colour for each tokenizer: `kind` is one of those in its rows, such as "tokens per word"."""
    rows = [row for row in getattr(rows, "histograms", rows) if row["histogram"] == kind and text in ("", row["text"])]
    names = list(dict.fromkeys(row["tokenizer"] for row in rows))
    bins = list(dict.fromkeys(row["bin"] for row in rows))
    if all(each.rstrip("+").isdigit() for each in bins):
        bins.sort(key=lambda each: int(each.rstrip("+")))
    else:  # scripts: the most frequent first, and no more than can be read
        bins = sorted(bins, key=lambda each: -sum(row["share"] for row in rows if row["bin"] == each))[:12]
    figure = go.Figure()
    for name, colour in zip(names, _cycle(), strict=False):
        share = {row["bin"]: 100 * row["share"] for row in rows if row["tokenizer"] == name}
        hover = f"{name}<br>%{{x}}: %{{y:.1f}} %<extra></extra>"
        figure.add_bar(x=bins, y=[share.get(each, 0) for each in bins], name=shorten(name), marker_color=colour, hovertemplate=hover)
    figure.update_layout(barmode="group", showlegend=len(names) > 1)
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=bins)
    over = {"tokens per word": "words", "script of vocabulary": "vocabulary"}.get(kind, "tokens")
    made = _frame(figure, f"{kind.capitalize()}{f', {text}' if text else ''}", x="" if kind.startswith("script") else kind, y=f"% of {over}", height=330)
    return made.update_layout(margin_t=72 if len(names) > 1 else 46)


def sweep(rows: Sequence[Row] | Any, knee: Row | None = None, text: str = "") -> go.Figure:
    """Cost against new tokens with its 95 % interval and the knee, from a sweep or its rows: tokens per word, or bytes per token where there are no words."""
    knee, rows = getattr(rows, "knee", knee), getattr(rows, "rows", rows)
    worded = all(row["tokens_per_word"] is not None for row in rows)
    value, better = ("tokens_per_word", "fewer") if worded else ("bytes_per_token", "more")
    name, x = value.replace("_", " "), [row["new"] for row in rows]
    figure = go.Figure()
    if worded and all(row["low"] is not None for row in rows):
        band = [row["high"] for row in rows] + [row["low"] for row in reversed(rows)]
        figure.add_scatter(x=x + x[::-1], y=band, fill="toself", fillcolor="rgba(63,111,181,0.18)", line={"width": 0}, mode="lines", hoverinfo="skip")
    figure.add_scatter(
        x=x, y=[row[value] for row in rows], mode="lines+markers", line={"color": A, "width": 2}, customdata=[[row["size"], row["table_mb"]] for row in rows],
        hovertemplate=f"%{{x:,}} new tokens: %{{y:.3f}} {name}<br>%{{customdata[0]:,}} rows, %{{customdata[1]:,.0f}} MB<extra></extra>",
    )  # fmt: skip
    if knee:
        marker = {"size": 13, "color": B, "symbol": "circle-open", "line": {"width": 3}}
        figure.add_scatter(x=[knee["new"]], y=[knee[value]], mode="markers", marker=marker, hoverinfo="skip")
        figure.add_annotation(
            x=knee["new"], y=knee[value], text=f"knee: {knee['new']:,} new, {knee[value]:.2f}", showarrow=True, arrowcolor=B, font_color=B,
            ax=48, ay=-34 if worded else 34, xanchor="left",
        )  # fmt: skip
    figure.update_layout(showlegend=False)
    return _frame(figure, f"{name.capitalize()}{f' of {text}' if text else ''} by vocabulary size ({better} is better)", x="new tokens", y=name, height=320)


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


def learning_rate(metrics: Iterable[Row]) -> go.Figure:
    """The learning rate of the tables from a job's metric events."""
    figure = curves({"learning rate": [(m["step"], m["learning_rate"]) for m in metrics if "step" in m and "learning_rate" in m]}, "Learning rate")
    return figure.update_yaxes(rangemode="tozero", tickformat=".1e")


def overlaid(series: Mapping[str, Sequence[tuple[float, float]]], measure: str) -> go.Figure:
    """One measure of several trainings over their steps, from the curves of a comparison."""
    name = measure.replace("bits_per_byte", "bits per byte,").replace("_", " ")
    return curves(series, f"{name.capitalize()} (fewer is better)", "loss per token" if measure == "loss" else "bits per byte")


def convergence(metrics: Iterable[Row] | Any) -> go.Figure:
    """Bits per byte of held-out text while training, from metric events: every key that speaks of it becomes a line. Or those of a race, from its result."""
    if hasattr(metrics, "summary"):
        from .transferplots import race_course

        return race_course(metrics)
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
