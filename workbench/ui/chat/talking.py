"""Talk: one question to two to four models, side by side; vote on the replies, look into them, and take them away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from ... import steps
from ...chat.comparisons import SIDES
from ..forms import Form, choices
from ..messages import guarded
from ..offering import offer
from ..shell import Shell, code_block
from . import asking, files, streaming
from .bubbles import PRESS, talk_html, title_html
from .showing import WORDS, pressed, settled

LABELS = {"A": "Original", "B": "Adapted", "C": "Third model", "D": "Fourth model"}
# A link with ?chat=… opens the page on that conversation (theme.SCRIPT shows the tab); what it says is looked up, never trusted.
OPEN = """const asked = new URLSearchParams(location.search).get('chat');
if (asked) trigger('click', { chat: asked });"""
COPY = """element.addEventListener('click', (event) => {
  const link = event.target.closest('a');
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  history.replaceState(null, '', link.href);
  navigator.clipboard?.writeText(link.href);
  element.querySelector('span').innerText = 'The address is in the bar of the browser now, and copied.';
});"""


@dataclass
class Page:
    """The components of the section, by side where there is one for each."""

    models: dict[str, gr.Dropdown] = field(default_factory=dict)
    boxes: dict[str, list[gr.Column]] = field(default_factory=dict)
    titles: dict[str, gr.HTML] = field(default_factory=dict)
    talks: dict[str, gr.HTML] = field(default_factory=dict)
    stops: dict[str, gr.Button] = field(default_factory=dict)
    votes: dict[str, gr.Button] = field(default_factory=dict)


def build(shell: Shell) -> None:
    page, quiet = Page(), shell.quiet
    turns = {"concurrency_id": "turns", "concurrency_limit": 1}  # in the order pressed: what is asked after "New conversation" is of the new one
    talk, editing = gr.State(""), gr.State(None)
    third = gr.State("")  # changes when more than two sides are asked: at every event the browser goes through the whole page, so two sides cost two streams
    with gr.Row(equal_height=False):
        count = gr.Radio([2, 3, 4], value=2, label="Models", info="How many answer side by side.", scale=0, min_width=260, elem_id="sides")
        blind = gr.Checkbox(False, label="Blind", info="Which model is on which side is drawn at random, and shown when you reveal it.", elem_id="blind")
    draw_sides(page)
    change = gr.HTML("", elem_id="editing")
    with gr.Row(equal_height=True):
        question = gr.Textbox(show_label=False, placeholder="Ask …", lines=1, max_lines=5, scale=5, elem_id="question", container=False, max_length=20_000)
        send = gr.Button("Send", variant="primary", scale=0, min_width=100, elem_id="send")
        again = gr.Button("Regenerate", scale=0, min_width=130, elem_id="regenerate")
        fresh = gr.Button("New conversation", scale=0, min_width=180, elem_id="fresh")
    with gr.Row(visible=False, elem_classes="vote-row", elem_id="vote-row") as voting:
        for verdict in (*SIDES, *WORDS):
            label = WORDS.get(verdict, f"{verdict} is better")
            page.votes[verdict] = gr.Button(label, size="sm", scale=0, min_width=110, elem_id=f"vote-{verdict.lower()}", visible=verdict not in "CD")
        reveal = gr.Button("Reveal", size="sm", scale=0, min_width=110, elem_id="reveal", visible=False)
    said = gr.HTML("", elem_id="said")
    tokens = gr.HTML("", elem_id="token-view")
    held = gr.Textbox(visible="hidden")
    with gr.Row(visible=False, elem_classes="run-row") as taking:
        link = gr.HTML("", elem_id="chat-link", js_on_load=COPY)
        files.buttons(shell, talk, held, "chat", asking.saved)
    form = Form(steps.find("chat"), hide=("models", "prompt", "device", "dtype"), columns=3)
    code = code_block()

    shown = [*page.titles.values(), *page.talks.values()]
    below = [voting, *page.votes.values(), reveal, said, taking, link, code]
    started = [question, talk, third, editing, change, tokens, *shown]
    chosen = [count, blind, *page.models.values()]
    asked = [question, talk, editing, *chosen, *form.inputs]

    def answer(when: Callable[..., Any], side: str) -> None:
        advice = streaming.NO_LEP if side == "B" else ""
        streamed = when(
            streaming.answering(side, advice), talk, [page.talks[side], page.stops[side]], concurrency_id=f"chat-{side}", concurrency_limit=4,
            stream_every=streaming.EVERY, **quiet,
        )  # fmt: skip
        streamed.then(guarded(settled), talk, below, **quiet)

    put = {question.submit: (asking.ask, asked), send.click: (asking.ask, asked), again.click: (asking.regenerate, [talk, *form.inputs])}
    for event, (function, inputs) in put.items():
        sent = shell.gather(event, _with(guarded(function), form), inputs, started, **turns, **quiet)
        for side in SIDES[:2]:
            answer(sent.success, side)
    for side in SIDES[2:]:
        answer(third.change, side)
    for side in SIDES:
        page.stops[side].click(streaming.stopper(side), None, None, queue=False, **quiet)
        page.talks[side].click(guarded(pressed), talk, [question, editing, change, tokens], **quiet)
    for verdict, button in page.votes.items():
        button.click(guarded(asking.voter(verdict)), talk, [*shown, *below], **quiet)
    reveal.click(guarded(asking.revealed), talk, [*shown, *below], **quiet)
    fresh.click(None, None, question, js="() => ''", **quiet)  # at once: what is typed next stays
    fresh.click(guarded(asking.anew), blind, [*started, *below], **turns, **quiet)
    sides = [part for side in SIDES for part in page.boxes[side]]
    shell.gather([count.change, blind.change], guarded(asking.arranged), [count, blind, talk], [*sides, *page.titles.values()], **turns, **quiet)
    opener = gr.HTML("", visible="hidden", js_on_load=OPEN)
    opener.click(guarded(asking.reopened), None, [talk, *chosen, *shown, *below], **quiet)
    offer(shell, list(page.models.values()), asking.offered)


def draw_sides(page: Page) -> None:
    """A row of models to choose from, and below it a row of conversations: in a blind comparison the two do not belong together."""
    for side in SIDES:
        page.boxes[side] = []
    with gr.Row(equal_height=True, elem_id="chat-models"):
        for side in SIDES:
            with gr.Column(min_width=220, visible=side in "AB") as box:
                page.models[side] = gr.Dropdown(
                    choices("model"), label=LABELS[side], value=None, allow_custom_value=True, elem_id=f"model-{side.lower()}", elem_classes="chat-model"
                )
            page.boxes[side].append(box)
    with gr.Row(equal_height=False, elem_id="chat-talks"):
        for side in SIDES:
            with gr.Column(min_width=220, visible=side in "AB") as box:
                page.titles[side] = gr.HTML(title_html(side))
                page.talks[side] = gr.HTML(talk_html(side), elem_id=f"talk-{side.lower()}", js_on_load=PRESS)
                page.stops[side] = gr.Button(f"Stop {side}", size="sm", interactive=False, elem_id=f"stop-{side.lower()}", elem_classes="stop-on-escape")
            page.boxes[side].append(box)


def _with(function: Callable[..., Any], form: Form) -> Callable[..., Any]:
    """The function with the form as its second argument; Gradio gives the request by its annotation."""

    def run(request: gr.Request, *values: Any) -> Any:
        return function(request, form, *values)

    return run
