"""What a transfer would keep, make and drop, asked before it is run."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import specs, steps, store, transferplots
from ..forms import Form, code_of
from ..messages import guarded, notes, numbers
from ..shell import Shell, code_block, code_html
from ..tables import Table, drawn, figure
from ..tokens.vocabulary import overlap_html

STATES = ("kept", "new", "dropped")
RULES = {"nfc": "after Unicode composition (NFC)", "nfkc": "after NFKC", "case": "with case ignored", "word_start": "with the word start ignored"}


def build(shell: Shell, form: Form) -> None:
    """A button and, below it, what it found for what `form` is set to."""
    with gr.Row(elem_classes="run-row"):
        ask = gr.Button("Preview: what would be kept, made and dropped", size="md", scale=0, min_width=380, elem_id="preview-transfer")
    code = code_block()
    said = gr.HTML("", elem_id="preview-result")
    with gr.Row():
        with gr.Column(min_width=340):
            chart = figure()
        with gr.Column(min_width=340):
            by_kind = Table("Rows by kind", "rows-by-kind", 240)
            by_script = Table("Rows by script", "rows-by-script", 320)
    collisions = Table("Tokens that stand for the same bytes as another of their vocabulary", "collisions", 240)
    # The preview's own knobs are among the form's: it is asked about the same model and tokenizer.
    asked = [f for f in form.fields if not f.knob.variant and f.knob.name in steps.find("transfer.preview").model_fields]

    def look(*values: Any) -> list[Any]:
        given = {f.knob.name: value for f, value in zip(asked, values, strict=True) if value not in (None, "", [])}
        step = specs.build(steps.find("transfer.preview"), given)
        metrics = store.run(step).metrics
        scripts = metrics.get("by_script", [])
        return [
            preview_html(metrics), code_html(code_of(step)), drawn(transferplots.rows_by(scripts, "script") if scripts else None),
            *by_kind.update(metrics.get("by_kind", [])), *by_script.update(scripts), *collisions.update(metrics.get("collisions", [])),
        ]  # fmt: skip

    shell.gather(
        ask.click, guarded(look), [f.component for f in asked], [said, code, chart, *by_kind.parts, *by_script.parts, *collisions.parts],
        show_progress="minimal", show_progress_on=said, api_visibility="private",
    )  # fmt: skip


def preview_html(metrics: dict[str, Any]) -> str:
    """Rows as a bar, what the tables cost, and what to beware of."""
    figures = {
        "shared text tokens to lean on": metrics.get("anchors"), "rows of a table": arrow(metrics, "rows"),
        "tables in memory": arrow(metrics, "table_bytes", size),
        "on disk": size(metrics["disk_bytes"]) if metrics.get("disk_bytes") is not None else None,
        "ids that share their bytes": total(metrics.get("collision_counts")),
    }  # fmt: skip
    said = [str(change) for change in metrics.get("changes", [])]
    rules = metrics.get("by_rule") or {}
    said += [f"{count:,} more tokens are matched {RULES.get(rule, rule)}." for rule, count in rules.items() if count and rule != "exact"]
    kinds = {"byte": "byte pieces", "special": "special tokens", "text": "text"}
    shared = {kinds.get(kind, kind): count for kind, count in (metrics.get("overlap") or {}).items()}
    if shared:
        said.append(f"Shared: {', '.join(f'{count:,} {name}' for name, count in shared.items())}.")
    bar = overlap_html({state: metrics[state] for state in STATES if state in metrics})
    return bar + numbers(figures) + notes(said, "good") + notes(metrics.get("warnings", []))


def arrow(metrics: dict[str, Any], name: str, say: Any = "{:,}".format) -> str | None:
    """Before and after, where both are told."""
    before, after = metrics.get(f"{name}_before"), metrics.get(f"{name}_after")
    return None if before is None or after is None else f"{say(before)} → {say(after)}"


def size(count: float) -> str:
    """Bytes as people say them."""
    for unit, power in (("GiB", 30), ("MiB", 20)):
        if count >= 2**power:
            return f"{count / 2**power:,.1f} {unit}"
    return f"{count / 2**10:,.0f} KiB"


def total(counts: dict[str, int] | None) -> int | None:
    return sum(counts.values()) if counts else None
