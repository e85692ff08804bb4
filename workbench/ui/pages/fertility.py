"""Fertility: what the same text costs in tokens under several tokenizers, and what more vocabulary would buy."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import plots, refs, steps
from ..chain import Chain
from ..forms import Form
from ..messages import empty, guarded, notes, numbers
from ..panel import JobPanel, metrics_of
from ..shell import Shell
from ..tables import Table, drawn, figure
from ..tokens.make import DEMO_TOKENS

NAME = "Fertility"
ABOUT = "Tokens per word: the price of a language under a tokenizer. Fewer tokens mean faster and cheaper text, and more of it in one context window."
COLUMNS = (
    "tokenizer", "text", "tokens_per_word", "low", "high", "unknown_rate", "byte_fallback_rate", "tokens_per_whitespace_word", "bytes_per_token",
    "bytes_per_token_low", "bytes_per_token_high", "chars_per_token", "parity", "parity_low", "parity_high", "nsl", "continued_words", "p95", "max", "strr",
    "utilisation", "utilisation_new", "renyi", "tokens", "words", "segmenter",
)  # fmt: skip
KINDS = ("tokens per word", "bytes per token", "characters per token", "script of tokens", "script of vocabulary")
NOTHING = "Nothing is measured yet. Load the demo on the left, extend a tokenizer, and press “Measure fertility” to see what it saves."
NO_SWEEP = "How many tokens are worth their rows? Load the demo on the left and press “Sweep vocabulary sizes”: the curve shows where more stop to pay."
CHARTS = 4


def build(shell: Shell) -> None:
    _measured(shell)
    gr.Markdown("### Vocabulary size\nWhat each number of new tokens saves, and what its rows cost.", elem_classes="section")
    _swept(shell)


def _measured(shell: Shell) -> None:
    suggest = {
        "tokenizers": lambda c: [c.source, c.tokenizer],
        "text": lambda c: [c.text, c.source_text],
        "parallel": lambda c: c.pairs,
    }
    form = Form(steps.find("fertility"), suggest)
    panel = JobPanel(shell, form, "Measure fertility")
    said = gr.HTML(empty(NOTHING), elem_id="fertility-note")
    charts = [figure() for _ in range(CHARTS)]
    table = Table("Fertility, 95 % intervals over documents", "fertility")
    so_what = Table("So what: the same text in a model", "consequences")
    parity, parities = figure(), Table("Parity by language, 95 % intervals over pairs", "parity", 320)
    with gr.Column(visible=False) as distributions:
        with gr.Row():
            kind = gr.Radio(KINDS, value=KINDS[0], label="Histogram", info="What is counted.", scale=3, elem_id="histogram-kind")
            text = gr.Dropdown([], label="Text", info="On which text.", scale=1, elem_id="histogram-text")
        chart = figure(visible=True)
    worst = Table("Words cut into most tokens", "worst-words", 320)
    by_script = Table("By script", "fertility-by-script", 320)

    def show(job: str) -> list[Any]:
        metrics = metrics_of(job, "fertility")
        rows = named(metrics, "rows")
        drawings = per_text(rows)[:CHARTS]
        drawings += [None] * (CHARTS - len(drawings))
        texts = list(dict.fromkeys(row["text"] for row in named(metrics, "histograms")))
        across = metrics.get("parities", [])
        return [
            notes(consequences(named(metrics, "consequences")), "good") + notes(metrics.get("notes", [])),
            *map(drawn, drawings),
            *table.update([{key: row[key] for key in COLUMNS if key in row} for row in rows]),
            *so_what.update(named(metrics, "consequences")),
            drawn(plots.parity(named(metrics, "parities")) if across else None),
            *parities.update([{k: v for k, v in row.items() if k != "text"} for row in named(metrics, "parities")]),
            gr.update(visible=bool(texts)),
            gr.update(choices=texts, value=texts[0] if texts else None),
            drawn(plots.histogram(named(metrics, "histograms"), KINDS[0], texts[0]) if texts else None),
            gr.update(value=KINDS[0]),
            *worst.update(named(metrics, "worst_words")),
            *by_script.update(named(metrics, "by_script")),
        ]

    def choose(job: str, kind: str, text: str | None) -> Any:
        rows = [row for row in named(metrics_of(job, "fertility"), "histograms") if row["histogram"] == kind and row["text"] == text]
        return drawn(plots.histogram(rows, kind, text or "") if rows else None)

    shown = [
        said, *charts, *table.parts, *so_what.parts, parity, *parities.parts, distributions, text, chart, kind, *worst.parts, *by_script.parts,
    ]  # fmt: skip
    panel.finished.change(guarded(show), panel.finished, shown, **shell.quiet)
    shell.gather([kind.input, text.input], guarded(choose), [panel.finished, kind, text], chart, trigger_mode="always_last", **shell.quiet)


def _swept(shell: Shell) -> None:
    suggest = {
        "base": lambda c: c.source,
        "text": lambda c: c.text,
        "script": lambda c: c.script,
        "new_tokens": demo_tokens,
    }
    form = Form(steps.find("fertility.sweep"), suggest, first=("base", "text", "new_tokens", "script"))
    panel = JobPanel(shell, form, "Sweep vocabulary sizes")
    said = gr.HTML(empty(NO_SWEEP), elem_id="sweep-note")
    curve = figure()
    table = Table("Cost by vocabulary size", "vocabulary-sizes")

    def show(job: str) -> list[Any]:
        metrics = metrics_of(job, "fertility.sweep")
        knee = metrics.get("knee")
        cards = {"new tokens at the knee": knee["new"], "tokens per word": knee["tokens_per_word"], "MB of tables": knee["table_mb"]} if knee else {}
        rows = metrics.get("rows", [])
        return [
            (numbers(cards) if cards else "") + notes(metrics.get("notes", [])),
            drawn(plots.sweep(rows, knee) if rows else None),
            *table.update(rows),
        ]

    panel.finished.change(guarded(show), panel.finished, [said, curve, *table.parts], **shell.quiet)


def demo_tokens(chain: Chain) -> int | None:
    return DEMO_TOKENS if chain.source.startswith("demo:") else None


def named(metrics: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Rows of a result, artefacts by the names they have now."""
    return [row | {column: refs.label(str(row[column])) for column in ("tokenizer", "text") if row.get(column)} for row in metrics.get(key, [])]


