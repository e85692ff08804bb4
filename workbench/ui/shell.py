"""What the pages share: one clock, the reference pickers, the code blocks and the tabs."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from .. import refs, store
from . import chain, sidebar
from .forms import Field, Form, choices
from .panel import JobPanel


@dataclass
class Shell:
    """Collects what pages draw, then ties it together in `connect`."""

    panels: list[JobPanel] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    world: gr.State = None  # changes when an artefact or the journey does: pages refresh on it
    tabs: gr.Tabs = None

    def code(self, form: Form) -> None:
        """Show the Python and the command of what a form is set to, where the reader asked for code."""
        self.forms.append(form)
        block = code_block()
        changes = [c.change for c in form.inputs]
        gr.on(changes, lambda *values: code_html(form.code(*values)), form.inputs, block, show_progress="hidden", trigger_mode="always_last", api_visibility="private")

    def connect(self, blocks: gr.Blocks, side: sidebar.Sidebar) -> None:
        """One clock for all panels and the sidebar; references follow the chain."""
        seen = gr.State({})
        clock = gr.Timer(1.0)
        polled = [c for panel in self.panels for c in panel.polled]
        outputs = [seen, self.world, *side.polled, *polled]

        def tick(before: dict[str, Any]) -> list[Any]:
            now = dict(before)
            state = world_now()
            world = gr.skip() if now.get("world") == state else state
            now["world"] = state
            updates = [*side.poll(now), *(u for panel in self.panels for u in panel.poll(now))]
            return [gr.skip() if now == before else now, world, *updates]

        clock.tick(tick, seen, outputs, show_progress="hidden", api_visibility="private", concurrency_limit=4)
        blocks.load(tick, seen, outputs, show_progress="hidden", api_visibility="private", concurrency_limit=4)
        self._follow_chain()

    def _follow_chain(self) -> None:
        pickers = [(form, f) for form in self.forms for f in form.pickers]
        offered = gr.State({})

        def refresh(before: dict[int, Any], *values: Any) -> list[Any]:
            now = chain.current()
            listed = {kind: choices(kind) for kind in {f.knob.ref for _, f in pickers}}
            after = {i: _suggested(form, f, now) for i, (form, f) in enumerate(pickers)}
            updates = []
            for i, ((_, f), value) in enumerate(zip(pickers, values, strict=True)):
                untouched = value in (None, "", []) or value == before.get(i)
                new = after[i] if untouched and after[i] not in (None, "", []) else value
                updates.append(gr.update(choices=listed[f.knob.ref], value=new))
            return [after, *updates]

        components = [f.component for _, f in pickers]
        self.world.change(refresh, [offered, *components], [offered, *components], show_progress="hidden", api_visibility="private")


def _suggested(form: Form, picker: Field, now: chain.Chain) -> Any:
    """What the chain offers for a reference, as one value or as a list, whichever the knob takes."""
    suggest = form.suggest.get(picker.knob.name)
    value = suggest(now) if suggest else None
    if picker.knob.many:
        return [v for v in ([value] if isinstance(value, str) else value or []) if v]
    return value or None


def world_now() -> str:
    """A word that changes whenever an artefact comes, goes or is renamed, or the journey changes."""
    made = [(a.id, a.name) for a in store.artefacts()]
    journey = store.home() / "journey.json"
    return repr((made, journey.stat().st_mtime_ns if journey.exists() else 0, refs.demo_names()))


def code_block() -> gr.HTML:
    return gr.HTML(code_html(""), elem_classes="made-by", js_on_load=COPY)


def code_html(code: str) -> str:
    if not code:
        return ""
    return f'<div class="code"><button type="button" class="copy">copy</button><pre>{html.escape(code)}</pre></div>'


COPY = """element.addEventListener('click', (event) => {
  const button = event.target.closest('.copy');
  if (button) navigator.clipboard.writeText(button.parentElement.querySelector('pre').innerText).then(() => { button.innerText = 'copied'; });
});"""
