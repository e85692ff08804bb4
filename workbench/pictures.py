"""The figure of a step's result as a file: .html as it is, .svg and .png by kaleido and Chromium."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import refs
from .errors import RunFailed, WorkbenchError

if TYPE_CHECKING:
    import plotly.graph_objects as go

SUFFIXES = (".svg", ".png", ".html")
PANEL = 300  # pixels a panel is wide; names on the left get
NAMES = 140
LONGEST = 28  # characters of a name: of a bar, and over a panel
Row = Mapping[str, Any]


def check(command: str, path: str | Path) -> None:
    """Raise WorkbenchError, before any work is done, where the step has no figure or this kind of file cannot be written here."""
    path = Path(path)
    if command not in FIGURES:
        raise WorkbenchError(f"{command} has no figure; --figure goes with {', '.join(FIGURES)}.")
    if path.suffix not in SUFFIXES:
        raise WorkbenchError(f"A figure cannot be written as '{path.name}'; end its name in {', '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise WorkbenchError(f"There is no folder {path.parent} to write {path.name} to; make it first.")
    if path.suffix != ".html" and importlib.util.find_spec("kaleido") is None:
        raise WorkbenchError(f"A {path.suffix} needs the package kaleido; install 'workbench[figures]', or write .html.")


def draw(command: str, metrics: Mapping[str, Any]) -> go.Figure:
    """The figure of a step's metrics; texts side by side."""
    return FIGURES[command](metrics)


def write(figure: go.Figure, path: str | Path) -> Path:
    """Write a figure. Raises RunFailed where the file cannot be written, or no Chromium draws it."""
    from . import plots

    path = Path(path)
    try:
        if path.suffix == ".html":
            path.write_text(f"<!doctype html><meta charset=utf-8>{plots.html(figure)}", encoding="utf-8")
        else:
            figure.write_image(path, width=figure.layout.width or 720, height=figure.layout.height, scale=2 if path.suffix == ".png" else 1)
    except OSError as error:
        raise RunFailed(f"{path} cannot be written ({error.strerror or error}); name another file.") from error
    except Exception as error:  # kaleido and the browser it drives raise many kinds; what helps is the same
        raise RunFailed(f"{path.name} could not be drawn ({type(error).__name__}); install Chromium or Chrome, or write .html.") from error
    return path


def panels(figures: Sequence[go.Figure], names: Sequence[str], title: str) -> go.Figure:
    """Bar charts of the same things side by side on one scale, each under its name; the things are named once."""
    from plotly.subplots import make_subplots

    first = figures[0]
    if len(figures) == 1:
        return first.update_layout(width=NAMES + 2 * PANEL)
    whole = make_subplots(1, len(figures), subplot_titles=names, shared_xaxes="all", shared_yaxes=True, horizontal_spacing=0.03)
    for column, figure in enumerate(figures, 1):
        whole.add_traces(figure.data, rows=1, cols=column)
        whole.update_xaxes(figure.layout.xaxis.to_plotly_json() | {"title": None}, row=1, col=column)
        whole.update_yaxes(
            {k: v for k, v in figure.layout.yaxis.to_plotly_json().items() if k in ("gridcolor", "showgrid", "zerolinecolor")}, row=1, col=column
        )
    whole.update_yaxes(first.layout.yaxis.to_plotly_json() | {"ticks": "outside", "tickcolor": "rgba(0,0,0,0)", "ticklen": 6}, row=1, col=1)
    whole.update_yaxes(zeroline=False)
    whole.update_annotations(font_size=13)
    # Upright, and beside the bar where it is too short for its number.
    whole.update_traces(textangle=0, textposition="auto", outsidetextfont_color=first.layout.font.color)
    look = {key: getattr(first.layout, key) for key in ("font", "paper_bgcolor", "plot_bgcolor", "hoverlabel", "template")}
    top = {"l": 14, "r": 18, "t": 72, "b": 14}
    whole.update_layout(**look, showlegend=False, margin=top, width=NAMES + PANEL * len(figures), height=first.layout.height + 20)
    whole.update_layout(title={**first.layout.title.to_plotly_json(), "text": title})
    return whole


def _fertility(metrics: Mapping[str, Any]) -> go.Figure:
    from . import plots

    texts = _grouped(_named(metrics["rows"], "tokenizer"))
    worded = all(row["tokens_per_word"] is not None for rows in texts.values() for row in rows)
    if not worded:  # one measure for all panels
        texts = {name: [dict(row) | {"tokens_per_word": None} for row in rows] for name, rows in texts.items()}
    title = "Tokens per word (fewer is better)" if worded else "Bytes per token (more is better)"
    return panels([plots.fertility(rows, name if len(texts) == 1 else "") for name, rows in texts.items()], list(texts), title)


def _sweep(metrics: Mapping[str, Any]) -> go.Figure:
    from . import plots

    return plots.sweep(metrics["rows"], metrics["knee"])


def _evaluate(metrics: Mapping[str, Any]) -> go.Figure:
    from . import plots

    texts = _grouped(_named([row for row in metrics["rows"] if row["measure"] == "bits_per_byte"], "model"))
    if not texts:
        raise WorkbenchError("The evaluation measured no bits per byte to draw; give it --text.")
    return panels([plots.bits_per_byte(rows, name if len(texts) == 1 else "") for name, rows in texts.items()], list(texts), "Bits per byte (fewer is better)")


def _race(metrics: Mapping[str, Any]) -> go.Figure:
    from . import transferplots

    return transferplots.race_course(metrics["rows"]).update_layout(width=NAMES + 2 * PANEL)


def _lep(metrics: Mapping[str, Any]) -> go.Figure:
    from . import transferplots

    if not any("r2_map" in (metrics.get(which) or {}) for which in ("input", "output")):
        raise WorkbenchError("The variant swap fits no map, so there is nothing to draw; use overlap or conversion.")
    return transferplots.lep_fit(metrics).update_layout(width=NAMES + PANEL)


def _spaces(metrics: Mapping[str, Any]) -> go.Figure:
    from . import spaceplots

    kinds = {row["measure"].split(",")[0] for row in metrics["rows"]}
    return spaceplots.numbers(metrics["rows"], "translations" if "translations" in kinds else "held-out anchors").update_layout(width=NAMES + 2 * PANEL)


def _picture(metrics: Mapping[str, Any]) -> go.Figure:
    from . import spaceplots
    from .spaces.steps import kept

    made = kept(metrics["key"])
    return spaceplots.captioned(spaceplots.scatter(made, height=620), made).update_layout(width=max(900, 560 * len(made.names)))


def _named(rows: Sequence[Row], thing: str) -> list[Row]:
    """The rows with paths named by their ends: what tells two files apart stands there."""
    names = refs.short_names(row[key] for row in rows for key in (thing, "text"))
    ends = {name: short if len(short) <= LONGEST else f"…{short[1 - LONGEST :]}" for name, short in names.items()}
    again = {name: end for name, end in ends.items() if list(ends.values()).count(end) == 1}  # those alike when cut keep all their letters
    return [dict(row) | {key: again.get(row[key], names[row[key]]) for key in (thing, "text")} for row in rows]


def _grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["text"], []).append(row)
    return found


FIGURES: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "fertility": _fertility,
    "fertility.sweep": _sweep,
    "lep": _lep,
    "evaluate": _evaluate,
    "race": _race,
    "spaces": _spaces,
    "spaces.project": _picture,
}
