"""A side's conversation as bubbles; every text escaped and in its own direction."""

from __future__ import annotations

from html import escape
from typing import Any

from ... import chathtml
from ...chat.comparisons import Comparison

NOTHING = "Load the demo or choose a model above; then ask, for example: Анна живёт в Москве. Мартин живёт в Париже. Где живёт Мартин?"
# What is pressed says which turn of which side is meant; what it says is looked up, never trusted.
PRESS = """element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-do]');
  if (button) trigger('click', { do: button.dataset.do, turn: button.dataset.turn, side: button.dataset.side });
});"""


def talk_html(side: str, talk: Comparison | None = None, growing: dict[str, Any] | None = None, note: str = "") -> str:
    """What a side (A to D) has heard and said. `growing`: a reply under way ({} before its first token); `note`: a sentence below."""
    parts = []
    for number, turn in enumerate(talk.turns if talk else []):
        last = number == len(talk.turns) - 1
        parts.append(_question(number, turn.question))
        if last and growing is not None:
            parts.append(f'<div class="turn assistant writing" dir="auto">{chathtml.words(growing["text"]) if growing.get("text") else ""}</div>')
        elif said := turn.replies.get(side):
            better = " better" if turn.verdict == side else ""
            parts.append(f'<div class="turn assistant{better}" dir="auto">{chathtml.words(said["text"])}</div>')
            look = f'<button type="button" data-do="tokens" data-turn="{number}" data-side="{side}">tokens</button>' if said.get("choices") else ""
            parts.append(f'<div class="said">{chathtml.stamp(said, turn.question, talk.hidden, look)}</div>')
    if note:
        parts.append(f'<div class="quiet">{escape(note)}</div>')
    inside = "".join(parts) or f'<div class="quiet">{escape(NOTHING)}</div>'
    return f'<div class="talk {side.lower()}" role="log" aria-live="polite"><div class="turns">{inside}</div></div>'


def _question(number: int, text: str) -> str:
    edit = f'<button type="button" data-do="edit" data-turn="{number}" data-side="" title="Ask this again in other words" aria-label="Edit">edit</button>'
    return f'<div class="asked"><div class="turn user" dir="auto">{escape(text)}</div>{edit}</div>'


def title_html(side: str, talk: Comparison | None = None, blind: bool = False) -> str:
    """Above a conversation: its letter, and which model it is where that may be seen."""
    if talk and side in talk.models:
        from ... import refs

        said = "which model, nobody knows yet" if talk.hidden else refs.label(talk.models[side])
    else:
        said = "drawn at random when you ask" if blind else {"A": "original", "B": "adapted"}.get(side, "")
    return f'<div class="side-title {side.lower()}"><b>{side}</b> <span>{escape(said)}</span></div>'
