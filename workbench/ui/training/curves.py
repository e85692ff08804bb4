"""What a training tells while it runs: loss, learning rate, bits per byte, and what the model writes."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from ... import plots
from ...runs import by_step, measured_after
from ..messages import empty
from ..panel import Snapshot
from ..tables import drawn, figure

NOTHING = "Nothing has been trained yet. Transfer a model first (or load the demo, on the left), then press “Train”: curves and samples appear here."
HEAD = "<tr><th>when</th><th>prompt</th><th>what it writes</th></tr>"
SAMPLES = 6


def places() -> list[Any]:
    """Bits per byte and loss in a row, the learning rate and samples below; in the order of `watch`."""
    with gr.Row():
        with gr.Column(min_width=360):
            bits = figure()
        with gr.Column(min_width=360):
            loss = figure()
    with gr.Row():
        with gr.Column(min_width=360, scale=1):
            samples = gr.HTML(empty(NOTHING), elem_id="samples")
        with gr.Column(min_width=360, scale=1):
            rate = figure()
    return [loss, bits, rate, samples]


def watch(shot: Snapshot) -> list[Any]:
    """Curves and samples of the running (or newest) training; the last measurement once it is done."""
    metrics = by_step([*shot.metrics, *measured_after((shot.result or {}).get("metrics", {}))])
    told = {key for m in metrics for key in m}
    return [
        drawn(plots.loss(metrics) if "loss" in told else None), drawn(plots.convergence(metrics) if any("bits_per_byte" in key for key in told) else None),
        drawn(plots.learning_rate(metrics) if "learning_rate" in told else None), samples_html(shot),
    ]  # fmt: skip


def samples_html(shot: Snapshot) -> str:
    """What the model writes at its checkpoints, newest first."""
    found = [e for e in shot.events if e["kind"] == "sample"][-SAMPLES:]
    if not found:
        return "" if shot.metrics else empty("Curves and samples appear here as it learns.")
    rows = "".join(
        f'<tr><td>step {html.escape(str(e["data"].get("step", "")))}</td><td dir="auto">{html.escape(str(e["data"].get("prompt", "")))}</td>'
        f'<td dir="auto">{html.escape(e["message"])}</td></tr>'
        for e in reversed(found)
    )
    return f'<table class="plain">{HEAD}{rows}</table>'
