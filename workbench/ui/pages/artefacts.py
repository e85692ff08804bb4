"""Artefacts: everything that was made, where it came from, and how to make it again."""

from __future__ import annotations

import html
import json
import time
from typing import Any

import gradio as gr

from ... import artefacts as listing
from ... import store
from ...errors import WorkbenchError
from .. import chain
from ..forms import choices, code_of
from ..messages import empty, guarded, say
from ..shell import Shell
from ..tables import SAVE_TEXT, Table

NAME = "Artefacts"
ABOUT = "Every result is a plain folder that other tools open as it is, with a manifest that says what made it from what."
NOTHING = "Nothing has been made yet. Load the demo on the left and go through the tabs; everything you make is listed here."


def build(shell: Shell) -> None:
    nothing = gr.HTML(empty(NOTHING))
    table = Table("Everything made so far (click a row)", "all-artefacts", 360)
    with gr.Column(visible=False) as details:
        with gr.Row():
            chosen = gr.Dropdown([], label="Artefact", info="Pick one, or click a row above.", interactive=True, scale=2, elem_id="artefact-chosen")
            name = gr.Textbox(label="Name", info="A name of your own; the id stays.", max_length=80, scale=2, elem_id="artefact-name")
            rename = gr.Button("Rename", scale=0, min_width=110, elem_classes="at-the-end")
        with gr.Row():
            use = gr.Button("Go on from here", min_width=140)
            save = gr.Button("Download its manifest", min_width=140)
            delete = gr.Button("Delete …", variant="stop", min_width=140)
            sure = gr.Button("Yes, delete it for good", variant="stop", visible=False, min_width=140, elem_id="artefact-sure")
        about = gr.HTML("", elem_id="artefact-about")
        with gr.Accordion("How it was made", open=True):
            how = gr.Code(language="python", interactive=False, show_label=False, lines=4, elem_id="artefact-how")
        with gr.Accordion("Manifest", open=False):
            manifest = gr.Code(language="json", interactive=False, show_label=False, max_lines=30)

    def listed(current: str | None) -> list[Any]:
        made = store.artefacts()
        rows = [listing.row(a) | {"created": time.strftime("%Y-%m-%d %H:%M", time.localtime(a.manifest["created"]))} for a in made]
        ids = [a.id for a in made]
        kept = {} if current in ids else {"value": ids[0] if ids else None}  # another may have been picked meanwhile
        return [gr.update(visible=not made), *table.update(rows), gr.update(visible=bool(made)), gr.update(choices=choices("artefact"), **kept)]

    def anew(current: str | None) -> list[Any]:
        """What is looked at stays, and so does a name that is being typed; a list that is just appearing does not tell that it has a value."""
        *others, picked = listed(current)
        details = look(picked["value"]) if "value" in picked else [about_html(store.open_artefact(current)), *[gr.skip()] * 4]
        return [*others, picked, *details]

    def look(reference: str | None) -> list[Any]:
        if not reference:
            return ["", "", "", "", gr.update(visible=False)]
        made = store.open_artefact(reference)
        return [about_html(made), made.name, how_made(made), json.dumps(made.manifest, ensure_ascii=False, indent=1), gr.update(visible=False)]

    def pick(event: gr.SelectData) -> Any:
        row = event.row_value
        return row[0] if row and store.ID.fullmatch(str(row[0])) else gr.skip()

    def remove(reference: str | None) -> list[Any]:
        if not reference:
            raise WorkbenchError("Choose an artefact first.")
        store.delete(reference)
        gr.Info(f"{reference} is deleted.")
        return listed(None)

    def renamed(reference: str | None, text: str) -> list[Any]:
        if not reference:
            raise WorkbenchError("Choose an artefact first.")
        store.rename(reference, text.strip())
        return [*listed(reference), about_html(store.open_artefact(reference))]

    def go_on(reference: str | None) -> None:
        if not reference:
            raise WorkbenchError("Choose an artefact first.")
        chain.pin(reference)
        gr.Info(f"The journey goes on from {reference}; see “Loaded” on the left.")

    quiet = shell.quiet
    whole = [nothing, *table.parts, details, chosen]
    shown = [about, name, how, manifest, sure]
    shell.renew(anew, [chosen], [*whole, *shown])
    shell.gather(chosen.change, guarded(look), [chosen], shown, **quiet)
    table.frame.select(pick, None, chosen, **quiet)
    rename.click(guarded(renamed), [chosen, name], [*whole, about], **quiet)
    delete.click(lambda: gr.update(visible=True), None, sure, **quiet)
    sure.click(guarded(remove), chosen, whole, **quiet)
    use.click(guarded(go_on), chosen, None, **quiet)
    save.click(None, manifest, None, js=SAVE_TEXT.replace("FILE", "manifest.json").replace("TYPE", "application/json"), api_visibility="private")


def about_html(made: store.Artefact) -> str:
    """Facts, lineage and numbers."""
    facts = {
        "kind": made.kind, "made by": made.manifest["spec"]["step"], "took": f"{made.manifest['seconds']:.1f} s", "seed": made.manifest.get("seed"),
        "folder": str(made.path), "content hash": made.manifest["content_hash"][:16],
    }  # fmt: skip
    facts |= {k.replace("_", " "): say(v) for k, v in made.metrics.items() if isinstance(v, (int, float, str)) and len(str(v)) < 80}
    rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(str(v))}</td></tr>" for k, v in facts.items() if v is not None)
    return (
        f'<div class="two"><div><table class="plain">{rows}</table></div><div><b>Where it comes from</b>{lineage_html(made)}{children_html(made)}</div></div>'
    )


def lineage_html(made: store.Artefact, depth: int = 0) -> str:
    """Parents of parents, as a nested list; references that are no artefacts (demo, paths) stand in the step."""
    own = f"<b>{html.escape(made.id)}</b> {html.escape(made.name)} <span>{html.escape(made.manifest['spec']['step'])}</span>"
    inner = "".join(lineage_html(parent, depth + 1) for parent in known(made.parents)) if depth < 8 else ""
    outside = "".join(f"<li><span>{html.escape(r)}</span></li>" for r in outside_of(made))
    return f'<ul class="lineage"><li>{own}{inner}{f"<ul class=lineage>{outside}</ul>" if outside else ""}</li></ul>'


def children_html(made: store.Artefact) -> str:
    found = [a.id for a in store.artefacts() if made.id in a.parents]
    return f"<p>Used for {html.escape(', '.join(found))}.</p>" if found else "<p>Nothing has been made from it so far.</p>"


def known(references: list[str]) -> list[store.Artefact]:
    there = {a.id: a for a in store.artefacts()}
    return [there[r] for r in references if r in there]


def outside_of(made: store.Artefact) -> list[str]:
    """Demo names in its spec."""
    flat = [v for value in made.manifest["spec"].values() for v in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(v for v in flat if isinstance(v, str) and v.startswith(("demo:", "hf:"))))


def how_made(made: store.Artefact) -> str:
    try:
        return code_of(made.step)
    except WorkbenchError as error:
        return f"# {error}"
