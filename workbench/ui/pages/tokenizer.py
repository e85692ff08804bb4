"""Tokenizer: make a vocabulary, see how it cuts text, search it, and follow it step by step."""

from __future__ import annotations

import gradio as gr

from ..shell import Shell
from ..tokens import explore, make, stepping, vocabulary

NAME = "Tokenizer"
ABOUT = "Give a vocabulary tokens of the new language, or make a new one; then look inside: how it cuts text, what it kept, and why."
SECTIONS = (("make", "Make", make), ("explore", "Explore", explore), ("vocabulary", "Vocabulary", vocabulary), ("stepping", "Step through", stepping))


def build(shell: Shell) -> None:
    with gr.Tabs(elem_id="tokenizer-sections"):
        for name, title, section in SECTIONS:
            with gr.Tab(title, id=name, elem_id=f"section-{name}"):
                section.build(shell)
