"""The notebook host: the core's results as ipywidgets."""

from __future__ import annotations

import time
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets

    from .chat import SideBySide
    from .jobs import Job
    from .spaces import Picture
    from .specs import Step
    from .store import Artefact
    from .tokenizer import Biography, Trace
    from .training import Batch

CHARACTERS = 3_000  # of the live text
CARD = "border:1px solid #8886; border-radius:8px; padding:10px 14px; min-width:16em;"


def compare(result: SideBySide) -> ipywidgets.Widget:
    """Replies side by side: each stamped with the fingerprint of its weights, length, speed and script, and its tokens with their probabilities below it."""
    import ipywidgets

    from . import chat, chathtml

    asked = result.messages[-1]["content"]
    note = f"<p>{escape(result.note)}</p>" if result.note else ""
    question = ipywidgets.HTML(f'{_style()}<p dir="auto"><b>{escape(asked)}</b></p>{note}')
    cards = []
    for side, reply in result.replies.items():
        said = chathtml.stamp(reply.facts(), asked)
        head = f"<b>{escape(side)}</b> <small>{escape(reply.model)}</small>"
        body = f'{head}<p dir="auto" style="font-size:1.1em">{chathtml.words(reply.text)}</p><small>{said}</small>'
        if side in result.tokenizers:
            view = chathtml.tokens(side, chat.chosen(result.tokenizers[side], reply.choices), reply.text)
            same = chathtml.same_text(reply.text, result.tokenizers) if len(result.tokenizers) > 1 and reply.text else ""
            body += f"<details><summary>token by token</summary>{view}{same}</details>"
        cards.append(ipywidgets.HTML(f'<div style="{CARD} max-width:30em;">{body}</div>'))
    return ipywidgets.VBox([question, ipywidgets.HBox(cards, layout=ipywidgets.Layout(flex_flow="row wrap"))])


def tokens(tokenizers: Any, text: str = "", under: str = "") -> ipywidgets.Widget:
    """A text field and, below it, the same text as chips under each tokenizer, anew at every key.

    `tokenizers`: references or tokenizer objects: one, a list, or a dict by name. What the first one lacks is marked as new in the others. `under`
    says what stands below each chip: "", "ids" or "bytes". Raises WorkbenchError where one cannot be opened.
    """
    import ipywidgets

    from . import chiphtml
    from .errors import WorkbenchError
    from .tokenizer import compare, load

    if under not in ("", "ids", "bytes"):
        raise WorkbenchError(f"Below a chip there can be ids or bytes, not '{under}'; leave `under` out for nothing.")
    opened = {name: load(each) for name, each in _named(tokenizers).items()}
    if not opened:
        raise WorkbenchError("There is no tokenizer to show; name at least one.")
    first = next(iter(opened.values()))
    known = {name: _kept(each, compare(each, first).kept) if each is not first else None for name, each in opened.items()}
    field = ipywidgets.Textarea(value=text, placeholder="Type a text …", rows=3, layout=ipywidgets.Layout(width="98%"))
    rows = ipywidgets.HTML()

    def draw(_: object = None) -> None:
        cut = field.value[:CHARACTERS]
        more = f'<div class="note">Only the first {CHARACTERS:,} characters are shown.</div>' if len(field.value) > CHARACTERS else ""
        rows.value = _style() + "".join(chiphtml.row(name, each, cut, known[name], under) for name, each in opened.items()) + more

    field.observe(draw, "value")
    draw()
    return ipywidgets.VBox([field, rows])


def show(result: Trace | Biography | Batch) -> ipywidgets.Widget:
    """A trace (every word with its steps), the biography of a token, or the first batch of a training, as the app shows it."""
    import ipywidgets

    from . import batchhtml, tracehtml
    from .tokenizer import Trace
    from .training import Batch

    if isinstance(result, Batch):
        return ipywidgets.HTML(_style() + batchhtml.batch_html(result))
    return ipywidgets.HTML(_style() + (tracehtml.trace_html(result) if isinstance(result, Trace) else tracehtml.biography_html(result)))


def explain(model: Any, token: str | int) -> ipywidgets.Widget:
    """Why a token's vector is what it is in a model that a transfer made, or that was trained or made by LEP from such a one."""
    import ipywidgets

    from .explainhtml import explanation_html
    from .transfer import explain as explained

    return ipywidgets.HTML(_style() + explanation_html(explained(model, token)))


def space(picture: Picture, spaces: Any = ()) -> ipywidgets.Widget:
    """A picture of spaces to look into: colour, before and after, search, a click for a token's way, a lasso for a table."""
    from .spacewidgets import Explorer

    return Explorer(picture, spaces).box


def scorecard(metrics: dict[str, Any]) -> ipywidgets.Widget:
    """An evaluation as the app shows it: measures × models with intervals and differences to the control, and what hangs on the position."""
    import ipywidgets

    from . import scorecardhtml

    drawn = scorecardhtml.table_html(metrics) + scorecardhtml.curves_html(metrics.get("curves", []))
    return ipywidgets.HTML(f"<style>{scorecardhtml.css()}</style>{drawn}")


