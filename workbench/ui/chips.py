"""Tokens as chips: every text escaped, colour and border both, a partial character as its bytes."""

from __future__ import annotations

import html
from functools import lru_cache
from typing import Any

from ..tokenizer import chips, load
from .messages import notes

SHOWN = 400  # chips of a row
COLOURS = 4


def row_html(title: str, reference: str, text: str, base: str | None = None) -> str:
    """One tokenizer's row: its name, how many tokens, and the chips. Tokens that `base` lacks are marked as new."""
    tokenizer = _opened(reference)
    found = chips(tokenizer, text)
    known = _tokens(base) if base else None
    names = tokenizer.convert_ids_to_tokens([c.id for c in found])
    cells = "".join(chip_html(c, i, known is not None and n not in known) for i, (c, n) in enumerate(zip(found[:SHOWN], names, strict=False)))
    per_word = f", {len(found) / len(text.split()):.2f} per word" if text.split() else ""
    said = f"{len(found):,} tokens{per_word}"
    more = notes([f"Only the first {SHOWN} of {len(found):,} tokens are shown."]) if len(found) > SHOWN else ""
    return f'<div class="chip-row"><h5>{html.escape(title)} <span>{said}</span></h5><div class="chips" dir="auto">{cells}</div>{more}</div>'


def chip_html(chip: Any, number: int, new: bool = False) -> str:
    kind = {"byte": "bytes", "special": "special"}.get(chip.kind, "")
    partial = "bytes" if "⟨" in chip.shown else ""
    classes = " ".join(filter(None, ("chip", f"c{number % COLOURS}", kind or partial, "new" if new else "")))
    escaped = html.escape(chip.shown).replace("␣", "<i>␣</i>").replace("⏎", "<i>⏎</i><br>")
    about = f"id {chip.id} · {chip.bytes.hex(' ')}" + (" · new" if new else "")
    return f'<span class="{classes}" title="{html.escape(about)}"><bdi>{escaped or "∅"}</bdi></span>'


@lru_cache(maxsize=8)
def _opened(reference: str) -> Any:
    return load(reference)


@lru_cache(maxsize=8)
def _tokens(reference: str) -> frozenset[str]:
    return frozenset(_opened(reference).get_vocab())
