"""Tokens as chips, in HTML that the app and the notebooks share: every text escaped, colour and border both, part of a character as its bytes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .corpus.scripts import script_shares, spaceless, words
from .tokenizer.alphabet import runs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from .tokenizer.inspection import Chip

SHOWN = 400  # chips of a row
COLOURS = 4
Under = Literal["", "ids", "bytes"]


@cache
def css() -> str:
    """The look of chips, traces and biographies. Colours are variables of the page with a value to fall back on."""
    return (Path(__file__).parent / "chips.css").read_text(encoding="utf-8")


def row(
    title: str, tokenizer: PreTrainedTokenizerFast, text: str, known: Collection[str] | None = None, under: Under = "", number: int | None = None
) -> str:  # fmt: skip
    """One tokenizer's row: its name, what the text costs, and the chips.

    `known`: tokens of another vocabulary, in its alphabet; those not among them are marked as new. `under`: what stands below each chip. `number`: the
    row's own, where a host lets its chips be clicked.
    """
    from .tokenizer.inspection import chips

    found = chips(tokenizer, text)
    names = tokenizer.convert_ids_to_tokens([c.id for c in found[:SHOWN]])
    cells = "".join(
        chip(c, i, known is not None and c.kind != "special" and name not in known, under, number is not None)
        for i, (c, name) in enumerate(zip(found, names, strict=False))
    )
    place = "" if number is None else f' data-row="{number}"'
    more = f'<div class="note">Only the first {SHOWN} of {len(found):,} tokens are shown.</div>' if len(found) > SHOWN else ""
    head = f"<h5><bdi>{escape(title)}</bdi> <span>{escape(cost(text, len(found)))}</span></h5>"
    return f'<div class="chip-row"{place}>{head}<div class="chips" dir="{direction(text)}">{cells}</div>{more}</div>'


def chip(token: Chip, number: int = 0, new: bool = False, under: Under = "", clickable: bool = False) -> str:
    """One chip; what it is stands in its tooltip too."""
    about = f"id {token.id} · bytes {token.bytes.hex(' ') or 'none'}" + (" · new" if new else "")
    below = {"": "", "ids": str(token.id), "bytes": token.bytes.hex(" ")}[under]
    made = plain(token.shown, kind_of(token.kind, token.bytes), number, new, about, below, token.id if clickable else None)
    return made + "<br>" * token.bytes.endswith(b"\n")


def plain(shown: str, kind: str = "", number: int | None = None, new: bool = False, about: str = "", below: str = "", click: int | None = None) -> str:
    """A chip of text that is safe to show already (see `alphabet.show`); `number` picks one of the colours, `click` is the id a click asks about."""
    classes = " ".join(filter(None, ("chip", "" if number is None else f"c{number % COLOURS}", kind, "new" if new else "")))
    says = "".join(f"<i>{c}</i>" if c in "␣⏎⇥␍" else escape(c) for c in shown) or "∅"
    asks = "" if click is None else f' data-id="{click}" role="button" tabindex="0"'
    title = f' title="{escape(about)}"' if about else ""
    return f'<span class="{classes}"{title}{asks}><bdi>{says}</bdi>{f"<small>{escape(below)}</small>" if below else ""}</span>'


def kind_of(kind: str, raw: bytes) -> str:
    """The class of a chip: "special", "bytes" where some byte is no whole character, else none."""
    return "special" if kind == "special" else "bytes" if kind == "byte" or any(rest for _, rest in runs(raw)) else ""


def cost(text: str, tokens: int) -> str:
    """How many tokens, and how many that is a word (where the script has words) and a byte."""
    said = [f"{tokens:,} token{'s' * (tokens != 1)}"]
    if (count := len(words(text))) and not spaceless(script_shares(Counter(text))):
        said.append(f"{tokens / count:.2f} per word")
    if tokens:
        said.append(f"{len(text.encode('utf-8', 'replace')) / tokens:.1f} bytes per token")
    return ", ".join(said)


def direction(texts: str | Iterable[str]) -> Literal["ltr", "rtl"]:
    """By the first letter with a direction, as Unicode has it (UAX 9, P2); `dir="auto"` cannot see it, because each chip is isolated."""
    for character in "".join(texts):
        if (kind := unicodedata.bidirectional(character)) in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"
