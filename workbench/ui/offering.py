"""Dropdowns that follow what there is: what the server offers is taken in the browser, where the user has not chosen something else by then."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import gradio as gr

from .shell import Shell

Offer = tuple[list[tuple[str, str]], Sequence[str | None]]

# The server's word may come late, and with a value in it would undo what was chosen or typed meanwhile.
TAKE = """(offers, ...held) => JSON.parse(offers).map(([before, now], n) => !held[n] || held[n] === before ? now || held[n] : held[n])"""


def offer(shell: Shell, dropdowns: Sequence[gr.Dropdown], look: Callable[[], Offer], follow: bool = True) -> None:
    """Whenever artefacts or the journey change, list the choices that `look` finds, and take its value for each dropdown that is empty or, with `follow`, still
    holds the value before."""
    before, told = gr.State([None] * len(dropdowns)), gr.Textbox(visible="hidden")

    def anew(before: list[str | None]) -> list[object]:
        listed, wanted = look()
        offers = [(old if follow else None, new) for old, new in zip(before, wanted, strict=True)]
        return [[new or old for old, new in offers], json.dumps(offers), *[gr.update(choices=listed)] * len(dropdowns)]

    shell.renew(anew, [before], [before, told, *dropdowns])
    told.change(None, [told, *dropdowns], list(dropdowns), js=TAKE, **shell.quiet)
