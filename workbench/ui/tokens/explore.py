"""Explore: the same text under several tokenizers, chip by chip; a click on a chip tells its life."""

from __future__ import annotations

import gradio as gr

from ... import refs
from ...chiphtml import Under
from ...errors import WorkbenchError
from ..chips import CLICK, asked, life_html, row_html
from ..messages import empty, guarded, notes
from ..shell import Shell, code_block, code_html
from .following import both, follow, once_open, picker, waiting

EXAMPLE = "Учительница живёт в Москве и работает в библиотеке. Martin lives in Paris."
CHARACTERS = 1_500  # of the live text
ROWS = 6
NOTHING = "Choose at least one tokenizer, or load the demo on the left."
UNDER = {"nothing": "", "ids": "ids", "bytes": "bytes"}


def build(shell: Shell) -> None:
    gr.Markdown(
        "Type anything. Each chip is one token; a dashed chip is a part of a character, shown as its bytes. Click a chip for its story.",
        elem_classes="quiet-text",
    )
    with gr.Row():
        text = gr.Textbox(EXAMPLE, label="Text", lines=3, max_lines=8, scale=3, elem_id="explore-text", max_length=20_000)
        with gr.Column(scale=2, min_width=300):
            compared = picker("Tokenizers", "Two or more to compare; what the first one lacks is marked as new.", "explore-tokenizers", many=True)
            under = gr.Radio(list(UNDER), value="nothing", label="Below each chip", elem_id="explore-under")
    code = code_block()
    cut = gr.HTML(empty(NOTHING), elem_id="explore-chips", js_on_load=CLICK)
    life = gr.HTML("", elem_id="explore-life", js_on_load=CLICK)
    shown = gr.State([])  # the references whose token the biography is of, and against which

    def pick(references: list[str], event: gr.EventData) -> list[object]:
        reference, token = asked(event._data, references)
        base = references[0]
        return [life_html(reference, token, base), [reference, base], code_html(life_code(reference, token, base))]

    def relative(about: list[str], event: gr.EventData) -> list[object]:
        reference, token = asked(event._data, about[:1])
        return [life_html(reference, token, about[1]), code_html(life_code(reference, token, about[1]))]

    follow(shell, compared, both)
    changes = [text.change, under.change, once_open(shell, [compared], lambda references: explore("", references), cut).change]
    shell.gather(changes, guarded(explore), [text, compared, under], [cut, code], trigger_mode="always_last", concurrency_limit=2, **shell.quiet)
    cut.click(guarded(pick), compared, [life, shown, code], **waiting(shell, life))
    life.click(guarded(relative), shown, [life, code], **shell.quiet)


def explore(text: str, references: list[str], under: str = "nothing") -> list[str]:
    """The same text under each tokenizer, as rows of chips, and the code that shows it in a notebook."""
    if not references:
        return [empty(NOTHING), ""]
    short = text[:CHARACTERS]
    below: Under = UNDER.get(under, "")
    rows = []
    for number, reference in enumerate(references[:ROWS]):
        try:
            rows.append(row_html(refs.label(reference), reference, short, references[0], below, number))
        except WorkbenchError as error:
            rows.append(notes([str(error)]))
    said = [f"Only the first {CHARACTERS:,} characters are shown."] * (len(text) > CHARACTERS)
    said += [f"Only the first {ROWS} tokenizers are shown."] * (len(references) > ROWS)
    return ["".join(rows) + notes(said), code_html(f"import workbench as wb\n\nwb.widgets.tokens({references[:ROWS]!r}, text={short!r})")]


def life_code(reference: str, token: int, base: str) -> str:
    against = f", base={base!r}" if base != reference else ""
    return f"import workbench as wb\n\nwb.widgets.show(wb.tokenizer.biography({reference!r}, {token}{against}))"
