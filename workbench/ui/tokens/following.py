"""Pickers of tokenizers that follow the journey."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gradio as gr

from .. import chain
from ..forms import choices
from ..messages import guarded
from ..shell import Shell


def picker(label: str, info: str, name: str, many: bool = False, scale: int = 1) -> gr.Dropdown:
    """A dropdown of all tokenizers that are known; any other reference may be typed."""
    return gr.Dropdown(
        choices("tokenizer"), value=[] if many else None, multiselect=many, allow_custom_value=True, label=label, info=info, elem_id=name, scale=scale,
        min_width=220,
    )  # fmt: skip


def follow(shell: Shell, dropdown: gr.Dropdown, take: Callable[[chain.Chain], Any]) -> None:
    """Offer what the journey has come to; what the user chose stays until it moves on."""
    offered = gr.State(None)

    def offer(before: Any) -> list[Any]:
        wanted = take(chain.current()) or None
        value = {"value": wanted} if wanted and wanted != before else {}
        return [wanted, gr.update(choices=choices("tokenizer"), **value)]

    shell.renew(offer, [offered], [offered, dropdown])


def once_open(shell: Shell, pickers: list[gr.Dropdown], work: Callable[..., Any], place: gr.HTML) -> gr.State:
    """A State that changes once what was picked is open: `work` with it is done and forgotten, under a spinner at `place`.

    What is drawn from it, and from other fields too, hangs on this change: were it drawn by an event of its own, that one could end last and show the
    other fields as they were when it began.
    """
    done = gr.State("")

    def wait(*picked: Any) -> str:
        work(*picked)
        return f"{picked!r} at {time.monotonic_ns()}"  # what failed in between has drawn nothing

    shell.gather([each.change for each in pickers], guarded(wait), pickers, done, trigger_mode="always_last", concurrency_limit=2, **waiting(shell, place))
    return done


def both(now: chain.Chain) -> list[str]:
    """The tokenizer of the source model and the one made from it, as far as they are there."""
    return [reference for reference in (now.source, now.tokenizer) if reference]


def latest(now: chain.Chain) -> str:
    return now.tokenizer or now.source


def waiting(shell: Shell, place: gr.HTML) -> dict[str, Any]:
    """For events after which a large tokenizer may have to be opened, which takes many seconds: a spinner at `place`."""
    return shell.quiet | {"show_progress": "minimal", "show_progress_on": place}
