"""The notebook host: the core's results as ipywidgets."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets

    from .chat import SideBySide
    from .jobs import Job
    from .specs import Step
    from .store import Artefact

CARD = "border:1px solid #8886; border-radius:8px; padding:10px 14px; min-width:16em;"


def compare(result: SideBySide) -> ipywidgets.Widget:
    """Replies side by side, each stamped with its model's fingerprint, length and speed."""
    import ipywidgets

    question = ipywidgets.HTML(f'<p dir="auto"><b>{escape(result.messages[-1]["content"])}</b></p>')
    cards = []
    for side, reply in result.replies.items():
        speed = reply.characters / max(reply.seconds, 1e-9)
        stamp = f"{reply.model} · {reply.fingerprint} · {reply.tokens} tokens · {speed:.0f} characters/s · {reply.script or 'no letters'}"
        text = escape(reply.text) or "<i>(nothing)</i>"
        body = f'<b>{escape(side)}</b><p dir="auto" style="font-size:1.1em">{text}</p><small>{escape(stamp)}</small>'
        body = f'<div style="{CARD}">{body}</div>'
        cards.append(ipywidgets.HTML(body))
    return ipywidgets.VBox([question, ipywidgets.HBox(cards, layout=ipywidgets.Layout(flex_flow="row wrap"))])


def table(rows: list[dict[str, Any]], columns: list[str] | None = None) -> Any:
    """Rows as a pandas table, with only some columns if named."""
    import pandas

    frame = pandas.DataFrame(rows)
    return frame[columns] if columns else frame


def run(step: Step, name: str = "") -> Artefact:
    """Run a step in this notebook with a progress bar; returns what it made."""
    import ipywidgets
    from IPython.display import display

    from . import store
    from .progress import Event, Progress

    bar, line = ipywidgets.FloatProgress(min=0, max=1), ipywidgets.HTML()
    display(ipywidgets.HBox([bar, line]))

    def show(event: Event) -> None:
        bar.value = event.fraction if event.fraction is not None else bar.value
        line.value = escape(event.message) if event.message else line.value

    made = store.run(step, Progress(show), name=name)
    bar.value, line.value = 1.0, escape(str(made))
    return made


def watch(job: Job, seconds: float = 3600) -> ipywidgets.Widget:
    """Show a job's progress until it has ended; the job itself runs on whether anyone watches or not."""
    import ipywidgets
    from IPython.display import display

    from .jobs import ENDED

    bar, line = ipywidgets.FloatProgress(min=0, max=1), ipywidgets.HTML()
    box = ipywidgets.HBox([bar, line])
    display(box)
    end = time.time() + seconds
    while (state := job.state) not in ENDED and time.time() < end:
        bar.value = job.fraction
        line.value = escape(state)
        time.sleep(0.5)
    bar.value, line.value = (1.0 if state == "done" else job.fraction), escape(f"{state} {job.error}".strip())
    return box