def per_text(rows: list[dict[str, Any]]) -> list[Any]:
    """One figure a text; tokens per word where the script has words, else bytes per token."""
    texts = list(dict.fromkeys(row["text"] for row in rows))
    return [plots.fertility([row for row in rows if row["text"] == text], text) for text in texts]


def consequences(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence on each text, from the costliest and the cheapest tokenizer."""
    said = []
    for text in dict.fromkeys(row["text"] for row in rows):
        here = [row for row in rows if row["text"] == text and row["characters_per_window"]]
        if len(here) < 2:
            continue
        most, least = min(here, key=lambda r: r["times_the_text"] or 0), max(here, key=lambda r: r["times_the_text"] or 0)
        ratio = (least["times_the_text"] or 1) / (most["times_the_text"] or 1)
        if ratio < 1.005:
            said.append(f"For {text}, all tokenizers need the same number of tokens.")
            continue
        shares = [f"{100 * row['window_share']:.0f} %" for row in (least, most) if row["window_share"]]
        words = f" (1,000 words take {shares[0]} of {least['context']:,} tokens instead of {shares[1]})" if shares else ""
        more = least["table_mb"] - most["table_mb"]
        said.append(
            f"For {text}, {least['tokenizer']} needs {ratio:.1f} times fewer tokens than {most['tokenizer']}: a context window takes {ratio:.1f} times as much "
            f"text, and {ratio:.1f} times as much is written in the same time{words}; its tables, at {least['width']:,} numbers a vector, take "
            f"{abs(more):,.0f} MB {'more' if more >= 0 else 'less'}."
        )
    return said
