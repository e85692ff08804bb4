"""What the page shows of a conversation: all sides, what stands below them, and the tokens of one reply."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from ... import chat as core
from ... import chathtml, specs, steps
from ...chat.comparisons import SIDES, Comparison, open_comparison
from ...errors import WorkbenchError
from ..forms import code_of
from ..messages import notes
from ..shell import code_html
from .bubbles import talk_html, title_html

WORDS = {"tie": "Tie", "bad": "Both bad"}


def drawn(talk: Comparison | None, writing: bool = False, blind: bool = False) -> list[str]:
    """Titles and conversations of all sides."""
    growing = {side: {} if writing and talk and side in talk.models else None for side in SIDES}
    shown = {side: talk if talk and side in talk.models else None for side in SIDES}
    return [*(title_html(side, shown[side], blind) for side in SIDES), *(talk_html(side, shown[side], growing[side]) for side in SIDES)]


def settled(reference: str) -> list[Any]:
    """What stands below once a side has answered: votes when all have, what was said of them, the link, and the code."""
    talk = open_comparison(reference)
    ready = talk.answered and len(talk.models) > 1
    lines = [talk.note] if talk.note else []
    verdict = talk.turns[-1].verdict if talk.turns else ""
    voted = [f"Your vote: {WORDS[verdict].lower() if verdict in WORDS else f'{verdict} is better'}."] if verdict else []
    buttons = [gr.update(visible=name in talk.models or name in WORDS, variant="primary" if name == verdict else "secondary") for name in (*SIDES, *WORDS)]
    return [
        gr.update(visible=ready), *buttons, gr.update(visible=talk.hidden), notes(lines) + notes(voted, "good"), gr.update(visible=bool(talk.turns)),
        link_html(talk), code_html(code_for(talk)),
    ]  # fmt: skip


def link_html(talk: Comparison) -> str:
    return f'<a href="?chat={escape(talk.id)}" title="Opens this conversation again on this machine">Link to this conversation</a> <span></span>'


def code_for(talk: Comparison) -> str:
    """The code that asks the last question again; nothing while the models are not to be known."""
    if talk.hidden or not talk.turns:
        return ""
    step = steps.find("chat")(models=tuple(talk.models.values()), prompt=talk.turns[-1].question, **talk.options)
    return code_of(step) if isinstance(step, specs.Step) else ""


def pressed(event: gr.EventData, reference: str) -> list[Any]:
    """A question is to be edited, or a reply's tokens are to be shown."""
    data = event._data if isinstance(event._data, dict) else {}
    talk = opened(reference, "That conversation is no longer shown; ask something.")
    try:
        number = int(str(data.get("turn", "")))
        turn = talk.turns[number] if number >= 0 else talk.turns[len(talk.turns)]
    except (ValueError, IndexError):
        raise WorkbenchError("That turn is no longer shown; press it once more.") from None
    if data.get("do") == "edit":
        said = f"Question {number + 1} is being edited: sending puts this one in its place, and what followed goes."
        return [turn.question, number, notes([said]), gr.skip()]
    side = str(data.get("side", ""))
    if side not in turn.replies:
        raise WorkbenchError("That reply is no longer shown; press it once more.")
    return [gr.skip(), gr.skip(), gr.skip(), tokens_html(talk, number, side)]


def tokens_html(talk: Comparison, number: int, side: str) -> str:
    """The tokens of a reply with their probabilities, and its text under the tokenizers of all sides."""
    from ...chat.choices import unpacked

    said = talk.turns[number].replies[side]
    chatters = {s: core.load(model) for s, model in talk.models.items()}
    view = chathtml.tokens(f"What {side} said, token by token", core.chosen(chatters[side].tokenizer, unpacked(said["choices"])), said["text"])
    order = [side, *(s for s in chatters if s != side)]
    names = {f"{s}: {talk.name(s)}": chatters[s].tokenizer for s in order} if not talk.hidden else {}
    same = f"<h4>The same text under each tokenizer</h4>{chathtml.same_text(said['text'], names)}" if len(names) > 1 and said["text"] else ""
    about = "Below each token stands its probability; point at one to see what else was likely. The stronger its colour, the less sure the model was."
    return f'<div class="token-view"><p class="small">{about}</p>{view}{same}</div>'


def opened(reference: str, otherwise: str) -> Comparison:
    if not reference:
        raise WorkbenchError(otherwise)
    talk = open_comparison(reference)
    if not talk.turns:
        raise WorkbenchError(otherwise)
    return talk
