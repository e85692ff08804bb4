"""Buttons that save a conversation, or what a batch made, in each format."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from ...chat.exporting import FORMATS
from ..messages import guarded
from ..shell import Shell
from ..tables import SAVE_TEXT

TITLES = {"markdown": "Markdown", "json": "JSON", "csv": "CSV", "llm-comparator": "LLM Comparator"}


def buttons(shell: Shell, reference: gr.State, held: gr.Textbox, name: str, made: Callable[[str, str], str]) -> None:
    """A button a format, to be drawn in a row; `made(reference, format)` gives the text, `held` is where it waits for the browser, `name` is the file's."""
    for kind, (ending, media, _) in FORMATS.items():
        button = gr.Button(TITLES[kind], size="sm", scale=0, min_width=130, elem_id=f"{name}-{kind}")
        told = button.click(guarded(lambda asked, kind=kind: made(asked, kind)), reference, held, **shell.quiet)
        save = SAVE_TEXT.replace("FILE", f"{name}.{ending}").replace("TYPE", media)
        told.success(None, held, None, js=save, api_visibility="private")
