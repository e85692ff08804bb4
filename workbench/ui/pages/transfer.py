"""Transfer: give the model the new tokenizer, let methods race, carry the result over to the chat model (LEP), and ask why a vector is what it is."""

from __future__ import annotations

import gradio as gr

from ..shell import Shell
from ..transfer import carrying, propagating, race, why

NAME = "Transfer"
ABOUT = "Kept tokens keep their vectors; a method fills in new ones. Later, LEP carries the trained tables over to the chat model, with no instruction data."
SECTIONS = (("methods", "Methods", carrying), ("race", "Race", race), ("lep", "LEP", propagating), ("why", "Why this vector?", why))


def build(shell: Shell) -> None:
    with gr.Tabs(elem_id="transfer-sections"):
        for name, title, section in SECTIONS:
            with gr.Tab(title, id=name, elem_id=f"section-{name}"):
                section.build(shell)
