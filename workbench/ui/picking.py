"""Cards of which one is chosen: methods, stages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ..errors import WorkbenchError


def deck_html(label: str, cards: Iterable[str]) -> str:
    return f'<div class="methods" role="radiogroup" aria-label="{label}">{"".join(cards)}</div>'


def card_html(kind: str, name: str, chosen: bool, inside: str) -> str:
    """One card; `inside` is HTML already."""
    return f'<button type="button" role="radio" aria-checked="{"true" if chosen else "false"}" data-{kind}="{name}" class="method">{inside}</button>'


def pick_script(kind: str) -> str:
    """The page marks the card itself, so that the one that was pressed keeps the keyboard; what was pressed is looked up, never trusted."""
    return f"""element.addEventListener('click', (event) => {{
  const card = event.target.closest('[data-{kind}]');
  if (!card) return;
  element.querySelectorAll('[data-{kind}]').forEach((each) => each.setAttribute('aria-checked', each === card ? 'true' : 'false'));
  trigger('click', {{ {kind}: card.dataset.{kind} }});
}});"""


def picked(kind: str, data: Any, names: Collection[str]) -> str:
    """The name of a card that was pressed. Raises WorkbenchError where there is none of that name."""
    name = str(data.get(kind, "")) if isinstance(data, dict) else ""
    if name not in names:
        raise WorkbenchError("That card is no longer shown; press it once more.")
    return name
