"""Start: the journey, the demo in one click, what was made lately, and whether this machine is ready."""

from __future__ import annotations

import html
import shutil
import time
from typing import Any

import gradio as gr

from ... import artefacts, devices, plots, refs, steps, store
from .. import chain
from ..forms import Form
from ..messages import empty
from ..panel import JobPanel, recent
from ..shell import Shell
from ..tables import Table, drawn, figure

NAME = "Start"
ABOUT = "Teach a language model a new language, step by step: see what each step changes, and compare the result with the original."

STAGES = (
    ("text", "Corpus", "corpus", "text of the new language"),
    ("tokenizer", "Tokenizer", "tokenizer", "add tokens for it"),
    ("transfer", "Transfer", "transfer", "fill the new vectors"),
    ("trained", "Training", "training", "align them on text"),
    ("lep", "LEP", "transfer", "carry over to the chat model"),
    ("chat", "Chat", "chat", "compare side by side"),
)
GO = """element.addEventListener('click', (event) => {
  const card = event.target.closest('[data-page]');
  if (card) trigger('click', { page: card.dataset.page });
});"""


def build(shell: Shell) -> None:
    journey = gr.HTML(journey_html(), js_on_load=GO, elem_id="journey")
    gr.Markdown(
        "### The whole demo in one click\nFrom an English model to one that reads and answers in Russian, with models that come with the workbench.",
        elem_classes="section",
    )
    with gr.Accordion("Change a knob of the demo", open=False, render=False) as knobs:
        form = Form(steps.find("recipe"))
    panel = JobPanel(shell, form, "Run the whole demo")
    knobs.render()
    replies = gr.HTML("", elem_id="demo-replies")
    with gr.Row():
        with gr.Column(min_width=380):
            chart = figure()
        with gr.Column(min_width=380):
            table = Table("Before and after", "demo")
    with gr.Row():
        with gr.Column(scale=3, min_width=420):
            gr.Markdown("### Made lately", elem_classes="section")
            nothing = gr.HTML(empty("Nothing has been made yet: load the demo on the left and go through the tabs, or run the whole demo above."))
            made = Table("Recent artefacts", "artefacts", 300)
        with gr.Column(scale=2, min_width=300):
            gr.Markdown("### This machine", elem_classes="section")
            machine = gr.HTML("")

    def go(event: gr.EventData) -> Any:
        page = str((event._data or {}).get("page", ""))
        return gr.Tabs(selected=page) if page in {s[2] for s in STAGES} else gr.skip()

    def renew() -> list[Any]:
        rows = [lately(a) for a in store.artefacts()[:8]]
        return [journey_html(), gr.update(visible=not rows), environment_html(), *made.update(rows)]

    def show(job: str) -> list[Any]:
        found = next((s for s in recent(("recipe",)) if s.id == job), None)
        metrics = (found.result or {}).get("metrics", {}) if found else {}
        rows = report(metrics)
        bits = [row for row in rows if row["measure"] == "bits per byte"]
        drawing = plots.bars(bits, "value", "when", "Bits per byte of the new language (fewer is better)", "bits per byte") if bits else None
        return [replies_html(metrics), drawn(drawing), *table.update(rows)]

    journey.click(go, None, shell.tabs, **shell.quiet)
    shell.world.change(renew, None, [journey, nothing, machine, *made.parts], **shell.quiet)
    panel.finished.change(show, panel.finished, [replies, chart, *table.parts], **shell.quiet)


def journey_html() -> str:
    """The steps of the journey: done ones green, the next one marked."""
    now = chain.current()
    done = {name: getattr(now, name, "") for name, *_ in STAGES}
    following = next((name for name, *_ in STAGES if not done[name]), "")
    cards = []
    for name, title, page, about in STAGES:
        kind, word = ("there", "done") if done[name] else ("next", "next") if name == following and now.loaded else ("missing", "to do")
        if name == "chat" and following == "chat":
            kind, word = "next", "ready"
        said = chain.short(done[name]) or about
        cards.append(f'<li class="{kind}" data-page="{page}" tabindex="0"><b>{title}</b><em>{word}</em><span>{html.escape(said)}</span></li>')
    hint = (
        ""
        if now.loaded
        else empty(
            "Nothing is loaded. Press “Load the demo” on the left to begin with an English model and Russian text, or bring your own text on the Corpus page."
        )
    )
    return f'{hint}<ol class="journey">{"".join(cards)}</ol>'


def lately(artefact: store.Artefact) -> dict[str, Any]:
    row = artefacts.row(artefact)
    row["created"] = time.strftime("%d %b %H:%M", time.localtime(row["created"]))
    return {key: row[key] for key in ("id", "step", "name", "created")}


def report(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """The short table of a recipe: every group of numbers that it reports, one number a row."""
    groups = {name: found for name, found in metrics.items() if isinstance(found, dict) and all(isinstance(v, (int, float)) for v in found.values())}
    return [{"measure": name.replace("_", " "), "when": when, "value": value} for name, found in groups.items() for when, value in found.items()]


def replies_html(metrics: dict[str, Any]) -> str:
    """The two replies to the recipe's question, the original first."""
    sides = []
    for number, (title, text) in enumerate((metrics.get("replies") or {}).items()):
        side = "ab"[min(number, 1)]
        asked = f'<div class="turn user" dir="auto">{html.escape(str(metrics.get("question", "")))}</div>'
        said = f'<div class="turn assistant" dir="auto">{html.escape(str(text)) or "(nothing)"}</div>'
        sides.append(f'<div class="talk short {side}"><span class="side-title {side}">{html.escape(title)}</span>{asked}{said}</div>')
    return f'<div class="two">{"".join(sides)}</div>' if sides else ""


def environment_html() -> str:
    """What the machine has, and what is missing with its fix."""
    found = devices.describe()
    free = shutil.disk_usage(store.folder()).free / 2**30
    demo = refs.demo_names()
    checks = [
        (True, "Device", found["device"]),
        (True, "Memory", found["memory"]),
        (free > 2, "Disk", f"{free:.0f} GiB free for {store.home()}" + ("" if free > 2 else "; free some space")),
        (bool(demo), "Demo models", ", ".join(demo) if demo else "not here; build them with: workbench demo.build"),
        (True, "Versions", ", ".join(f"{k} {v}" for k, v in store.versions().items())),
    ]
    rows = "".join(f"<tr><th>{'✓' if ok else '✗'} {html.escape(name)}</th><td>{html.escape(said)}</td></tr>" for ok, name, said in checks)
    return f'<table class="plain">{rows}</table>'