def _named(given: Any) -> dict[str, Any]:
    """What is given once, in a list, or by name, as a dict by name."""
    if isinstance(given, dict):
        return given
    found: dict[str, Any] = {}
    for number, each in enumerate(given if isinstance(given, (list, tuple)) else [given], 1):
        name = str(getattr(each, "id", None) or (each if isinstance(each, (str, Path)) else getattr(each, "name_or_path", "") or f"tokenizer {number}"))
        found[name if name not in found else f"{name} ({number})"] = each
    return found


def _kept(tokenizer: Any, kept: dict[int, int]) -> frozenset[str]:
    return frozenset(token for token, i in tokenizer.get_vocab().items() if i in kept)


def _style() -> str:
    from . import chiphtml

    return f"<style>{chiphtml.css()}</style>"


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


def watch(job: Job | str, seconds: float = 3600) -> ipywidgets.Widget:
    """Follow a job until it has ended: its state, its warnings, its curves, and what the model being trained writes.

    Only its files are read, so it may have been started in the app or on the command line, and runs on whether anyone watches or not. Ctrl-C, or the
    kernel's stop button, ends the watching alone. Raises WorkbenchError where there is no such job.
    """
    from IPython.display import display

    from . import jobs

    job = jobs.open_job(job) if isinstance(job, str) else job
    view = _Watched()
    display(view.box)
    end = time.time() + seconds
    try:
        while view.draw(job) and time.time() < end:
            time.sleep(0.5)
    except KeyboardInterrupt:
        pass
    return view.box


class _Watched:
    """The parts of `watch`, drawn anew from a job's events."""

    def __init__(self) -> None:
        import ipywidgets

        self.bar, self.line, self.said = ipywidgets.FloatProgress(min=0, max=1), ipywidgets.HTML(), ipywidgets.HTML()
        self.curves = ipywidgets.HBox(layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.box = ipywidgets.VBox([ipywidgets.HBox([self.bar, self.line]), self.curves, self.said])
        self.seen = -1

    def draw(self, job: Job) -> bool:
        """Whether it goes on."""
        from .jobs import ENDED

        state, events = job.state, job.events()
        ended = state in ENDED
        fraction = next((e["fraction"] for e in reversed(events) if e.get("fraction") is not None), 0.0)
        message = next((e["message"] for e in reversed(events) if e["kind"] == "progress" and e["message"]), "")
        self.bar.value = 1.0 if state == "done" and not job.resumable else fraction
        if len(events) != self.seen:
            self.seen = len(events)
            self._curves(events, (job.result or {}).get("metrics", {}), job.spec.get("step") == "train")
            self.said.value = _told(events)
        self.line.value = escape(f"{state} {job.error if ended else message}".strip())
        if ended and job.resumable:
            self.line.value += f" · go on with <code>wb.jobs.resume({job.id!r})</code>"
        return not ended

    def _curves(self, events: list[dict[str, Any]], metrics: dict[str, Any], one: bool) -> None:
        """`one`: it is one training, whose steps are told in order, and after a kill some of them twice."""
        import plotly.graph_objects as go

        from . import plots
        from .runs import by_step, measured_after

        told = [*(e["data"] for e in events if e["kind"] == "metric"), *measured_after(metrics)]
        told = by_step(told) if one else told
        keys = {key for each in told for key in each}
        figures = [plots.convergence(told)] if any("bits_per_byte" in key for key in keys) else []
        figures += [plots.loss(told)] if "loss" in keys else []
        shown = list(self.curves.children)
        for n, figure in enumerate(figures):
            figure.update_layout(width=460)
            if n == len(shown):
                shown.append(go.FigureWidget(figure))
                continue
            if len(shown[n].data) != len(figure.data):
                shown[n] = go.FigureWidget(figure)
                continue
            with shown[n].batch_update():
                shown[n].layout.title.text = figure.layout.title.text
                for old, new in zip(shown[n].data, figure.data, strict=True):
                    old.x, old.y, old.name = new.x, new.y, new.name
        self.curves.children = tuple(shown)


def _told(events: list[dict[str, Any]]) -> str:
    """Warnings, and the last texts that the model wrote."""
    mark = "border-left:3px solid #d0812c; padding-left:0.6em"
    warnings = "".join(f'<div style="{mark}">{escape(e["message"])}</div>' for e in events if e["kind"] == "warning")
    rows = ""
    for event in [e for e in events if e["kind"] == "sample"][-3:]:
        step, prompt = (escape(str(event["data"].get(key, ""))) for key in ("step", "prompt"))
        rows += f'<tr><td>step {step}</td><td dir="auto"><b>{prompt}</b> {escape(event["message"])}</td></tr>'
    return warnings + (f"<table>{rows}</table>" if rows else "")
