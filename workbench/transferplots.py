"""Figures of transfers: what is kept, how many source tokens make a vector, how methods race, and whether LEP's map is worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from .plots import DROPPED, KEPT, NEW, QUIET, SERIES, A, B, _frame, bars, shorten

Row = Mapping[str, Any]
ORIGINAL = "original"
TERMS = 16  # source tokens of a vector that are drawn


def rows_by(rows: Sequence[Row], name: str, most: int = 10) -> go.Figure:
    """Rows kept, new and dropped for each `name` ("script" or "kind"), from a preview; the largest first, what is beyond `most` as "others"."""
    states = (("kept", KEPT), ("new", NEW), ("dropped", DROPPED))
    shown, others = list(rows[:most]), rows[most:]
    if others:
        shown.append({name: "others"} | {state: sum(row[state] for row in others) for state, _ in states})
    names = [str(row[name]) for row in shown]
    figure = go.Figure()
    for state, colour in states:
        values = [row[state] for row in shown]
        if any(values):
            figure.add_bar(x=values, y=names, orientation="h", name=state, marker_color=colour, hovertemplate=f"%{{y}}: %{{x:,}} {state}<extra></extra>")
    figure.update_layout(barmode="stack", showlegend=True, legend_traceorder="normal")
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return _frame(figure, f"Rows by {name}", x="rows", height=130 + 26 * len(shown)).update_layout(margin_t=68)


def support_sizes(rows: Sequence[Row]) -> go.Figure:
    """How many source tokens the new tokens are made of: the `k_histogram` of a method's report, rows of k and tokens."""
    counts = [row["tokens"] for row in rows]
    filled = [i for i, count in enumerate(counts) if count]
    rows = rows[filled[0] : filled[-1] + 1] if filled else rows
    figure = go.Figure(
        go.Bar(x=[row["k"] for row in rows], y=[row["tokens"] for row in rows], marker_color=NEW, hovertemplate="k = %{x}: %{y:,}<extra></extra>")
    )
    figure.update_xaxes(type="category")
    return _frame(figure, "Source tokens that make a new vector (k)", x="k", y="new tokens", height=280)


def hidden_overlap(rows: Sequence[Row], script: str = "all") -> go.Figure:
    """How well each method finds the vectors of hidden shared tokens again: mean cosine with the true row and its 95 % interval, for tokens of one script."""
    rows = [row for row in rows if (row["script"], row["band"]) == (script, "all")]
    figure = bars(
        rows, "cosine", "method", f"Hidden shared tokens found again{'' if script == 'all' else f', {script}'} (1 is exact)", "cosine with the true vector"
    )
    figure.update_yaxes(ticktext=[f"{row['method']} <b>{row['cosine']:.2f}</b>" for row in rows])
    return figure.update_traces(text=None)


def race_start(rows: Sequence[Row] | Any, text: str = "") -> go.Figure:
    """Bits per byte right after the transfer, a bar for each method with its 95 % interval over documents; the dotted line is the original model.

    Takes the rows of a race (method, seed, step, bits_per_byte, low, high), or its result.
    """
    rows = [row for row in getattr(rows, "rows", rows) if row["step"] == 0]
    made = [{"method": name} | _mean([row for row in rows if row["method"] == name]) for name in methods_of(rows)]
    title = f"Step 0{f', {text}' if text else ''} (fewer is better)"
    figure = bars(made, "bits_per_byte", "method", title, "bits per byte")
    # The numbers stand with the names: beside a short bar they would lie on its interval.
    figure.update_traces(marker_color=[colour_of(rows, row["method"]) for row in made], text=None)
    figure.update_yaxes(ticktext=[f"{row['method']} <b>{row['bits_per_byte']:.2f}</b>" for row in made])
    for row in rows:
        if row["method"] == ORIGINAL:
            line = {"color": QUIET, "dash": "dot", "width": 2}
            figure.add_vline(x=row["bits_per_byte"], line=line, annotation_text=f"original {row['bits_per_byte']:.3f}", annotation_position="top")
    return figure.update_layout(margin_t=62)


