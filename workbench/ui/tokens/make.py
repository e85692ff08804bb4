"""Make a tokenizer: one form for each way there is, and the report of what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from ... import steps, store
from ...errors import WorkbenchError
from ..chain import Chain
from ..chips import compared
from ..forms import Form
from ..messages import empty, guarded
from ..panel import JobPanel, Snapshot, recent
from ..shell import Shell
from ..tables import Table
from .report import rejections, report_html

DEMO_TOKENS = 2_000  # the demo world has hardly more words
DEMO_SIZE = 2_000
DEMO_SWAPPED = 768  # half of the demo's tokens stay unless `keep` says otherwise; with as many new ones the table is as large as before
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
        "tokenizer.optimize", "Optimise", "Prune and extend",
        "First the least used tokens go, then new ones come: where no more come than went, the table does not grow.",
        {"reference": _both, "new_tokens": lambda c: DEMO_SWAPPED if c.source.startswith("demo:") else None},
    ),
)  # fmt: skip
FIRST = ("base", "text", "new_tokens", "script")
NOTHING = "No tokenizer has been made this way yet. Load the demo on the left and press the button above: a few seconds."


def build(shell: Shell) -> None:
    suggest = {
        "base": lambda c: c.source,
        "text": lambda c: c.text,
        "reference": lambda c: c.source_text,
        "script": lambda c: c.script,
        "new_tokens": lambda c: DEMO_TOKENS if c.source.startswith("demo:") else None,
    }
    panels: list[JobPanel] = []
    tabs: list[gr.Tab] = []
    with gr.Tabs(elem_id="make-tokenizer"):
        for way in ways():
            with gr.Tab(way.tab, id=way.command) as tab:
                gr.Markdown(way.about, elem_classes="quiet-text")
                form = Form(steps.find(way.command), suggest | dict(way.suggest), first=FIRST)
                panels.append(JobPanel(shell, form, way.button))
            tabs.append(tab)
    shown = gr.State(WAYS[0].command)  # the way whose tab is open: the report below is of it
    result = gr.HTML(empty(NOTHING), elem_id="tokenizer-result")
    with gr.Row():
        with gr.Column(min_width=360):
            listed = Table("New tokens, in the order of their ids", "new-tokens")
        with gr.Column(min_width=300):
            rejected = Table("Not added, and why", "rejected", 300)

    def report(command: str) -> list[Any]:
        shot = newest(command)
        if shot is None:
            return [empty(NOTHING), *listed.update([]), *rejected.update([])]
        return [report_html(shot), *listed.update(new_tokens(shot.result["id"])), *rejected.update(rejections(shot.result["metrics"]))]

    parts = [result, *listed.parts, *rejected.parts]
    for way, tab, panel in zip(ways(), tabs, panels, strict=True):
        panel.finished.change(guarded(report), shown, parts, **shell.quiet)
        tab.select(guarded(lambda command=way.command: [command, *report(command)]), None, [shown, *parts], **shell.quiet)


def ways() -> list[Way]:
    return [way for way in WAYS if way.command in steps.menu()]


def newest(command: str) -> Snapshot | None:
    """The last job that made a tokenizer by this step which is still there."""
    done = recent((command,))
    return next((s for s in done if s.state == "done" and s.result and (store.folder() / s.result["id"]).exists()), None)


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
