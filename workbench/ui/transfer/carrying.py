"""Transfer: choose a method by its card, look at what would happen, run it, read its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ... import steps, transferplots
from ...errors import WorkbenchError
from ..forms import Field, Form
from ..messages import empty, guarded, notes
from ..panel import JobPanel, metrics_of
from ..shell import Shell
from ..tables import Table, drawn, figure
from . import cards, previews
from .report import report_html, report_of, report_rows

NOTHING = "No transfer has been made yet. It needs a model and a tokenizer with tokens of the new language: load the demo and make one on the Tokenizer page."


def build(shell: Shell) -> None:
    step = steps.find("transfer")
    gr.Markdown("**Which method makes the new vectors?** Press a card; what it needs appears below.", elem_classes="quiet-text")
    chosen = step.model_fields["method"].default.method
    deck = gr.HTML(cards.cards_html(chosen), elem_id="method-cards", js_on_load=cards.PICK)
    suggest = {"model": lambda c: c.source, "tokenizer": lambda c: c.tokenizer} | cards.SUGGEST
    form = Form(step, suggest, first=("model", "tokenizer", "method"), unseen=("method",))
    lacking = gr.HTML("", elem_id="method-needs")
    previews.build(shell, form)
    panel = JobPanel(shell, form, "Transfer", check=refuse)
    result = gr.HTML(empty(NOTHING), elem_id="transfer-result")
    with gr.Row():
        with gr.Column(min_width=340):
            sizes = figure()
        with gr.Column(min_width=340):
            judged = figure()
    listed = Table("Report of the method", "transfer-report", 330, wrap=True)

    hidden = Table("Hidden shared tokens: how well their vectors are found again", "hidden-overlap", 300)

    def show(job: str) -> list[Any]:
        metrics = metrics_of(job, "transfer")
        histogram = report_of(metrics).get("k_histogram")
        drawing = transferplots.support_sizes(histogram) if histogram else None
        scores = metrics.get("hidden", [])
        return [
            report_html(metrics) if metrics else gr.skip(), drawn(drawing), drawn(transferplots.hidden_overlap(scores) if scores else None),
            *listed.update(report_rows(metrics)), *hidden.update(scores),
        ]  # fmt: skip

    deck.click(guarded(pick), None, form.component("method"), **shell.quiet)
    needed = {knob for groups in cards.NEEDS.values() for group in groups for knob in group}
    watched = [f for f in form.fields if f.knob.name == "method" or (f.knob.variant and f.knob.name in needed)]
    held = [f.component for f in watched]
    changed = [form.component("method").change, *(c.input for c in held), shell.offered.change]
    shell.gather(changed, lambda *values: needs_html(watched, values), held, lacking, trigger_mode="always_last", **shell.quiet)
    panel.finished.change(guarded(show), panel.finished, [result, sizes, judged, *listed.parts, *hidden.parts], **shell.quiet)


def pick(event: gr.EventData) -> str:
    return cards.picked(event._data)


def refuse(step: Any) -> None:
    """Raise WorkbenchError where the chosen method lacks what it needs, before a job is started."""
    if said := cards.unmet(step.method):
        raise WorkbenchError(said)


def needs_html(fields: Sequence[Field], values: tuple[Any, ...]) -> str:
    """What the chosen method lacks, said before it is run."""
    named = {f.knob.name: value for f, value in zip(fields, values, strict=True) if not f.knob.variant}
    kind = next((k for k in cards.METHODS if cards.name_of(k) == named.get("method")), None)
    if kind is None:
        return ""
    mine = {f.knob.name: value for f, value in zip(fields, values, strict=True) if f.knob.variant == named["method"] and value}
    needed = {knob: value for knob, value in mine.items() if any(knob in group for need in kind.needs for group in cards.NEEDS[need])}
    try:
        said = cards.unmet(kind(**needed))
    except WorkbenchError as error:
        said = str(error)
    return notes([said]) if said else ""