def race_course(rows: Sequence[Row] | Any, text: str = "") -> go.Figure:
    """Bits per byte over training steps: a line for each method (the mean over its seeds) in the band of its seeds; the dotted line is the original model.

    Takes the rows of a race, or its result.
    """
    rows = list(getattr(rows, "rows", rows))
    figure = go.Figure()
    for name in methods_of(rows):
        colour, mine = colour_of(rows, name), [row for row in rows if row["method"] == name]
        steps = sorted({row["step"] for row in mine})
        found = [[row["bits_per_byte"] for row in mine if row["step"] == step] for step in steps]
        if len({row["seed"] for row in mine}) > 1:
            band = [max(values) for values in found] + [min(values) for values in reversed(found)]
            figure.add_scatter(
                x=steps + steps[::-1], y=band, fill="toself", fillcolor=_faint(colour), line={"width": 0}, mode="lines", hoverinfo="skip", showlegend=False,
                legendgroup=name,
            )  # fmt: skip
        figure.add_scatter(
            x=steps, y=[sum(values) / len(values) for values in found], name=name, legendgroup=name, mode="lines+markers", line={"color": colour, "width": 2},
            cliponaxis=False, hovertemplate=f"{name}, step %{{x:,}}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    for row in rows:
        if row["method"] == ORIGINAL:
            figure.add_hline(
                y=row["bits_per_byte"], line={"color": QUIET, "dash": "dot", "width": 2}, annotation_text="original", annotation_position="bottom right"
            )  # fmt: skip
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(showlegend=True)
    title = f"Convergence{f', {text}' if text else ''} (fewer is better)"
    return _frame(figure, title, x="step", y="bits per byte", height=340).update_layout(margin_t=72)


def lep_fit(report: Row) -> go.Figure:
    """Held-out R² of LEP's map beside swap's, for each table that was mapped; 1 would be every row predicted exactly."""
    tables = [which for which in ("input", "output") if (report.get(which) or {}).get("r2_map") is not None]
    figure = go.Figure()
    for key, name, colour in (("r2_swap", "swap", A), ("r2_map", str(report.get("variant", "map")), B)):
        values = [report[which][key] for which in tables]
        figure.add_bar(
            x=[f"{which} table" for which in tables], y=values, name=name, marker_color=colour, text=[f"{v:.3f}" for v in values], textposition="auto",
            hovertemplate="%{x}: %{y:.4f}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="group", bargap=0.35, showlegend=True)
    return _frame(figure, "Held-out rows explained (R²)", y="R²", height=300).update_layout(margin_t=72)


def coefficients(rows: Sequence[Row], title: str = "What the vector is made of") -> go.Figure:
    """The weights of the source tokens in a vector, signed, the largest first; beside them how alike each was found, where the method went by that."""
    from plotly.subplots import make_subplots

    shown = list(rows[:TERMS])
    alike = [row.get("similarity") for row in shown]
    panels = 2 if any(value is not None for value in alike) else 1
    figure = make_subplots(1, panels, shared_yaxes=True, column_widths=[0.68, 0.32][:panels] if panels == 2 else None, horizontal_spacing=0.04)
    places = list(range(len(shown)))
    weights = [row["weight"] for row in shown]
    names = [f"{row['token']} (#{row['id']})" for row in shown]
    figure.add_bar(
        x=weights, y=places, orientation="h", marker_color=[B if w < 0 else A for w in weights], customdata=names, row=1, col=1,
        hovertemplate="%{customdata}: %{x:.4f}<extra></extra>", text=[f"{w:.2f}" for w in weights],
        textposition="outside", textangle=0, outsidetextfont_color=QUIET, cliponaxis=False,
    )  # fmt: skip
    if panels == 2:
        marker = {"color": NEW, "size": 8}
        hover = "%{customdata}: cosine %{x:.3f}<extra></extra>"
        figure.add_scatter(x=alike, y=places, mode="markers", marker=marker, customdata=names, hovertemplate=hover, row=1, col=2)
    # Left-to-right isolates keep a token of another direction from turning its neighbours in the label.
    labels = [f"⁨{shorten(str(row['token']), 18)}⁩" for row in shown]
    figure = _frame(figure, title, height=110 + 22 * len(shown))
    figure.update_yaxes(autorange="reversed", tickvals=places, ticktext=labels, showgrid=False, zeroline=False)
    reach = max(map(abs, weights), default=1.0)  # room for the numbers beside the bars
    figure.update_xaxes(
        title="weight", range=[min(0.0, *weights) - 0.42 * reach * (min(weights, default=0.0) < 0), max(0.0, *weights) + 0.24 * reach], row=1, col=1
    )
    if panels == 2:
        figure.update_xaxes(title="similarity", row=1, col=2)
        figure.update_yaxes(showgrid=True, row=1, col=2)
    return figure.update_layout(showlegend=False, bargap=0.3)


def methods_of(rows: Sequence[Row]) -> list[str]:
    """The methods of a race in their order, without the original model."""
    return [name for name in dict.fromkeys(row["method"] for row in rows) if name != ORIGINAL]


def colour_of(rows: Sequence[Row], method: str) -> str:
    """The same colour for a method in every figure of one race."""
    return SERIES[methods_of(rows).index(method) % len(SERIES)]


def _mean(rows: Sequence[Row]) -> dict[str, float]:
    return {key: sum(row[key] for row in rows) / len(rows) for key in ("bits_per_byte", "low", "high") if all(row.get(key) is not None for row in rows)}


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"
