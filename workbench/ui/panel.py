"""The job panel: run, progress, log, stop. It only reads the job's files, so a reloaded page shows the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from .. import jobs
from .forms import Form, slug
from .messages import guarded
from .snapshots import WORDS, Snapshot, metrics_of, recent
from .status import bar_of, early_html, queued, waiting_html

if TYPE_CHECKING:
    from ..specs import Step
    from .shell import Shell

__all__ = ["WORDS", "JobPanel", "Snapshot", "metrics_of", "recent"]
AGAIN = """element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-job]');
  if (button) { button.disabled = true; trigger('click', { job: button.dataset.job }); }
});"""


class JobPanel:
    """Run and stop buttons, a progress bar and the log of the newest job of `commands`.

    `finished` is a State that changes to the id of a job that has just ended well (also after a reload): pages hang their
    results on it. `live(snapshot)` may give updates of `outputs` while the job goes on. `check(step)` may raise WorkbenchError
    before a job is started. Where a step keeps checkpoints (`resumes`), more jobs can be queued while one runs, the one that
    runs is shown, and what ended early can be gone on with. `name` is what the elements are called, where two panels have one step.
    """

    def __init__(
        self, shell: Shell, form: Form, label: str, live: Callable[[Snapshot], list[Any]] | None = None,
        outputs: list[gr.components.Component] | None = None, check: Callable[[Step], None] | None = None, resumes: bool = False, name: str = "",
    ) -> None:  # fmt: skip
        self.form, self.live, self.outputs, self.label, self.check, self.resumes = form, live, outputs or [], label, check, resumes
        self.commands, name = (form.step.command,), name or slug(form.step)
        with gr.Row(elem_classes="run-row"):
            self.run = gr.Button(label, variant="primary", scale=0, min_width=190, elem_id=f"run-{name}")
            self.stop = gr.Button("Stop", variant="stop", scale=0, min_width=90, visible=False, elem_id=f"stop-{name}")
            if resumes:
                self.queue = gr.Button("Add to the queue", scale=0, min_width=150, visible=False, elem_id=f"queue-{name}")
                self.resume = gr.Button("Resume", scale=0, min_width=110, visible=False, elem_id=f"resume-{name}")
        self.status = gr.HTML("", elem_id=f"status-{name}", elem_classes="job-status", js_on_load=AGAIN if resumes else None)
        self.finished = gr.State("")
        shell.code(form)
        shell.gather(self.run.click, guarded(self.submit), form.inputs, self.status, **shell.quiet)
        self.stop.click(guarded(self.ask_to_stop), None, self.status, **shell.quiet)
        if resumes:
            shell.gather(self.queue.click, guarded(self.submit), form.inputs, self.status, **shell.quiet)
            self.resume.click(guarded(self.go_on), None, self.status, **shell.quiet)
            self.status.click(guarded(self.go_on_with), None, self.status, **shell.quiet)
        shell.panels.append(self)

    @property
    def polled(self) -> list[gr.components.Component]:
        return [self.status, self.run, self.stop, self.finished, *([self.queue, self.resume] if self.resumes else []), *self.outputs]

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

    def go_on(self) -> str:
        """Resume what is shown; what it kept is gone on from."""
        if shot := self.newest():
            jobs.resume(shot.id)
        return self.view(self.newest())

    def go_on_with(self, event: gr.EventData) -> str:
        """Resume one of the list; the id comes from the browser, so it is looked up, never trusted."""
        jobs.resume(jobs.open_job(str((event._data or {}).get("job", ""))).id)
        return self.view(self.newest())

    def newest(self) -> Snapshot | None:
        """The newest job; where several may wait, the one that runs, or else the one whose turn comes first."""
        found = recent(self.commands)
        busy = [shot for shot in found if not shot.ended] if self.resumes else []
        latest = max(found, key=at_last, default=None) if self.resumes else next(iter(found), None)  # an old job that was gone on with is the latest
        return next((s for s in busy if s.state == "running"), busy[-1] if busy else latest)

    def view(self, shot: Snapshot | None) -> str:
        if not shot:
            return ""
        found = recent(self.commands) if self.resumes else []
        return bar_of(shot, queued(shot)) + waiting_html(shot, found) + early_html(shot, found)

    def key(self) -> str:
        """A signature of the newest job: when it changes, the panel is drawn again."""
        shot = self.newest()
        others = [(s.id, s.state) for s in recent(limit=12) if not s.ended] if shot and (self.resumes or shot.state == "waiting") else ""
        return f"{shot.id} {shot.state} {len(shot.events)} {others}" if shot else ""

    def draw(self) -> list[Any]:
        """Updates of `polled`."""
        shot = self.newest()
        busy = bool(shot) and not shot.ended
        word = "Waiting …" if shot and shot.state == "waiting" else "Running …"
        updates = [self.view(shot), gr.update(interactive=not busy, value=word if busy else self.label), gr.update(visible=busy)]
        done = next((s for s in recent(self.commands) if s.state == "done"), None) if self.resumes else shot
        updates.append(done.id if done and done.state == "done" else gr.skip())
        if self.resumes:
            updates += [gr.update(visible=busy), gr.update(visible=bool(shot) and shot.resumable)]
        return updates + (self.live(shot) if self.live and shot else [gr.skip()] * len(self.outputs))


def at_last(shot: Snapshot) -> float:
    """When it last said something."""
    return shot.events[-1].get("at", 0.0) if shot.events else 0.0
