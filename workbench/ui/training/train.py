"""Train: choose a stage by its card, look at its first batch and its cost, run it, stop it, go on with it, and watch it learn."""

from __future__ import annotations

from typing import Any

import gradio as gr

from .. import chain
from ..messages import guarded, notes
from ..panel import JobPanel
from ..shell import Shell, code_block, code_html
from . import batch, cards, curves
from .stageform import StageForm

SEVERAL = "One process a GPU, on one machine or many. The step is the same, and so is its file; on a processor, several processes share its cores."


def build(shell: Shell) -> None:
    gr.Markdown("**Which stage?** Press a card: its knobs appear below.", elem_classes="quiet-text")
    deck = gr.HTML(cards.cards_html("align"), elem_id="stage-cards", js_on_load=cards.PICK)
    lacking = gr.HTML("", elem_id="stage-needs")
    form = StageForm(cards.SUGGEST)
    batch.build(shell, form)
    with gr.Column(render=False) as live:
        places = curves.places()
    JobPanel(shell, form, "Train", live=curves.watch, outputs=places, check=batch.refuse, resumes=True)
    live.render()
    several(shell, form)
    stage, size, model = form.chosen, form.component("preset"), form.component("model")
    deck.click(guarded(pick), None, stage, **shell.quiet)
    shell.gather([stage.change, size.input], guarded(form.settle), [stage, size], [form.settled, *(f.component for f in form.following)], **shell.quiet)
    offered = gr.State(("", ""))
    shell.gather([form.settled.change, shell.offered.change], offer, [stage, model, offered], [model, offered, lacking], **shell.quiet)
    shell.gather(model.change, needs_html, [stage, model], lacking, **shell.quiet)


def pick(event: gr.EventData) -> str:
    return cards.picked(event._data)


def offer(stage: str, held: str | None, before: tuple[str, str]) -> list[Any]:
    """The model that the journey has for a stage, where the stage or the journey has changed; else what the user chose stays."""
    now = (stage, cards.model_for(stage, chain.current()))
    if tuple(before) == now:
        return [gr.skip(), gr.skip(), gr.skip()]
    value = now[1] or held
    return [gr.update(value=value), now, needs_html(stage, value)]


def needs_html(stage: str, model: str | None) -> str:
    said = cards.lacking(stage, model, chain.current())
    return notes([said]) if said else ""


def several(shell: Shell, form: StageForm) -> None:
    """The command for several processes, written anew when the place is opened, and with every edit."""
    with gr.Accordion("On several processes or machines", open=False, elem_id="several") as opened:
        gr.Markdown(SEVERAL, elem_classes="quiet-text")
        with gr.Row():
            count = gr.Number(2, precision=0, minimum=1, label="Processes", info="In all; one for each GPU.", elem_id="several-processes")
            hosts = gr.Number(1, precision=0, minimum=1, label="Hosts", info="Machines over which they are spread.", elem_id="several-hosts")
            sharded = gr.Checkbox(
                False, label="Share the model out (FSDP)", info="Where one device cannot hold weights, gradients and states.", elem_id="several-sharded"
            )  # fmt: skip
        shown = code_block()
        shown.elem_classes = []  # seen whether or not code is asked for: it is what this place is for
        shown.elem_id = "several-command"
    number = shell.number(form)

    def edited(held: dict[int, list[Any]], *asked: Any) -> Any:
        return code_html(form.command(*asked, *held[number])) if number in held else gr.skip()

    asked = [count, hosts, sharded]
    changed = [opened.expand, *(c.input for c in asked)]
    shell.gather(changed, lambda *values: code_html(form.command(*values)), [*asked, *form.inputs], shown, **shell.quiet)
    shell.gather(shell.edited.change, edited, [shell.edited, *asked], shown, **shell.quiet)
