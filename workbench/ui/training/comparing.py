"""Runs: several trainings over each other, their last numbers, and the knobs in which they differ."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import plots, refs
from ...runs import Run, compare, trainings
from ..messages import empty, guarded, notes
from ..shell import Shell, code_block, code_html
from ..tables import Table, drawn, figure

NOTHING = "Nothing to compare yet. Train twice with one knob changed, or run a recipe: every training is listed here, those under way too."
LONG = 44  # characters of a value
SHOWN = ("bits_per_byte_target", "bits_per_byte_source", "loss")


def build(shell: Shell) -> None:
    with gr.Row():
        chosen = gr.Dropdown(
            listed(), value=[], multiselect=True, label="Trainings", info="Jobs and models, newest first. Curves of one colour are one training.", scale=3,
            elem_id="runs-chosen",
        )  # fmt: skip
        again = gr.Button("Look again", scale=0, min_width=120, elem_id="runs-again", elem_classes="at-the-end")
    code = code_block()
    said = gr.HTML(nothing(), elem_id="runs-note")
    with gr.Row():
        charts = []
        for _ in SHOWN[:2]:
            with gr.Column(min_width=360):
                charts.append(figure())
    differ = Table("Knobs that differ", "runs-differences", 330, wrap=True)
    rows = Table("In numbers", "runs", 330, wrap=True)
    charts.append(figure())

    def look(given: list[str] | None) -> list[Any]:
        if not given:
            return [nothing(), code_html(""), *(drawn(None) for _ in SHOWN), *differ.update([]), *rows.update([])]
        found = compare(given)
        made = [plots.overlaid(found.curves[name], name) if found.curves.get(name) else None for name in SHOWN]
        return [
            verdict(found.rows, found.differences),
            code_html(code_of(given)),
            *map(drawn, made),
            *differ.update([{name: shortened(value) for name, value in row.items()} for row in found.differences]),
            *rows.update(found.rows),
        ]

    parts = [said, code, *charts, *differ.parts, *rows.parts]
    shell.gather([chosen.change, again.click], guarded(look), [chosen], parts, trigger_mode="always_last", **shell.quiet)
    again.click(lambda: gr.update(choices=listed()), None, chosen, **shell.quiet)
    shell.renew(lambda given: [gr.update(choices=listed()), gr.skip() if given else nothing()], [chosen], [chosen, said])


def nothing() -> str:
    """What to do first: choose, or train."""
    return empty("Choose the trainings to compare above: two of one stage with one knob changed tell the most." if listed() else NOTHING)


def listed() -> list[tuple[str, str]]:
    """Every training with what tells it from others, and its id."""
    return [(named(run), run.id) for run in trainings()]


def named(run: Run) -> str:
    steps = run.metrics.get("steps", run.points[-1].get("step", 0) if run.points else 0)
    return f"{run.label} · {refs.label(str(run.spec.get('model', '')))} · {steps:,} steps · {run.ended}"


def verdict(rows: list[dict[str, Any]], differences: list[dict[str, Any]]) -> str:
    """Which of them ends best in each language; only trainings that were measured on the same text are set against each other."""
    said, apart = [], []
    for side, words in (("target", "ends best in the target language"), ("source", "keeps most of the source language")):
        groups = alike(rows, side)
        for text, group in groups.items():
            best = min(group, key=lambda row: row[f"{side} after"])
            if len(group) > 1:
                among = f"Of the {len(group)} measured on {text}, " if len(groups) > 1 else ""
                said.append(f"{among}{best['run']} {words}: {best[f'{side} after']:.3f} bits per byte.")
        if len(groups) > 1:
            apart.append(side)
    if apart:
        where = " and ".join(apart)
        unlike = f"Not all were measured on the same {where} text (see “measured on” in the table below); their curves and numbers there cannot be compared. "
        apart = [unlike + "The section Measure puts models on one text."]
    if len(rows) > 1 and not differences:
        said.append("No knob differs between them.")
    return notes(apart) + notes(said, "good")


def shortened(value: Any) -> Any:
    """One long value, a template or a list of layers, would make a column wider than the page."""
    return f"{value[: LONG - 1]}…" if isinstance(value, str) and len(value) > LONG else value


def alike(rows: list[dict[str, Any]], side: str) -> dict[str, list[dict[str, Any]]]:
    """The trainings that have come to their end, by what a side of theirs was measured on."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row.get(f"{side} after") is not None:
            found.setdefault(row.get(f"{side} measured on", ""), []).append(row)
    return found


def code_of(given: list[str]) -> str:
    named = ", ".join(map(repr, given))
    shown = 'wb.plots.overlaid(found.curves["bits_per_byte_target"], "bits_per_byte_target")'
    return f"import workbench as wb\n\nfound = wb.runs.compare([{named}])\n{shown}"
