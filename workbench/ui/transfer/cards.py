"""Methods as cards: what each one believes, its formula, what it needs, its paper; and whether its needs are met."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from ...transfer.base import Method
from ...transfer.steps import METHODS
from .. import picking
from ..chain import Chain
from ..forms import title
from ..picking import card_html, deck_html, pick_script

# Each thing that a method may need: the knobs that must be filled; of those beside each other one is enough.
NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "donor": (("donor",),),
    "vectors": (("vectors", "donor"),),
    "multilingual vectors": (("multilingual",),),
    "word vectors of both languages": (("source_vectors",), ("target_vectors",)),
    "dictionary": (("dictionary",),),
}
SAID = {"donor": "a donor", "vectors": "word vectors", "dictionary": "a dictionary"}
DONORS = {"demo:ru": "demo:ru-plm", "demo:fa": "demo:fa-plm"}
PICK = pick_script("method")


def name_of(kind: type[Method]) -> str:
    return str(kind.model_fields["method"].default)


def cards_html(chosen: str) -> str:
    """All methods, in the order of the menu."""
    return deck_html("Method", (_card(kind, chosen) for kind in METHODS))


def _card(kind: type[Method], chosen: str) -> str:
    name = name_of(kind)
    needs = said_needs(kind) or "needs nothing more"
    paper = f"<span>{escape(kind.paper)}</span>" if kind.paper else ""
    inside = (
        f"<b>{escape(name)}</b><em>{escape(kind.idea)}</em><code>{escape(kind.formula)}</code>"
        f'<small><span class="{"needs" if kind.needs else ""}">{escape(needs)}</span>{paper}</small>'
    )
    return card_html("method", name, name == chosen, inside)


def picked(data: Any) -> str:
    """The method of a card that was pressed. Raises WorkbenchError where there is none of that name."""
    return picking.picked("method", data, {name_of(kind) for kind in METHODS})


def unmet(method: Method, pairs: str = "") -> str:
    """What a method still lacks, as one sentence, else "". `pairs`: the field that holds parallel text and dictionaries, where it is one."""
    missing = [knobs for need in method.needs for knobs in NEEDS[need] if not any(getattr(method, knob, "") for knob in knobs)]
    as_shown = {"multilingual": pairs, "dictionary": pairs} if pairs else {}
    fields = [" or ".join(title(as_shown.get(knob, knob)) for knob in knobs) for knobs in missing]
    return f"{name_of(type(method))} {said_needs(type(method))}; fill in {_listed(dict.fromkeys(fields))}." if missing else ""


def said_needs(kind: type[Method]) -> str:
    """ "needs a donor", or "" where it needs nothing."""
    return f"needs {_listed(SAID.get(need, need) for need in kind.needs)}" if kind.needs else ""


def _listed(words: Iterable[str]) -> str:
    words = list(words)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def donor(now: Chain) -> str:
    return DONORS.get(now.text, "")


# What the journey has for the needs. Where tokens are compared is the donor's own business for clp and omp, so they get no vectors.
SUGGEST = {
    "donor": donor,
    "salt.vectors": lambda c: c.text,
    "focus.vectors": lambda c: c.text,
    "source_vectors": lambda c: c.source_text,
    "target_vectors": lambda c: c.text,
    "multilingual": lambda c: c.pairs,
    "dictionary": lambda c: c.pairs,
}
