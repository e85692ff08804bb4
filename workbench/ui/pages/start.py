"""Start: the journey, the demo in one click, what was made lately, and whether this machine is ready."""

from __future__ import annotations

import html
import shutil
import time
from typing import Any

import gradio as gr

from ... import artefacts, devices, refs, steps, store
from ...demo.check import shipped
from .. import chain
from ..forms import Form
from ..messages import empty
from ..panel import JobPanel, recent
from ..shell import Shell
from ..tables import Table

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
# What a recipe's numbers mean, under the names of its report; a name that is not here is shown as it is.
MEANINGS = {
    "tokens_per_word": ("Tokens per word", "How many tokens a word of Russian text is cut into. Fewer is better: faster, and more text in one context."),
    "bits_per_byte": (
        "Bits per byte, Russian",
        "How badly a base model predicts Russian text that it has not seen; fewer is better. "
        "Before: the original, with its old tokens. Untrained: with new vectors, nothing learned yet.",
    ),
    "bits_per_byte_english": (
        "Bits per byte, English",
        "The same for English: what the training cost the language that the model knew before. A rise is a loss.",
    ),
    "right_answers": (
        "Right answers in Russian",
        "Share of held-out Russian questions answered with exactly the expected words; the original, and the chat model that each variant of LEP made.",
    ),
}
SHARES = ("right_answers",)
SMALL = (
    "These are very small models of a small invented world, trained for about a minute: the numbers show how the steps work, not how well large models do. "
    "Two replies are an example, not a measurement."
)
GO = """element.addEventListener('click', (event) => {
  const card = event.target.closest('[data-page]');
  if (card) trigger('click', { page: card.dataset.page });
});"""


def build(shell: Shell) -> None:
    journey = gr.HTML(journey_html(), js_on_load=GO, elem_id="journey")
    gr.Markdown(
        "### The whole demo in one click\nFrom a model that reads Russian in crumbs to one that reads it in words, with models that come with the workbench; "
        "the numbers say what was won and what was lost.",
        elem_classes="section",
    )
    with gr.Accordion("Change a knob of the demo", open=False, render=False) as knobs:
        form = Form(steps.find("recipe"))
    panel = JobPanel(shell, form, "Run the whole demo")
    knobs.render()
    numbers = gr.HTML("", elem_id="demo-numbers")
    replies = gr.HTML("", elem_id="demo-replies")
    table = Table("The same numbers as a table", "demo", 300)
    gr.Markdown("### What the demo claims, measured", elem_classes="section")
    judged = gr.HTML("", elem_id="gates")
    claims = Table("Claims, with their controls", "claims", 340, wrap=True)
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

    def anew() -> list[Any]:
        rows = [lately(a) for a in store.artefacts()[:8]]
        return [journey_html(), gr.update(visible=not rows), environment_html(), *made.update(rows)]

    def judge() -> list[Any]:
        said, rows = claimed()
        return [said, *claims.update(rows)]

    def show(job: str) -> list[Any]:
        found = next((s for s in recent(("recipe",)) if s.id == job), None)
        metrics = (found.result or {}).get("metrics", {}) if found else {}
        return [numbers_html(metrics), replies_html(metrics), *table.update(report(metrics))]

    journey.click(go, None, shell.tabs, **shell.quiet)
    shell.renew(anew, [], [journey, nothing, machine, *made.parts])
    shell.renew(judge, [], [judged, *claims.parts])
    panel.finished.change(show, panel.finished, [numbers, replies, *table.parts], **shell.quiet)


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


def claimed() -> tuple[str, list[dict[str, Any]]]:
    """What demo.check found when the demo's models were made, and how many of the claims hold."""
    found = shipped()
    if not found:
        return empty(
            "Not measured: “workbench demo.check --file FILE” measures it in some hours, and this table is the check.json beside the demo's models."
        ), []
    said = (
        f"{found['passed']} of {found['judged']} claims hold, over {found['seeds']} trainings each ({html.escape(found['measured'])}). "
        "<code>workbench demo.check</code> measures them anew; rows without a limit are only shown."
    )
    verdicts = {True: "holds", False: "missed", None: ""}
    rows = [{"limit" if name == "threshold" else name: value for name, value in row.items()} for row in found["rows"]]  # the longer word is broken in two
    return f'<p class="small">{said}</p>', [{**row, "pass": verdicts[row["pass"]]} for row in rows]


def lately(artefact: store.Artefact) -> dict[str, Any]:
    row = artefacts.row(artefact)
    row["created"] = time.strftime("%d %b %H:%M", time.localtime(row["created"]))
    return {key: row[key] for key in ("id", "step", "name", "created")}


def report(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """The short table of a recipe: every group of numbers that it reports, one number a row."""
    return [
        {"measure": name.replace("_", " "), "when": when.replace("_", " "), "value": value}
        for name, group in groups_of(metrics).items()
        for when, value in group.items()
    ]


def groups_of(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What a recipe reports as numbers under a name each, whatever it calls them."""
    named = {name: group for name, group in metrics.items() if isinstance(group, dict)}
    found = {name: {k: v for k, v in group.items() if isinstance(v, (int, float))} for name, group in named.items()}
    return {name: group for name, group in found.items() if group}


def numbers_html(metrics: dict[str, Any]) -> str:
    """One card a group: what the numbers mean, and each with a bar as long as it is."""
    cards = []
    for name, group in groups_of(metrics).items():
        title, about = MEANINGS.get(name, (name.replace("_", " ").capitalize(), ""))
        share = name in SHARES
        most = 1.0 if share else max(*map(abs, group.values()), 1e-9)
        lines = "".join(
            f'<li class="{"a" if n == 0 else "b"}"><span>{html.escape(when.replace("_", " "))}</span>'
            f'<i><em style="width:{100 * min(abs(value) / most, 1):.1f}%"></em></i><b>{f"{value:.0%}" if share else f"{value:.2f}"}</b></li>'
            for n, (when, value) in enumerate(group.items())
        )
        cards.append(f'<div class="measure"><h4>{html.escape(title)}</h4><p>{html.escape(about)}</p><ul>{lines}</ul></div>')
    return f'<div class="two">{"".join(cards)}</div><p class="small">{html.escape(SMALL)}</p>' if cards else ""


def replies_html(metrics: dict[str, Any]) -> str:
    """The two replies to the recipe's question, the original first."""
    sides = []
    for number, (title, text) in enumerate((metrics.get("replies") or {}).items()):
        side = "ab"[min(number, 1)]
        asked = f'<div class="turn user" dir="auto">{html.escape(str(metrics.get("question", "")))}</div>'
        said = f'<div class="turn assistant" dir="auto">{html.escape(str(text)) or "(nothing)"}</div>'
        sides.append(f'<div class="talk short {side}"><span class="side-title {side}">{html.escape(title.capitalize())}</span>{asked}{said}</div>')
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
