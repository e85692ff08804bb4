"""Votes: what all votes so far add up to."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import chat as core
from ... import plots
from ..messages import empty, guarded
from ..shell import Shell
from ..tables import Table, drawn, figure

ABOUT = "Each row is a pair of models, told apart by their weights. The win rate leaves ties out; its 95 % interval is Wilson's. Blind votes stand apart."
NOTHING = "No vote has been cast yet. Under Talk, ask two models something, and press which reply is better. “Blind” hides which is which."


def build(shell: Shell, opened: Any) -> None:
    """`opened`: the event after which the votes are counted anew."""
    gr.Markdown(ABOUT, elem_classes="quiet-text")
    said = gr.HTML(empty(NOTHING), elem_id="votes-summary")
    chart, table = figure(), Table("Votes by pair", "votes")
    button = gr.Button("Count again", size="sm", scale=0, min_width=130, elem_id="count-votes")
    gr.on([opened, button.click], guarded(count), None, [said, chart, *table.parts], **shell.quiet)


def count() -> list[Any]:
    rows = core.tally()
    if not rows:
        return [empty(NOTHING), drawn(None), *Table.update([])]
    decided = [{"name": _named(row), "value": row["win_rate_of_first"], "low": row["low"], "high": row["high"]} for row in rows if row["low"] is not None]
    chart = plots.bars(decided, "value", title="Share of decided votes for the first (half is no difference)") if decided else None
    return ["", drawn(chart), *Table.update(rows)]


def _named(row: dict[str, Any]) -> str:
    return f"{row['first']} against {row['second']}{' (blind)' if row['blind'] else ''}"
