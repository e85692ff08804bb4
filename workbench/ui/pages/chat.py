"""Chat: the original and the adapted model answer the same question side by side; prompt sets; and what the votes add up to."""

from __future__ import annotations

import gradio as gr

from ..chat import sets, talking, voting
from ..shell import Shell

NAME = "Chat"
ABOUT = "One question, two to four models, the same seed. Enter sends, Esc stops."


def build(shell: Shell) -> None:
    with gr.Tabs(elem_id="chat-sections"):
        with gr.Tab("Talk", id="talk", elem_id="section-talk"):
            talking.build(shell)
        with gr.Tab("Prompt sets", id="sets", elem_id="section-sets"):
            sets.build(shell)
        with gr.Tab("Votes", id="votes", elem_id="section-votes") as votes:
            voting.build(shell, votes.select)
