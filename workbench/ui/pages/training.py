"""Training: align the new vectors on text, watch it live, and measure before and after."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from ... import plots, steps
from ..forms import Form
from ..messages import empty, guarded, notes
from ..panel import JobPanel, Snapshot, recent
from ..shell import Shell
from ..tables import Table, drawn, figure

NAME = "Training"
ABOUT = "Only embeddings and head learn (stage “align”). Bits per byte can be compared across vocabularies; loss per token cannot."


def build(shell: Shell) -> None:
    suggest = {"model": lambda c: c.transfer, "text": lambda c: c.text, "source_text": lambda c: c.source_text, "pairs": lambda c: c.pairs}
    form = Form(steps.find("train"), suggest, first=("model", "text", "steps"), columns=3)
    curves: list[Any] = []
    with gr.Column(render=False) as live:
        with gr.Row():
            for _ in range(2):
                with gr.Column(min_width=340):
                    curves.append(figure())
        samples = gr.HTML(
            empty("Nothing has been trained yet. Transfer a model first, then press “Train”: loss, bits per byte and samples appear here as it learns."),
            elem_id="samples",
        )
    JobPanel(shell, form, "Train", live=watch, outputs=[*curves, samples])
    live.render()
    gr.Markdown("### Before and after\nBits per byte of held-out text for every model of the journey, in both languages.", elem_classes="section")
    measured = Form(steps.find("evaluate"), {"models": lambda c: c.models, "text": lambda c: c.text, "source_text": lambda c: c.source_text}, columns=3)
    evaluation = JobPanel(shell, measured, "Measure bits per byte")
    nothing = gr.HTML(empty("Nothing is measured yet. With the demo loaded, the models of the journey fill themselves in."), elem_id="evaluation-note")
    with gr.Row():
        charts = []
        for _ in range(2):
            with gr.Column(min_width=340):
                charts.append(figure())
    table = Table("Bits per byte", "bits-per-byte")

    def show(job: str) -> list[Any]:
        found = next((s for s in recent(("evaluate",)) if s.id == job), None)
        rows = found.result["metrics"]["rows"] if found and found.result else []
        texts = texts_of(rows)[:2]
        made = [plots.bits_per_byte(rows, text) for text in texts] + [None] * (2 - len(texts))
        return [verdict(rows), *map(drawn, made), *table.update(rows)]

    evaluation.finished.change(guarded(show), evaluation.finished, [nothing, *charts, *table.parts], **shell.quiet)


def watch(shot: Snapshot) -> list[Any]:
    """Curves and samples of the running (or newest) training; the last measurement once it is done."""
    metrics = [*shot.metrics, *measured_after(shot)]
    loss = plots.loss(metrics) if any("loss" in m for m in metrics) else None
    bits = plots.convergence(metrics) if any("bits_per_byte" in key for m in metrics for key in m) else None
    return [drawn(loss), drawn(bits), samples_html(shot)]


def measured_after(shot: Snapshot) -> list[dict[str, Any]]:
    """The measurement after the last step, which only the result has: the end of the curves."""
    found = (shot.result or {}).get("metrics", {})
    bits, last = found.get("bits_per_byte"), found.get("steps")
    if not isinstance(bits, dict) or not last:
        return []
    return [{"step": last} | {f"bits_per_byte_{name}": pair["after"] for name, pair in bits.items() if pair.get("after") is not None}]


def samples_html(shot: Snapshot) -> str:
    """What the model writes at its checkpoints, newest first."""
    found = [e for e in shot.events if e["kind"] == "sample"][-6:]
    if not found:
        return "" if shot.metrics else empty("Curves and samples appear here as it learns.")
    rows = "".join(
        f'<tr><td>step {html.escape(str(e["data"].get("step", "")))}</td><td dir="auto">{html.escape(str(e["data"].get("prompt", "")))}</td>'
        f'<td dir="auto">{html.escape(e["message"])}</td></tr>'
        for e in reversed(found)
    )
    return f'<table class="plain"><tr><th>when</th><th>prompt</th><th>what it writes</th></tr>{rows}</table>'


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
    """(kind of note, how the last compares); intervals that overlap are no clear difference."""
    change = 100 * (last["value"] / first["value"] - 1)
    if last["low"] <= first["high"] and first["low"] <= last["high"]:
        return "good", f"not clearly better or worse ({change:+.0f} %, within the intervals)"
    return ("good", f"{-change:.0f} % better") if change < 0 else ("warning", f"{change:.0f} % worse")
