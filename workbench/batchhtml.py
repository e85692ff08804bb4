"""What a stage sees first, in HTML that the app and the notebooks share: documents as chips, what is learnt and what is only read told apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import chiphtml

if TYPE_CHECKING:
    from .training import Batch, Seen

NAMED = re.compile(r"<[^<>]*>|⟨[^⟩]*⟩")
SHOWN, EACH, CHIPS = 12, 2, 160  # documents, of each block, and chips of each
LEGEND = (
    f"{chiphtml.plain('learnt', 'learnt')} is predicted, and counts in the loss; {chiphtml.plain('read', 'given')} is only read. "
    "Documents lie packed beside each other in a block, and none sees another."
)


def batch_html(batch: Batch) -> str:
    """The first documents of each block of a batch: a block is of one text, so that all texts of a mixture are seen."""
    shown = first_of_each(batch)
    more = len(batch.documents) - len(shown)
    rest = f'<div class="note">{more:,} more documents of this batch are not shown.</div>' if more > 0 else ""
    return f'<p class="small">{LEGEND}</p>{"".join(document_html(seen) for seen in shown)}{rest}'


def first_of_each(batch: Batch) -> list[Seen]:
    """Some documents, the first two of each block."""
    counts: dict[int, int] = {}
    found = []
    for seen in batch.documents:
        counts[seen.block] = counts.get(seen.block, 0) + 1
        if counts[seen.block] <= EACH:
            found.append(seen)
    return found[:SHOWN]


def document_html(seen: Seen) -> str:
    """One document: which block, how much of it counts, and its tokens in their direction."""
    cells = "".join(
        chiphtml.plain(token, "learnt" if learnt else "given", about=f"id {i} · {'learnt' if learnt else 'only read'}")
        for token, i, learnt in zip(seen.tokens[:CHIPS], seen.ids, seen.learnt, strict=False)
    )
    more = f"<small>… {len(seen.ids) - CHIPS:,} more</small>" if len(seen.ids) > CHIPS else ""
    head = f"<h5>Block {seen.block + 1} <span>{len(seen.ids):,} tokens, {sum(seen.learnt):,} learnt</span></h5>"
    return f'<div class="chip-row">{head}<div class="chips" dir="{chiphtml.direction(written(seen))}">{cells}</div>{more}</div>'


def written(seen: Seen) -> str:
    """The text whose direction counts: what is learnt, without special tokens and bytes, which are named in Latin letters in every language."""
    return NAMED.sub("", "".join(token for token, learnt in zip(seen.tokens, seen.learnt, strict=True) if learnt)) or NAMED.sub("", seen.text)
