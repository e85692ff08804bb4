"""Training: the stages of an adaptation, live; trainings compared; what they are worth; and the papers' journeys as a whole."""

from __future__ import annotations

import gradio as gr

from ..shell import Shell
from ..training import comparing, journeys, measure, train

NAME = "Training"
ABOUT = "Stages from small to large: tables only, tables and adapters, instructions. Each is a job: stop it, go on with it, queue another behind it."
SECTIONS = (("train", "Train", train), ("runs", "Runs", comparing), ("measure", "Measure", measure), ("recipes", "Recipes", journeys))


def build(shell: Shell) -> None:
    with gr.Tabs(elem_id="training-sections"):
        for name, title, section in SECTIONS:
            with gr.Tab(title, id=name, elem_id=f"section-{name}"):
                section.build(shell)
