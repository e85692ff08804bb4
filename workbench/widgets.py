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
    from .specs import Step
    from .store import Artefact
    from .tokenizer import Biography, Trace

CHARACTERS = 3_000  # of the live text
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


def show(result: Trace | Biography) -> ipywidgets.Widget:
    """A trace (every word with its steps) or the biography of a token, as the app shows it."""
    import ipywidgets

    from . import tracehtml
    from .tokenizer import Trace

    return ipywidgets.HTML(_style() + (tracehtml.trace_html(result) if isinstance(result, Trace) else tracehtml.biography_html(result)))


def explain(model: Any, token: str | int) -> ipywidgets.Widget:
    """Why a token's vector is what it is in a model that a transfer made, or that was trained or made by LEP from such a one."""
    import ipywidgets

    from .explainhtml import explanation_html
    from .transfer import explain as explained

    return ipywidgets.HTML(_style() + explanation_html(explained(model, token)))


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
