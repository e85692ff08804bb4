"""Make a tokenizer: one form for each way there is, and the report of what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from ... import refs, steps, store
from ...errors import WorkbenchError
from ..chain import Chain
from ..chips import compared
from ..forms import Form
from ..messages import empty, guarded, notes, numbers
from ..panel import JobPanel, Snapshot, recent
from ..shell import Shell
from ..tables import Table

DEMO_TOKENS = 1_000  # the demo world has hardly more words
DEMO_SIZE = 2_000
TOKENS = 3_000  # of the list of new tokens


@dataclass(frozen=True)
class Way:
    """One way to make a tokenizer, and how the page calls it."""

    command: str
    tab: str
    button: str
    about: str
    suggest: Mapping[str, Callable[[Chain], Any]] = field(default_factory=dict)


def _both(now: Chain) -> list[str]:
    """A vocabulary that replaces the old one must serve both languages."""
    return [text for text in (now.text, now.source_text) if text]


WAYS = (
    Way("tokenizer.extend", "Extend", "Extend the tokenizer", "New tokens behind all old ones: no old id moves, and other scripts are cut as before."),
    Way(
        "tokenizer.train", "Train", "Train a tokenizer", "A vocabulary of its own, BPE or Unigram, with the base's special tokens: it replaces the old one.",
        {"text": _both, "vocab_size": lambda c: DEMO_SIZE if c.source.startswith("demo:") else None},
    ),
    Way(
        "tokenizer.optimize", "Optimise", "Prune and extend", "First the least used tokens go, then new ones come: the table need not grow.",
        {"reference": _both},
    ),
)  # fmt: skip
FIRST = ("base", "text", "new_tokens", "script")
HEAD = ("kept", "new", "dropped", "dead")
NAMES = {
    "letters": "of them single letters", "between": "of them needed in between", "distinct": "distinct words", "rows_before": "table rows before",
    "rows_after": "table rows after",
}  # fmt: skip
NOTHING = "No tokenizer has been made yet. Load the demo on the left and press the button above: a few seconds."


def build(shell: Shell) -> None:
    suggest = {
        "base": lambda c: c.source,
        "text": lambda c: c.text,
        "reference": lambda c: c.source_text,
        "script": lambda c: c.script,
        "new_tokens": lambda c: DEMO_TOKENS if c.source.startswith("demo:") else None,
    }
    panels: list[JobPanel] = []
    with gr.Tabs(elem_id="make-tokenizer"):
        for way in ways():
            with gr.Tab(way.tab, id=way.command):
                gr.Markdown(way.about, elem_classes="quiet-text")
                form = Form(steps.find(way.command), suggest | dict(way.suggest), first=FIRST)
                panels.append(JobPanel(shell, form, way.button))
    result = gr.HTML(empty(NOTHING), elem_id="tokenizer-result")
    with gr.Row():
        with gr.Column(min_width=360):
            listed = Table("New tokens, in the order of their ids", "new-tokens")
        with gr.Column(min_width=300):
            rejected = Table("Not added, and why", "rejected", 300)

    def finished() -> list[Any]:
        shot = newest()
        if shot is None:
            return [gr.skip()] * 5
        metrics = shot.result["metrics"]
        return [report_html(shot), *listed.update(new_tokens(shot.result["id"])), *rejected.update(rejections(metrics))]

    for panel in panels:
        panel.finished.change(guarded(finished), None, [result, *listed.parts, *rejected.parts], **shell.quiet)


def ways() -> list[Way]:
    return [way for way in WAYS if way.command in steps.menu()]


def newest() -> Snapshot | None:
    """The last job that made a tokenizer which is still there."""
    done = recent(tuple(way.command for way in WAYS))
    return next((s for s in done if s.state == "done" and s.result and (store.folder() / s.result["id"]).exists()), None)


def report_html(shot: Snapshot) -> str:
    """What was kept and made, what nothing reaches (none, it is hoped), and how much of the base's languages is cut otherwise."""
    metrics = shot.result["metrics"]
    plain = {k: v for k, v in metrics.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
    ordered = {NAMES.get(k, k): plain[k] for k in (*HEAD, *plain) if k in plain and k != "resplit"}
    lines, share = [], metrics.get("resplit")
    if share is not None and not isinstance(share, dict):
        said = f"{share:.2%} of the words of the base's languages are cut otherwise than before"
        examples = ", ".join(map(str, metrics.get("resplit_examples") or ()))
        lines.append(f"{said}{f', for example {examples}' if examples else ''}.")
    head = f'<p class="small">Report of {refs.label(shot.result["id"])}</p>'
    bad = [f"{metrics['dead']:,} new tokens cannot be reached by any text."] if metrics.get("dead") else []
    return head + numbers(ordered) + notes(lines, "good") + notes(bad) + notes([str(w) for w in metrics.get("warnings", [])])


def rejections(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    examples = metrics.get("examples") or {}
    return [{"reason": reason, "count": count, "examples": list(examples.get(reason, ()))} for reason, count in (metrics.get("rejected") or {}).items()]


def new_tokens(reference: str) -> list[dict[str, Any]]:
    """What the tokenizer has that its base does not."""
    base = base_of(reference)
    if not base:
        return []
    rows, _ = compared(reference, base).rows(state="new", limit=TOKENS)
    return [{"id": row["id"], "token": row["token"], "bytes": row["bytes"], "script": row["script"]} for row in rows]


def base_of(reference: str | None) -> str:
    """The tokenizer that this one was made from; of a transferred model, the model's. "" where that is not known."""
    try:
        spec = store.open_artefact(reference).manifest["spec"] if reference and store.ID.fullmatch(reference) else {}
    except WorkbenchError:
        spec = {}
    return spec.get("base") or (spec.get("model") if spec.get("step") == "transfer" else "") or ""
