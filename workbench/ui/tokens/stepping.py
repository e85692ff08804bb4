"""Step through: how a tokenizer arrives at its tokens, merge by merge, over the lattice, or by the longest match."""

from __future__ import annotations

import gradio as gr

from ...tracehtml import trace_html
from ..chips import opened
from ..messages import empty, guarded
from ..shell import Shell, code_block, code_html
from .following import follow, latest, once_open, picker

EXAMPLE = "Медведь живёт"
CHARACTERS = 200
NOTHING = "Choose a tokenizer, or load the demo on the left, to see how it cuts this text."


def build(shell: Shell) -> None:
    gr.Markdown(
        "BPE merges the pair of neighbours whose merge was learned first, again and again. Unigram weighs all ways to cut a word and takes the most probable. "
        "WordPiece takes the longest token that fits.",
        elem_classes="quiet-text",
    )
    with gr.Row():
        text = gr.Textbox(EXAMPLE, label="Text", info="A word or two.", elem_id="trace-text", max_length=CHARACTERS, scale=2)
        one = picker("Tokenizer", "Whose steps to see.", "trace-tokenizer")
    code = code_block()
    said = gr.HTML(empty(NOTHING), elem_id="trace-steps")
    follow(shell, one, latest)
    changes = [text.change, once_open(shell, [one], lambda reference: steps("-", reference), said).change]
    shell.gather(changes, guarded(steps), [text, one], [said, code], trigger_mode="always_last", concurrency_limit=2, **shell.quiet)


def steps(text: str, reference: str | None) -> list[str]:
    """The steps as HTML, and the code that shows them in a notebook."""
    if not reference:
        return [empty(NOTHING), ""]
    if not text:
        return [empty("Type a word."), ""]
    code = f"import workbench as wb\n\nwb.widgets.show(wb.tokenizer.trace({reference!r}, {text[:CHARACTERS]!r}))"
    return [trace_html(opened(reference).trace(text[:CHARACTERS])), code_html(code)]
