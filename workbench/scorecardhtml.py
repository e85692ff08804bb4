"""A scorecard as HTML: the table that the app, a notebook and the report share, and the report as one file that needs nothing but itself."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from . import refs
from .evaluation.measures import COLUMNS

Row = Mapping[str, Any]
SIDES = {"target": "Target language", "source": "Source language"}
COLOURS = ("#3f6fb5", "#d0812c", "#2e9e77", "#8a63b8", "#c4536f", "#b39a2c", "#4f7c93", "#6b7280")
WIDE, HIGH = 96, 10  # pixels of the interval in a cell


@cache
def css() -> str:
    return (Path(__file__).parent / "scorecard.css").read_text(encoding="utf-8")


def table_html(metrics: Mapping[str, Any]) -> str:
    """Measures × models: value, 95 % interval, and difference to the control; coloured only where the interval of the difference leaves out zero."""
    rows, control = metrics.get("rows", []), metrics.get("control", "")
    models = list(dict.fromkeys(row["model"] for row in rows))
    names = refs.short_names(models)
    differences = {_place(row): row for row in metrics.get("differences", [])}
    head = "".join(f"<th scope=col>{escape(names[m])}{'<span>control</span>' if m == control and len(models) > 1 else ''}</th>" for m in models)
    parts = []
    for side in dict.fromkeys(row["side"] for row in rows):
        parts.append(f'<tr class="side"><th colspan="{len(models) + 1}">{SIDES.get(side, escape(side))}</th></tr>')
        for measure, text in dict.fromkeys((row["measure"], row["text"]) for row in rows if row["side"] == side):
            mine = {row["model"]: row for row in rows if (row["measure"], row["side"], row["text"]) == (measure, side, text)}
            scale = _scale(list(mine.values()))
            cells = "".join(_cell(mine.get(m), differences.get((m, measure, side, text)), scale) for m in models)
            parts.append(f"<tr><th scope=row>{_title(measure)}<span>{escape(_short(text))}</span></th>{cells}</tr>")
    return f'<div class="scorecard"><table><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(parts)}</tbody></table></div>'


def _place(row: Row) -> tuple[str, str, str, str]:
    return row["model"], row["measure"], row["side"], row["text"]


def _title(measure: str) -> str:
    column = COLUMNS.get(measure)
    if column is None:
        return escape(measure)
    better = {"fewer": " ↓", "more": " ↑"}.get(column.better, "")
    return f'<b title="{escape(column.help)}">{escape(column.title)}{better}</b>'


def _cell(row: Row | None, difference: Row | None, scale: tuple[float, float] | None) -> str:
    if row is None or row["value"] is None:
        return '<td class="none">–</td>'
    spread = f"<small>{say(row['low'])} to {say(row['high'])}</small>" if row["low"] is not None else ""
    title = f"{row['n']} items" + (f", 95 % interval {say(row['low'])} to {say(row['high'])}" if row["low"] is not None else "")
    return f'<td title="{title}"><b>{say(row["value"])}</b>{_delta(row, difference)}{_bar(row, scale)}{spread}</td>'


def _delta(row: Row, difference: Row | None) -> str:
    if difference is None or difference["difference"] is None:
        return ""
    better = COLUMNS[row["measure"]].better if row["measure"] in COLUMNS else ""
    good = (difference["difference"] < 0) == (better == "fewer")
    kind = "" if not difference["clear"] or not better else " better" if good else " worse"
    said = f"to the control: {say(difference['low'], True)} to {say(difference['high'], True)}" if difference["low"] is not None else "to the control"
    return f'<i class="delta{kind}" title="{said}{"" if difference["clear"] else ", no clear difference"}">{say(difference["difference"], True)}</i>'


def _scale(rows: Sequence[Row]) -> tuple[float, float] | None:
    ends = [row[key] for row in rows for key in ("value", "low", "high") if row.get(key) is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 0.0)
    return (low, high) if high > low else None


def _bar(row: Row, scale: tuple[float, float] | None) -> str:
    """The value as a dot on the line of its interval, on one scale for all models."""
    if scale is None:
        return ""
    at = {key: 4 + (WIDE - 8) * (row[key] - scale[0]) / (scale[1] - scale[0]) for key in ("value", "low", "high") if row.get(key) is not None}
    line = f'<line x1="{at["low"]:.1f}" x2="{at["high"]:.1f}" y1="{HIGH / 2}" y2="{HIGH / 2}"/>' if "low" in at and "high" in at else ""
    return f'<svg width="{WIDE}" height="{HIGH}" aria-hidden="true">{line}<circle cx="{at["value"]:.1f}" cy="{HIGH / 2}" r="3"/></svg>'


def curves_html(curves: Sequence[Row]) -> str:
    """Values by position in a long text as small drawings, one for each measure, side and text."""
    found = []
    for measure, side, text in dict.fromkeys((row["measure"], row["side"], row["text"]) for row in curves):
        mine = [row for row in curves if (row["measure"], row["side"], row["text"]) == (measure, side, text) and row["value"] is not None]
        title = {"bits_per_byte": "Bits per byte by position", "copied": "Sentence said again from afar, share of characters"}.get(measure, measure)
        found.append(f"<figure><figcaption>{escape(title)}, {escape(_short(text))}</figcaption>{_drawing(mine)}</figure>")
    return f'<div class="curves">{"".join(found)}</div>' if found else ""


def _drawing(rows: Sequence[Row], width: int = 420, height: int = 170) -> str:
    models = list(dict.fromkeys(row["model"] for row in rows))
    places = sorted({(row["from"], row["to"]) for row in rows})
    top = max([row["high"] or row["value"] for row in rows], default=1.0) or 1.0
    x = {place: 44 + (width - 60) * (n + 0.5) / len(places) for n, place in enumerate(places)}
    y = lambda value: height - 42 - (height - 56) * value / top  # noqa: E731 - the scale of this drawing alone
    parts = [
        f'<text x="38" y="{y(v) + 4:.0f}" text-anchor="end">{say(v)}</text><path class="grid" d="M44 {y(v):.0f}H{width - 10}"/>' for v in (0.0, top / 2, top)
    ]
    parts += [f'<text x="{at:.0f}" y="{height - 26}" text-anchor="middle">{_bytes(low)}</text>' for (low, _), at in x.items()]
    parts.append(f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">bytes of text before</text>')
    for model, colour in zip(models, COLOURS, strict=False):
        mine = [(x[row["from"], row["to"]], y(row["value"])) for row in rows if row["model"] == model]
        parts.append(f'<polyline stroke="{colour}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in mine)}"/>')
        parts += [f'<circle fill="{colour}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in mine]
    names = refs.short_names(models)
    legend = "".join(f'<span><i style="background:{colour}"></i>{escape(names[m])}</span>' for m, colour in zip(models, COLOURS, strict=False))
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">{"".join(parts)}</svg><div class="legend">{legend}</div>'


def examples_html(examples: Sequence[Row]) -> str:
    """What the models said, one item after the other, each text in its own direction."""
    found = []
    for kind, text, question in dict.fromkeys((row["measure"], row["text"], row["question"]) for row in examples):
        mine = [row for row in examples if (row["measure"], row["text"], row["question"]) == (kind, text, question)]
        names = refs.short_names(row["model"] for row in mine)
        said = "".join(f'<tr><th>{escape(names[row["model"]])}</th><td dir="auto">{escape(row["reply"]) or "<em>nothing</em>"}</td></tr>' for row in mine)
        wanted = f'<tr><th>wanted</th><td dir="auto">{escape(mine[0]["wanted"])}</td></tr>'
        found.append(f'<div class="item"><p><span>{escape(kind)}</span></p><p dir="auto">{escape(question)}</p><table>{wanted}{said}</table></div>')
    return f'<div class="scorecard-examples">{"".join(found)}</div>' if found else ""


def report_html(metrics: Mapping[str, Any], code: str = "", title: str = "Scorecard") -> str:
    """A scorecard as one HTML file without scripts, that asks nothing of any other machine; `code` is what makes it again."""
    keys = [key for key in (metrics.get("models") or [{}])[0] if key != "model"]
    models = "".join(
        f"<tr><th>{escape(row['model'])}</th>{''.join(f'<td>{escape(str(row[key]))}</td>' for key in keys)}</tr>" for row in metrics.get("models", [])
    )
    head = "".join(f"<th>{escape(key.replace('_', ' '))}</th>" for key in keys)
    notes = "".join(f"<li>{escape(note)}</li>" for note in metrics.get("notes", []))
    sections = [
        f"<p>Control: <b>{escape(str(metrics.get('control', '')))}</b>. Every model was given the same items in the same order. Intervals are 95 %: "
        "Wilson's for shares, else by bootstrap over the items; differences are paired and coloured where their interval leaves out zero.</p>",
        table_html(metrics), curves_html(metrics.get("curves", [])), f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "",
        f'<h2>Models</h2><div class="scorecard"><table><thead><tr><th></th>{head}</tr></thead><tbody>{models}</tbody></table></div>' if models else "",
        f"<h2>Examples</h2>{examples_html(metrics['examples'])}" if metrics.get("examples") else "",
        f"<h2>Made by</h2><pre>{escape(code)}</pre>" if code else "",
    ]  # fmt: skip
    made = time.strftime("%Y-%m-%d %H:%M")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{css()}</style><body class=report><h1>{escape(title)}</h1><p class=when>{made}</p>{''.join(sections)}</body></html>"
    )


def say(value: float | None, signed: bool = False) -> str:
    """A number with about three digits, its sign where it is a difference."""
    if value is None or not math.isfinite(value):
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 3
    said = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    return said.replace("-", "−")


def _short(text: str) -> str:
    return Path(text).name if "/" in text else text


def _bytes(size: int) -> str:
    return f"{size // 1024}k" if size >= 1024 else str(size)
