"""The job panel: run, progress, log, stop. It only reads the job's files, so a reloaded page shows the same."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gradio as gr

from .. import jobs
from ..jobs import ENDED, Job
from .forms import Form, slug
from .messages import guarded

if TYPE_CHECKING:
    from ..specs import Step
    from .shell import Shell

WORDS = {
    "waiting": "waiting for its turn",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "stopped": "stopped",
    "lost": "lost: its process was killed",
}


@dataclass(frozen=True)
class Snapshot:
    """A job at one moment, read once."""

    id: str
    step: str
    name: str
    state: str
    fraction: float
    message: str
    error: str
    result: dict[str, Any] | None
    events: list[dict[str, Any]] = field(repr=False)

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [e["data"] for e in self.events if e["kind"] == "metric"]


def snapshot(job: Job) -> Snapshot:
    return _ended(str(job.path)) or _read(job)


def recent(commands: tuple[str, ...] = (), limit: int = 40) -> list[Snapshot]:
    """The newest jobs, of these steps where some are named."""
    found = [j for j in jobs.jobs()[:limit] if not commands or _spec_of(str(j.path)).get("step") in commands]
    return [snapshot(j) for j in found]


def metrics_of(job: str, command: str) -> dict[str, Any]:
    """The metrics of a job that has ended well, else {}."""
    found = next((s for s in recent((command,)) if s.id == job), None)
    return found.result["metrics"] if found and found.result else {}


_done: dict[str, Snapshot] = {}


def _ended(path: str) -> Snapshot | None:
    return _done.get(path)


def _read(job: Job) -> Snapshot:
    state = job.state
    events = job.events()
    spec = _spec_of(str(job.path))
    fraction = next((e["fraction"] for e in reversed(events) if e.get("fraction") is not None), 0.0)
    message = next((e["message"] for e in reversed(events) if e["kind"] in ("progress", "note") and e["message"]), "")
    last = next((e for e in reversed(events) if e["kind"] == "state"), {"data": {}, "message": ""})
    result = last["data"] if last["message"] == "done" else None
    shot = Snapshot(job.id, spec.get("step", ""), job.name, state, 1.0 if state == "done" else fraction, message, last["data"].get("error", ""), result, events)
    if shot.ended:  # what has ended no longer changes
        _done[str(job.path)] = shot
    return shot


@lru_cache(maxsize=512)
def _spec_of(path: str) -> dict[str, Any]:
    from pathlib import Path

    return json.loads((Path(path) / "job.json").read_text(encoding="utf-8"))["spec"]


class JobPanel:
    """Run and stop buttons, a progress bar and the log of the newest job of `commands`.

    `finished` is a State that changes to the id of a job that has just ended well (also after a reload): pages hang their
    results on it. `live(snapshot)` may give updates of `outputs` while the job goes on. `check(step)` may raise WorkbenchError
    before a job is started.
    """

    def __init__(
        self, shell: Shell, form: Form, label: str, live: Callable[[Snapshot], list[Any]] | None = None,
        outputs: list[gr.components.Component] | None = None, check: Callable[[Step], None] | None = None,
    ) -> None:  # fmt: skip
        self.form, self.live, self.outputs, self.label, self.check = form, live, outputs or [], label, check
        self.commands = (form.step.command,)
        with gr.Row(elem_classes="run-row"):
            self.run = gr.Button(label, variant="primary", scale=0, min_width=190, elem_id=f"run-{slug(form.step)}")
            self.stop = gr.Button("Stop", variant="stop", scale=0, min_width=90, visible=False, elem_id=f"stop-{slug(form.step)}")
        self.status = gr.HTML("", elem_id=f"status-{slug(form.step)}", elem_classes="job-status")
        self.finished, self.signal = gr.State(""), gr.State("")
        shell.code(form)
        self.run.click(guarded(self.submit), form.inputs, self.status, **shell.quiet)
        self.stop.click(guarded(self.ask_to_stop), None, self.status, **shell.quiet)
        shell.panels.append(self)

    @property
    def polled(self) -> list[gr.components.Component]:
        return [self.status, self.run, self.stop, self.finished, *self.outputs]

    def submit(self, *values: Any) -> str:
        step = self.form.read(*values)
        if self.check:
            self.check(step)
        jobs.submit(step)
        return self.view(self.newest())

    def ask_to_stop(self) -> str:
        if (shot := self.newest()) and not shot.ended:
            jobs.open_job(shot.id).stop()
        return bar_of(shot, "stopping …") if shot else ""

    def newest(self) -> Snapshot | None:
        return next(iter(recent(self.commands)), None)

    def view(self, shot: Snapshot | None) -> str:
        return bar_of(shot) if shot else ""

    def key(self) -> str:
        """A signature of the newest job: when it changes, the panel is drawn again."""
        shot = self.newest()
        return f"{shot.id} {shot.state} {len(shot.events)}" if shot else ""

    def draw(self) -> list[Any]:
        """Updates of `polled`."""
        shot = self.newest()
        busy = bool(shot) and not shot.ended
        updates = [self.view(shot), gr.update(interactive=not busy, value="Running …" if busy else self.label), gr.update(visible=busy)]
        updates.append(shot.id if shot and shot.state == "done" else gr.skip())
        return updates + (self.live(shot) if self.live and shot else [gr.skip()] * len(self.outputs))


def bar_of(shot: Snapshot, said: str = "") -> str:
    """Progress, state and log as HTML."""
    words = said or WORDS[shot.state]
    detail = shot.error if shot.state in ("failed", "stopped") else shot.message if not shot.ended else made_of(shot)
    percent = round(100 * shot.fraction)
    log = "".join(log_line(e) for e in shot.events[-200:] if e["kind"] in ("note", "warning", "state"))
    warnings = "".join(f'<div class="note warning">{html.escape(e["message"])}</div>' for e in shot.events if e["kind"] == "warning")
    bar = "" if shot.ended else f'<div class="bar" role="progressbar" aria-valuenow="{percent}"><i style="width:{percent}%"></i></div>'
    return (
        f'<div class="job {shot.state}" data-job="{shot.id}">{bar}<div class="job-line"><span class="state">{html.escape(words)}</span>'
        f'<span class="percent">{"" if shot.ended else f"{percent} %"}</span><span class="detail">{html.escape(detail)}</span></div>{warnings}'
        f"<details><summary>Log of job {shot.id}</summary><pre>{log}</pre></details></div>"
    )


def made_of(shot: Snapshot) -> str:
    made = (shot.result or {}).get("id")
    return f"made {made}" if made else ""


def log_line(event: dict[str, Any]) -> str:
    import time

    clock = time.strftime("%H:%M:%S", time.localtime(event["at"]))
    text = event["message"] + (f": {event['data']['error']}" if event.get("data", {}).get("error") else "")
    return f"{clock}  {html.escape(text)}\n"
