"""Prompt sets: every prompt of a file asked of every model, as a job."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import chat as core
from ... import refs, steps, store
from ...chat.exporting import read_batch
from ...chat.prompts import read_prompts
from ...errors import WorkbenchError
from ...specs import Step
from ..forms import Form
from ..messages import empty, guarded, notes
from ..pages.corpus import keep
from ..panel import JobPanel, recent
from ..shell import Shell
from ..tables import Table
from . import files

ABOUT = "A prompt a line (.txt), or .jsonl, .json, .csv and .tsv with a column `prompt`. Every model is asked all of them; what it cannot be asked says why."
NOTHING = "No prompt set has been asked yet. Upload a file of prompts, choose the models (the demo fills them in), and press “Ask all”."
KINDS = [".txt", ".jsonl", ".json", ".csv", ".tsv"]
SHOWN = 200  # rows of the table


def build(shell: Shell) -> None:
    gr.Markdown(ABOUT, elem_classes="quiet-text")
    upload = gr.File(
        label="Upload prompts (.txt .jsonl .json .csv .tsv)", file_types=[".txt", ".jsonl", ".json", ".csv", ".tsv"], height=120, elem_id="upload-prompts"
    )
    read = gr.HTML("", elem_id="prompts-read")
    form = Form(steps.find("chat.batch"), {"models": lambda c: [m for m in (c.instruct, c.lep) if m]}, first=("prompts", "models", "limit"), columns=3)
    panel = JobPanel(shell, form, "Ask all", check=check)
    nothing = gr.HTML(empty(NOTHING), elem_id="batch-summary")
    numbers, replies = Table("In numbers", "batch-numbers"), Table("Replies", "batch-replies", wrap=True)
    made, held = gr.State(""), gr.Textbox(visible="hidden")
    with gr.Row(visible=False, elem_classes="run-row") as taking:
        files.buttons(shell, made, held, "replies", core.export)
    upload.upload(guarded(taken), upload, [form.component("prompts"), read], api_visibility="private")
    panel.finished.change(guarded(show), panel.finished, [made, nothing, taking, *numbers.parts, *replies.parts], **shell.quiet)


def taken(path: str) -> list[str]:
    """An upload, read once so that a malformed row is known before a job is started."""
    kept = keep(path)
    found = read_prompts(kept)
    return [str(kept), notes([f"{len(found):,} prompts were read; the first: {found[0].prompt[:120]}"], "good")]


def check(step: Step) -> None:
    read_prompts(step.prompts, step.limit)
    for model in step.models:
        refs.locate(model)


def show(job: str) -> list[Any]:
    found = next((s for s in recent(("chat.batch",)) if s.id == job), None)
    if not found or not (reference := (found.result or {}).get("id")):
        return [gr.skip()] * 7
    try:
        models, entries = read_batch(store.open_artefact(reference).path)
    except WorkbenchError:  # deleted meanwhile
        return ["", empty(NOTHING), gr.update(visible=False), *[gr.update(visible=False), gr.skip()] * 2]
    rows = [{"prompt": e["prompt"]} | {side: said["text"] or said.get("error", "") for side, said in e["replies"].items()} for e in entries[:SHOWN]]
    more = f" The first {SHOWN:,} are shown; a file holds all." if len(entries) > SHOWN else ""
    said = notes([f"{len(entries):,} prompts, {', '.join(f'{side}: {refs.label(model)}' for side, model in models.items())}.{more}"], "good")
    table = [{key: value for key, value in row.items() if key != "fingerprint"} for row in (found.result or {})["metrics"]["rows"]]
    return [reference, said, gr.update(visible=True), *Table.update(table), *Table.update(rows)]
