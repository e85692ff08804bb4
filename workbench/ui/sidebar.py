"""The left sidebar: what is loaded, the machine, the jobs, the demo button and the show-code switch."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gradio as gr

from .. import devices, jobs, refs
from ..errors import WorkbenchError
from . import chain
from .messages import guarded
from .panel import WORDS, Snapshot, recent


@dataclass
class Sidebar:
    loaded: gr.HTML
    machine: gr.HTML
    running: gr.HTML
    demo: gr.Button

    @property
    def polled(self) -> list[gr.components.Component]:
        return [self.loaded, self.machine, self.running]

    def draw(self) -> list[str]:
        return [chain_html(chain.current()), machine_html(), jobs_html(recent(limit=6))]

    def key(self) -> str:
        return "".join(self.draw())


def build(quiet: dict[str, Any]) -> Sidebar:
    """Draw it; call within the Blocks."""
    with gr.Sidebar(width=272, elem_id="sidebar"):
        gr.HTML('<div class="brand"><b>Workbench</b><span>language models, new languages</span></div>')
        loaded = gr.HTML(chain_html(chain.current()), elem_id="chain")
        demo = gr.Button("Load the demo", size="md", elem_id="load-demo", interactive=bool(refs.demo_names()))
        if not refs.demo_names():
            gr.HTML('<div class="why">The demo models are not here; build them with <code>workbench demo.build</code>.</div>')
        running = gr.HTML(jobs_html([]), elem_id="jobs", js_on_load=STOP)
        machine = gr.HTML("", elem_id="machine")
        gr.HTML(SWITCH, js_on_load=CODE, elem_id="code-switch")
    side = Sidebar(loaded, machine, running, demo)
    demo.click(guarded(lambda: chain_html(chain.load_demo())), None, loaded, **quiet)
    running.click(guarded(stop), None, running, **quiet)
    return side


def stop(event: gr.EventData) -> str:
    """The stop button of one job in the list; the id comes from the browser, so it is looked up, never trusted."""
    job = jobs.open_job(str((event._data or {}).get("job", "")))
    job.stop()
    return jobs_html(recent(limit=6), stopping=job.id)


def chain_html(now: chain.Chain) -> str:
    """Links made are green and named, the others grey."""
    items = []
    for name, title in chain.TITLES.items():
        reference = getattr(now, name)
        said = html.escape(chain.short(reference)) if reference else "not yet"
        items.append(f'<li class="{"there" if reference else "missing"}" title="{html.escape(reference)}"><b>{title}</b><span>{said}</span></li>')
    direction = f'<div class="direction">{html.escape(direction_of(now))}</div>' if now.loaded else '<div class="direction">Nothing is loaded yet.</div>'
    return f"<h4>Loaded</h4>{direction}<ol class='chain'>{''.join(items)}</ol>"


def direction_of(now: chain.Chain) -> str:
    """Target language and its direction, as far as the text's name tells."""
    names = {"ru": "Russian, left to right", "fa": "Persian, right to left", "en": "English, left to right"}
    language = now.text.removeprefix("demo:")
    if language in names:
        return f"Target: {names[language]}"
    return f"Target: {script_of(now.text)}" if now.text else "Choose a target text."


@lru_cache(maxsize=64)
def script_of(text: str) -> str:
    from .. import store

    try:
        shares = store.open_artefact(text).metrics.get("scripts") or {}
    except WorkbenchError:  # a file or data set, not a corpus that was counted
        return "your own text"
    main = max(shares, key=shares.get) if shares else ""
    ways = {"Arabic", "Hebrew", "Syriac", "Thaana", "Nko"}
    return f"{main} script, {'right to left' if main in ways else 'left to right'}" if main else "your own text"


@lru_cache(maxsize=1)
def _device() -> str:
    return devices.describe()["device"]


def machine_html() -> str:
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available / 2**30, memory.total / 2**30
    used = 5 * round(20 * (1 - free / total))  # a bar that follows every percent would have the page drawn anew each second
    return (
        f"<h4>Machine</h4><div class='machine'><span>{html.escape(_device())}</span><span>{free:.0f} of {total:.0f} GiB free</span>"
        f"<div class='bar'><i style='width:{used}%'></i></div></div>"
    )


def jobs_html(shots: list[Snapshot], stopping: str = "") -> str:
    if not shots:
        return "<h4>Jobs</h4><div class='quiet'>None so far.</div>"
    rows = []
    for shot in shots:
        busy = not shot.ended
        state = "stopping" if shot.id == stopping and busy else WORDS[shot.state].split(":")[0].replace("waiting for its turn", "waiting")
        rows.append(
            f'<li class="{shot.state}" title="{html.escape(shot.error or shot.message)}"><b>{html.escape(shot.title)}</b>'
            f"<span>{state}{f' {round(100 * shot.fraction)} %' if shot.state == 'running' else ''}</span>"
            + (f'<button type="button" data-job="{shot.id}" aria-label="Stop this job">stop</button>' if busy else "")
            + "</li>"
        )
    return f"<h4>Jobs</h4><ul class='jobs'>{''.join(rows)}</ul>"


STOP = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-job]');
  if (button) { button.disabled = true; trigger('click', { job: button.dataset.job }); }
});"""

SWITCH = '<label class="switch"><input type="checkbox"> Show code on every page</label>'

CODE = """const box = element.querySelector('input');
box.checked = localStorage.getItem('workbench-code') === 'on';
box.addEventListener('change', () => {
  localStorage.setItem('workbench-code', box.checked ? 'on' : 'off');
  document.body.classList.toggle('show-code', box.checked);
});"""
