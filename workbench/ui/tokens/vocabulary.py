"""Vocabulary: search the tokens of one tokenizer, and see which another one has too."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from ... import refs
from ...corpus.scripts import SCRIPTS
from ...errors import WorkbenchError
from ..chips import CLICK, asked, compared, life_html
from ..messages import empty, guarded
from ..shell import Shell, code_block, code_html
from ..tables import Table
from .following import follow, latest, once_open, picker, waiting

PAGE = 200
NOTHING = "Choose a tokenizer, or load the demo on the left, to see its tokens."
STATES = ("all", "kept", "new", "dropped")


def build(shell: Shell) -> None:
    gr.Markdown(
        "Tokens are the same where they stand for the same bytes, in whatever alphabet and at whatever id. Click a row for the token's story.",
        elem_classes="quiet-text",
    )
    with gr.Row():
        one = picker("Tokenizer", "Whose tokens to list.", "vocabulary-one")
        other = picker("Compared with", "What it was before, or any other; empty: with nothing.", "vocabulary-other")
    with gr.Row():
        about = {
            "search": "Text (a space first: at a word's start) or #id.",
            "state": "Kept: in both. New: only here. Dropped: only there.",
        }
        search = gr.Textbox(label="Search", info=about["search"], elem_id="vocabulary-search", max_length=80, scale=2, min_width=180)
        state = gr.Radio(STATES, value="all", label="Show", info=about["state"], elem_id="vocabulary-state", scale=4, min_width=400)
        script = gr.Dropdown(
            ["any", *SCRIPTS, "Other"], value="any", label="Script", info="Of some letter.", elem_id="vocabulary-script", scale=2, min_width=130
        )
        page = gr.Number(1, minimum=1, precision=0, label="Page", info=f"{PAGE} each.", elem_id="vocabulary-page", min_width=90, scale=0)
    code = code_block()
    summary = gr.HTML(empty(NOTHING), elem_id="vocabulary-summary")
    table = Table("Tokens", "vocabulary", 460)
    life = gr.HTML("", elem_id="vocabulary-life", js_on_load=CLICK)
    shown = gr.State([])  # whose token the biography is of, and against which

    def look(*given: Any) -> list[Any]:
        said, rows, shown = listing(*given)
        return [said, shown, *table.update(rows)]

    def first(*given: Any) -> list[Any]:
        return [1, *look(*given, 1)]

    def pick(reference: str, against: str | None, event: gr.SelectData) -> list[Any]:
        row = event.row_value or []
        here = str(row[2]).isdecimal() if len(row) > 3 else False
        if len(row) < 4 or not (here or against):
            raise WorkbenchError("That row is no longer shown; click it once more.")
        about = [reference, against] if here else [against, None]
        return [life_html(about[0], int(row[2] if here else row[3]), about[1]), about]

    def relative(about: list[Any], event: gr.EventData) -> str:
        return life_html(*asked(event._data, about[:1]), about[1])

    follow(shell, one, latest)
    follow(shell, other, lambda now: now.source if now.tokenizer else "")
    filters = [one, other, search, state, script]
    seen = [summary, code, *table.parts]
    live = {"trigger_mode": "always_last", "concurrency_limit": 2}
    # A change of the filter goes back to the first page.
    changes = [c.change for c in (search, state, script)] + [once_open(shell, [one, other], listing, summary).change]
    shell.gather(changes, guarded(first), filters, [page, *seen], **live, **shell.quiet)
    shell.gather(page.input, guarded(look), [*filters, page], seen, **live, **shell.quiet)
    table.frame.select(guarded(pick), [one, other], [life, shown], **waiting(shell, life))
    life.click(guarded(relative), shown, life, **shell.quiet)


def listing(
    one: str | None, other: str | None, search: str = "", state: str = "all", script: str = "any", page: float | None = 1
) -> tuple[str, list[dict[str, Any]], str]:
    """(summary, rows of one page, code). Without a tokenizer to compare with, every token is there, and none is kept or new."""
    if not one:
        return empty(NOTHING), [], ""
    alone = not other or other == one
    found = compared(one, one if alone else other)
    number = max(int(page or 1), 1)
    wanted = None if state == "all" or alone else state
    rows, count = found.rows(search or "", wanted, "" if script == "any" else script, PAGE * (number - 1), PAGE)
    if alone:
        rows = [row | {"state": "–", "id_before": None} for row in rows]
    pages = max(-(-count // PAGE), 1)
    bar = "" if alone else overlap_html(found.counts)
    names = f"{refs.label(one)}" + ("" if alone else f" beside {refs.label(other)}")
    said = f'<p class="small">{html.escape(names)}: {count:,} tokens fit, page {number:,} of {pages:,}.</p>'
    call = f"wb.tokenizer.compare({one!r}, {(one if alone else other)!r})"
    return bar + said, rows, code_html(f"import workbench as wb\n\nrows, count = {call}.rows({search or ''!r}, state={wanted!r})\nwb.widgets.table(rows)")


def overlap_html(counts: dict[str, int]) -> str:
    """Kept, new and dropped as one bar with its numbers."""
    total = max(sum(counts.values()), 1)
    parts = "".join(f'<i class="{name}" style="flex:{count}" title="{count:,} {name}"></i>' for name, count in counts.items() if count)
    words = "".join(f'<span class="{name}"><b>{count:,}</b> {name} ({count / total:.0%})</span>' for name, count in counts.items())
    return f'<div class="overlap"><div>{parts}</div><p>{words}</p></div>'
