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
SHOWN = ("bits_per_byte_target", "bits_per_byte_source", "loss")


def build(shell: Shell) -> None:
    with gr.Row():
        chosen = gr.Dropdown(
            listed(), value=[], multiselect=True, label="Trainings", info="Jobs and models, newest first. Curves of one colour are one training.", scale=3,
            elem_id="runs-chosen",
        )  # fmt: skip
        again = gr.Button("Look again", scale=0, min_width=120, elem_id="runs-again", elem_classes="at-the-end")
    code = code_block()
    said = gr.HTML(empty(NOTHING), elem_id="runs-note")
    with gr.Row():
        charts = []
        for _ in SHOWN[:2]:
            with gr.Column(min_width=340):
                charts.append(figure())
    differ = Table("Knobs that differ", "runs-differences", 330, wrap=True)
    rows = Table("In numbers", "runs", 330)
    charts.append(figure())

    def look(given: list[str] | None) -> list[Any]:
        if not given:
            return [empty(NOTHING), code_html(""), *(drawn(None) for _ in SHOWN), *differ.update([]), *rows.update([])]
        found = compare(given)
        made = [plots.overlaid(found.curves[name], name) if found.curves.get(name) else None for name in SHOWN]
        return [
            verdict(found.rows, found.differences),
            code_html(code_of(given)),
            *map(drawn, made),
            *differ.update(found.differences),
            *rows.update(found.rows),
        ]

    parts = [said, code, *charts, *differ.parts, *rows.parts]
    gr.on([chosen.change, again.click], guarded(look), chosen, parts, trigger_mode="always_last", **shell.quiet)
    gr.on([shell.world.change, again.click], lambda: gr.update(choices=listed()), None, chosen, **shell.quiet)


def listed() -> list[tuple[str, str]]:
    """Every training with what tells it from others, and its id."""
    return [(named(run), run.id) for run in trainings()]


def named(run: Run) -> str:
    steps = run.metrics.get("steps", run.points[-1].get("step", 0) if run.points else 0)
    return f"{run.label} · {refs.label(str(run.spec.get('model', '')))} · {steps:,} steps · {run.ended}"


def verdict(rows: list[dict[str, Any]], differences: list[dict[str, Any]]) -> str:
    """Which of them ends best in the target language, and what that costs in the source language."""
    ended = [row for row in rows if row.get("target after") is not None]
    said = []
    if len(ended) > 1:
        best = min(ended, key=lambda row: row["target after"])
        said.append(f"{best['run']} ends best in the target language: {best['target after']:.3f} bits per byte.")
        if all(row.get("source after") is not None for row in ended):
            kept = min(ended, key=lambda row: row["source after"])
            said.append(f"{kept['run']} keeps most of the source language: {kept['source after']:.3f} bits per byte.")
    if len(rows) > 1 and not differences:
        said.append("No knob differs between them.")
    return notes(said, "good")


def code_of(given: list[str]) -> str:
    named = ", ".join(map(repr, given))
    shown = 'wb.plots.overlaid(found.curves["bits_per_byte_target"], "bits_per_byte_target")'
    return f"import workbench as wb\n\nfound = wb.runs.compare([{named}])\n{shown}"
