"""Transfer: give the model the new tokenizer, carry the result over to the chat model (LEP), and ask why a vector is what it is."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from ... import plots, specs, steps, store
from ..forms import Form, choices, code_of
from ..messages import empty, guarded, notes, numbers, say
from ..panel import JobPanel, recent
from ..shell import Shell, code_block, code_html
from ..tables import Table, drawn, figure

NAME = "Transfer"
ABOUT = "Kept tokens keep their vectors; a method fills in new ones. Later, LEP carries the trained tables over to the chat model, with no instruction data."


def build(shell: Shell) -> None:
    gr.Markdown("### 1. New tokenizer, old model", elem_classes="section")
    _transfer(shell)
    gr.Markdown(
        "### 2. LEP: from the trained base to the chat model\nDo this after training: the trained tables are carried over to the chat model.",
        elem_classes="section",
    )
    _lep(shell)
    gr.Markdown("### Why this vector?\nWhat a new token's vector was made of: which source tokens, with what weights.", elem_classes="section")
    _why(shell)


def _transfer(shell: Shell) -> None:
    form = Form(steps.find("transfer"), {"model": lambda c: c.source, "tokenizer": lambda c: c.tokenizer}, first=("model", "tokenizer", "method"))
    look = gr.Button("Preview: what would be kept, made and dropped", size="md", elem_id="preview-transfer")
    preview = gr.HTML("", elem_id="preview-result")
    panel = JobPanel(shell, form, "Transfer")
    with gr.Row():
        result = gr.HTML(
            empty("No transfer has been made yet. It needs a model and an extended tokenizer: make one on the Tokenizer page."), elem_id="transfer-result"
        )
    chart = figure()

    def show_preview(model: str | None, tokenizer: str | None) -> str:
        step = specs.build(steps.find("transfer.preview"), {k: v for k, v in {"model": model, "tokenizer": tokenizer}.items() if v})
        return counts_html(store.run(step).metrics)

    def show(job: str) -> list[Any]:
        found = next((s for s in recent(("transfer",)) if s.id == job), None)
        metrics = found.result["metrics"] if found and found.result else {}
        return [counts_html(metrics) if metrics else gr.skip(), drawn(plots.rows_kept(metrics) if "kept" in metrics else None)]

    look.click(guarded(show_preview), [form.component("model"), form.component("tokenizer")], preview, api_visibility="private")
    panel.finished.change(guarded(show), panel.finished, [result, chart], **shell.quiet)


def _lep(shell: Shell) -> None:
    suggest = {"base": lambda c: c.source, "adapted": lambda c: c.trained or c.transfer, "instruct": lambda c: c.instruct}
    form = Form(steps.find("lep"), suggest, columns=3)
    panel = JobPanel(shell, form, "Run LEP")
    said = gr.HTML(empty("No LEP yet. It needs the base, the trained model and the chat model; the three fill themselves in as you go."), elem_id="lep-result")
    table = Table("Diagnostics of the fit", "lep")

    def show(job: str) -> list[Any]:
        found = next((s for s in recent(("lep",)) if s.id == job), None)
        metrics = found.result["metrics"] if found and found.result else {}
        rows = [{"table": which} | metrics[which] for which in ("input", "output") if metrics.get(which)]
        rows = [{k: v for k, v in row.items() if not isinstance(v, (list, dict))} for row in rows]
        return [lep_html(metrics) if metrics else gr.skip(), *table.update(rows)]

    panel.finished.change(guarded(show), panel.finished, [said, *table.parts], **shell.quiet)


def _why(shell: Shell) -> None:
    with gr.Row():
        model = gr.Dropdown(transferred(), label="Model", info="A model that a transfer made.", allow_custom_value=True, scale=2, elem_id="why-model")
        token = gr.Textbox(
            label="Token", info="Its text, with a space in front where it starts a word, or #id.", placeholder=" Москве", scale=2, elem_id="why-token"
        )
        ask = gr.Button("Explain", scale=0, min_width=140, elem_id="why-ask", elem_classes="at-the-end")
    said = gr.HTML(
        empty("Type a new token (the Tokenizer page lists them) to see what its vector is made of. It needs a transferred model."), elem_id="why-result"
    )
    code = code_block()
    table = Table("Source tokens and weights", "explanation", 300)

    def explain(reference: str | None, text: str) -> list[Any]:
        given = {k: v for k, v in {"model": reference, "token": text}.items() if v}
        step = specs.build(steps.find("transfer.explain"), given)
        metrics = store.run(step).metrics
        rows = next((v for v in metrics.values() if isinstance(v, list) and v and isinstance(v[0], dict)), [])
        return [f'<div class="note good" dir="auto">{html.escape(str(metrics["text"]))}</div>', code_html(code_of(step)), *table.update(rows)]

    def renew(current: str | None) -> Any:
        made = transferred()
        ids = [i for _, i in made]
        return gr.update(choices=made, value=current if current else ids[0] if ids else None)

    for event in (ask.click, token.submit):
        event(guarded(explain), [model, token], [said, code, *table.parts], api_visibility="private")
    shell.world.change(renew, model, model, **shell.quiet)


def transferred() -> list[tuple[str, str]]:
    known = {a.id for a in store.artefacts("model") if a.manifest["spec"].get("step") == "transfer"}
    return [(name, value) for name, value in choices("model") if value in known]


def counts_html(metrics: dict[str, Any]) -> str:
    """Rows kept, new and dropped, with what the tables cost."""
    figures = {name: metrics.get(name) for name in ("kept", "new", "dropped")}
    sizes = {f"tables {when}": f"{metrics[f'table_bytes_{when}'] / 2**20:,.1f} MiB" for when in ("before", "after") if f"table_bytes_{when}" in metrics}
    rest = {"method": metrics.get("method"), "norm of new rows / source": metrics.get("norm_ratio")}
    return numbers(figures | sizes | rest) + notes(metrics.get("warnings", []))


def lep_html(metrics: dict[str, Any]) -> str:
    """Whether the map beat swap, in words."""
    lines = []
    for which in ("input", "output"):
        fit = metrics.get(which) or {}
        if "r2_map" in fit:
            lines.append(f"{which} table: the map explains {say(fit['r2_map'])} of held-out rows, leaving the vectors as they are {say(fit['r2_swap'])}.")
    if metrics.get("variant") == "swap":
        lines.append("swap puts the trained tables into the chat model as they are; there is no map to judge.")
    figures = {"variant": metrics.get("variant"), "rows": metrics.get("rows"), "added tokens": metrics.get("added_tokens"), "tied": metrics.get("tied")}
    return numbers(figures) + notes(lines, "good") + notes(metrics.get("warnings", []))
