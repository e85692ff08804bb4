"""Measure: bits per byte of held-out text for every model of the journey, in both languages."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import plots, steps
from ..forms import Form
from ..messages import empty, guarded, notes
from ..panel import JobPanel, metrics_of
from ..shell import Shell
from ..tables import Table, drawn, figure

# What the scorecard of the Evaluation page has beside bits per byte, questions and copies.
ELSEWHERE = ("suite", "control", "pairs", "tasks", "source_tasks", "shots", "lm_eval", "measures")
ABOUT = "Bits per byte of held-out text for every model of the journey, before and after. They can be compared across vocabularies; loss per token cannot."


def build(shell: Shell) -> None:
    gr.Markdown(ABOUT, elem_classes="quiet-text")
    suggest = {"models": lambda c: c.models, "text": lambda c: c.text, "source_text": lambda c: c.source_text}
    measured = Form(steps.find("evaluate"), suggest, hide=ELSEWHERE, columns=3)
    evaluation = JobPanel(shell, measured, "Measure bits per byte")
    nothing = gr.HTML(empty("Nothing is measured yet. With the demo loaded, the models of the journey fill themselves in."), elem_id="evaluation-note")
    with gr.Row():
        charts = []
        for _ in range(2):
            with gr.Column(min_width=360):
                charts.append(figure())
    table = Table("Bits per byte", "bits-per-byte")

    def show(job: str) -> list[Any]:
        rows = metrics_of(job, "evaluate").get("rows", [])
        texts = texts_of(rows)[:2]
        made = [plots.bits_per_byte(rows, text) for text in texts] + [None] * (2 - len(texts))
        return [verdict(rows) or gr.skip(), *map(drawn, made), *table.update(rows)]

    evaluation.finished.change(guarded(show), evaluation.finished, [nothing, *charts, *table.parts], **shell.quiet)


def texts_of(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["text"] for row in rows if row["measure"] == "bits_per_byte"))


def verdict(rows: list[dict[str, Any]]) -> str:
    """Every model of the journey in words, and the last against the first: better, worse, or no clear difference."""
    said = []
    for text in texts_of(rows):
        mine = [row for row in rows if row["text"] == text and row["measure"] == "bits_per_byte"]
        if len(mine) > 1:
            first, last = mine[0], mine[-1]
            values = ", ".join(f"{row['value']:.3f} for {row['model']}" for row in mine)
            kind, word = against(first, last)
            said.append(notes([f"{text}, bits per byte (fewer is better): {values}. The last against the first: {word}."], kind))
    return "".join(said)


def against(first: dict[str, Any], last: dict[str, Any]) -> tuple[str, str]:
    """(kind of note, how the last compares); intervals that overlap are no clear difference, and so few items that there is none say nothing."""
    change = 100 * (last["value"] / first["value"] - 1)
    if None in (first["low"], last["low"]):
        return "good", f"{change:+.0f} %, on too few documents to say more"
    if last["low"] <= first["high"] and first["low"] <= last["high"]:
        return "good", f"not clearly better or worse ({change:+.0f} %, within the intervals)"
    return ("good", f"{-change:.0f} % better") if change < 0 else ("warning", f"{change:.0f} % worse")
