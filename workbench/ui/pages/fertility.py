"""Fertility: what the same text costs in tokens under several tokenizers."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import plots, refs, steps
from ..forms import Form
from ..messages import empty, guarded, notes
from ..panel import JobPanel, recent
from ..shell import Shell
from ..tables import Table, drawn, figure

NAME = "Fertility"
ABOUT = "Tokens per word: the price of a language under a tokenizer. Fewer tokens mean faster and cheaper text, and more of it in one context window."
COLUMNS = (
    "tokenizer", "text", "tokens_per_word", "low", "high", "bytes_per_token", "parity", "continued_words", "p95", "max", "strr",
    "byte_fallback_rate", "unknown_rate", "utilisation", "renyi", "tokens", "words",
)  # fmt: skip


def build(shell: Shell) -> None:
    suggest = {
        "tokenizers": lambda c: [c.source, c.tokenizer],
        "text": lambda c: [c.text, c.source_text],
        "parallel": lambda c: c.pairs,
    }
    form = Form(steps.find("fertility"), suggest)
    panel = JobPanel(shell, form, "Measure fertility")
    nothing = gr.HTML(
        empty("Nothing is measured yet. Load the demo on the left, extend a tokenizer, and press “Measure fertility” to see what it saves."),
        elem_id="fertility-note",
    )
    charts = [figure() for _ in range(3)]
    table = Table("Fertility, 95 % intervals over documents", "fertility")
    with gr.Row():
        with gr.Column(min_width=360):
            worst = Table("Words cut into most tokens", "worst-words", 320)
        with gr.Column(min_width=360):
            by_script = Table("By script", "fertility-by-script", 320)

    def show(job: str) -> list[Any]:
        found = next((s for s in recent(("fertility",)) if s.id == job), None)
        metrics = found.result["metrics"] if found and found.result else {}
        rows = [named({key: row.get(key) for key in COLUMNS if key in row}) for row in metrics.get("rows", [])]
        drawings = per_text(rows)[: len(charts)]
        drawings += [None] * (len(charts) - len(drawings))
        others = [[named(row) for row in metrics.get(key, [])] for key in ("worst_words", "by_script")]
        said = so_what(rows)
        return [
            said + notes(metrics.get("notes", []), "good"),
            *map(drawn, drawings),
            *table.update(rows),
            *worst.update(others[0]),
            *by_script.update(others[1]),
        ]

    panel.finished.change(
        guarded(show), panel.finished, [nothing, *charts, *table.parts, *worst.parts, *by_script.parts], **shell.quiet
    )  # fmt: skip


def named(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"tokenizer": refs.label(str(row["tokenizer"]))} if "tokenizer" in row else row


def per_text(rows: list[dict[str, Any]]) -> list[Any]:
    """One figure a text; tokens per word where the script has words, else bytes per token."""
    texts = list(dict.fromkeys(row["text"] for row in rows))
    return [plots.fertility([row for row in rows if row["text"] == text], text) for text in texts]


def so_what(rows: list[dict[str, Any]]) -> str:
    """The consequence in one sentence, from the costliest and the cheapest tokenizer on the first text."""
    first = [row for row in rows if row["text"] == rows[0]["text"] and row.get("tokens")] if rows else []
    if len(first) < 2:
        return ""
    most, least = max(first, key=lambda r: r["tokens"]), min(first, key=lambda r: r["tokens"])
    if most["tokens"] == least["tokens"]:
        return notes([f"All tokenizers need the same number of tokens for {first[0]['text']}."], "good")
    ratio = most["tokens"] / least["tokens"]
    few, many, text = least["tokenizer"], most["tokenizer"], first[0]["text"]
    said = f"For {text}, {few} needs {ratio:.1f} times fewer tokens than {many}: a context window takes {ratio:.1f} times as much text."
    return notes([said], "good")
