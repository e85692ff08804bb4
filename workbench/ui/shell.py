"""What the pages share: one clock, the reference pickers, the code blocks and the tabs."""

from __future__ import annotations

import hashlib
import html
import inspect
import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain as chained
from itertools import islice
from typing import Any

import gradio as gr
from gradio import layouts

from .. import refs, store
from . import chain, sidebar
from .forms import Field, Form, choices
from .messages import guarded
from .panel import JobPanel


def _top() -> layouts.Form:
    """A hidden place; a form, because fields without one get one each, which would be walked through as well."""
    with gr.Column(elem_id="gathered"):  # the style sheet hides it: a column that is not visible leaves a gap
        return layouts.Form()


@dataclass
class Shell:
    """Collects what pages draw, then ties it together in `connect`."""

    panels: list[JobPanel] = field(default_factory=list)
    forms: list[tuple[Form, gr.HTML]] = field(default_factory=list)
    renewals: list[tuple[Callable[..., list[Any]], list[Any], list[Any]]] = field(default_factory=list)
    world: gr.State = field(default_factory=lambda: gr.State(""))  # changes when an artefact or the journey does
    offered: gr.State = field(default_factory=lambda: gr.State([]))  # what the chain offers; it changes once the fields that follow the chain are set
    anchor: gr.HTML = field(default_factory=lambda: gr.HTML(visible=False))
    top: layouts.Form = field(default_factory=_top)  # holds what the browser is to find first
    edited: gr.State = field(default_factory=lambda: gr.State({}))  # form's number → its values when the user last changed one
    tabs: gr.Tabs | None = None

    @property
    def quiet(self) -> dict[str, Any]:
        """For events without a spinner. At every event the browser searches the page for each component that ever had a
        spinner, so naming one that comes first, instead of all outputs, is what keeps the page quick."""
        return {"show_progress": "hidden", "show_progress_on": self.anchor, "api_visibility": "private"}

    def code(self, form: Form) -> None:
        """Show the Python and the command of what a form is set to, where the reader asked for code."""
        self.forms.append((form, code_block()))
        self.gather(form.edits, *self._edit(form), trigger_mode="always_last", **self.quiet)

    def filled(self, form: Form, event: Any) -> None:
        """What an event of the page (an upload) puts into a field counts as the user's own edit, of which the field itself does not tell."""
        self.gather(event.success, *self._edit(form), trigger_mode="always_last", **self.quiet)

    def number(self, form: Form) -> int:
        """Under which `edited` holds a form."""
        return next(n for n, (each, _) in enumerate(self.forms) if each is form)

    def _edit(self, form: Form) -> tuple[Any, ...]:
        """Remember what the form holds and show its code: function, inputs and outputs of an event."""
        number = self.number(form)

        def edited(held: dict[int, list[Any]], *values: Any) -> list[Any]:
            held[number] = list(values)  # in place: a new dictionary would lose what another form writes at the same time
            return [held, code_html(form.code(*values))]

        return edited, [self.edited, *form.inputs], [self.edited, self.forms[number][1]]

    def gather(self, triggers: Any, function: Callable[..., Any], inputs: Sequence[Any], outputs: Any, **options: Any) -> Any:
        """An event to which many fields come as one input, put together by the browser in a box at the top of the page.

        At every event the browser searches the page, from the top, for each component that was ever an input: where fields come one by one, an
        edit on a page in which a few forms were edited takes three times as long (tests/benchmarks/bench_page.py). The function may ask for the
        `request`, not for what the event itself tells, and it returns, and does not yield. Without a `trigger_mode` it has that of its first trigger.
        """
        with self.top:
            box = gr.Textbox(visible="hidden")
        fields = [c for c in inputs if not isinstance(c, gr.State)]
        asks = "request" in inspect.signature(function).parameters

        def whole(request: gr.Request, held: str, *states: Any) -> Any:
            values, kept = iter(json.loads(held)), iter(states)
            given = [next(kept) if isinstance(c, gr.State) else _taken(c, next(values)) for c in inputs]
            return function(request, *given) if asks else function(*given)

        whole.__name__ = function.__name__
        begin = triggers if callable(triggers) else partial(gr.on, triggers)
        first = begin(None, fields, box, js=GATHER, **self.quiet)
        states = [c for c in inputs if isinstance(c, gr.State)]
        return first.then(whole, [box, *states], outputs, **{"trigger_mode": first["trigger_mode"], **options})

    def renew(self, function: Callable[..., list[Any]], inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Whenever an artefact or the journey changes, and once at the beginning, `function` of the inputs gives the outputs anew."""
        self.renewals.append((function, list(inputs), list(outputs)))

    def connect(self, blocks: gr.Blocks, side: sidebar.Sidebar) -> None:
        """One clock for all panels and the sidebar; references follow the chain.

        Each second the page asks for one word, past Gradio's queue, and only when the word has changed is there an event, one for
        all that is to be drawn again: at each, the browser goes through all components of the page for every input of every event
        so far. An event a second kept a third of a core busy, and one for each part that changed a whole one while a job ran.
        """
        parts = [(side.key, side.draw, side.polled), *((panel.key, panel.draw, panel.polled) for panel in self.panels)]
        keys = [world_now, *(key for key, *_ in parts)]
        seen = gr.State([""] * len(keys))

        def word(_: object = None) -> str:
            return hashlib.sha256(repr([key() for key in keys]).encode()).hexdigest()

        def tick(before: list[str]) -> list[Any]:
            now = [key() for key in keys]
            changed = [new != old for new, old in zip(now, before, strict=True)]
            drawn = [draw() if new else [gr.skip()] * len(polled) for (_, draw, polled), new in zip(parts, changed[1:], strict=True)]
            return [now, now[0] if changed[0] else gr.skip(), *chained.from_iterable(drawn)]

        for block in list(blocks.blocks.values()):
            if isinstance(block, gr.State):  # looked for as often as any other input
                block.parent.children.remove(block)
                self.top.add(block)
        clock = gr.HTML("", visible="hidden", js_on_load=CLOCK, server_functions=[word])
        outputs = [seen, self.world, *chained.from_iterable(polled for *_, polled in parts)]
        clock.tick(tick, seen, outputs, trigger_mode="always_last", concurrency_limit=4, **self.quiet)
        self._follow_chain()
        self._renew_all()

    def _renew_all(self) -> None:
        """One event for all pages, as in `connect`. One that fails says so, and leaves its part of the page as it was."""
        renewals = list(self.renewals)

        def renewed(*values: Any) -> list[Any]:
            given, updates = iter(values), []
            for function, inputs, outputs in renewals:
                try:
                    updates += guarded(function)(*islice(given, len(inputs)))
                except gr.Error as error:
                    updates += [gr.skip()] * len(outputs)
                    if error.__cause__:
                        traceback.print_exception(error.__cause__)
                    gr.Warning(error.message, title=error.title)
            return updates

        inputs, outputs = ([c for renewal in renewals for c in renewal[part]] for part in (1, 2))
        self.gather(self.world.change, renewed, inputs, outputs, concurrency_limit=4, **self.quiet)

    def _follow_chain(self) -> None:
        """When the journey moves on, the references that follow it move too; those that the user set stay until then, and numbers for good.

        The first offer comes a moment after the page: what the user has set before it (an upload, a number) stays as well.
        No component is an input here, for the same reason as in `quiet`.
        """
        following = [(n, form, f) for n, (form, _) in enumerate(self.forms) for f in form.followers]
        blocks = [block for _, block in self.forms]

        def refresh(before: list[Any], edited: dict[int, list[Any]]) -> list[Any]:
            now = chain.current()
            listed = {kind: choices(kind) for kind in {f.knob.ref for *_, f in following if f.knob.ref}}
            offers = [_suggested(form, f, now) for _, form, f in following]
            for n, (form, _) in enumerate(self.forms):
                edited.setdefault(n, [f.component.value for f in form.fields])
            updates = []
            for (n, form, f), new, old in zip(following, offers, before or [None] * len(offers), strict=True):
                held, place = edited[n], form.fields.index(f)
                moves = new not in (None, []) and new != old and not (_stays(f, not before) and _set_by_user(f, held[place], old))
                if moves:
                    held[place] = new
                updates.append(gr.update(**({"choices": listed[f.knob.ref]} if f.knob.ref else {}), **({"value": new} if moves else {})))
            code = [code_html(form.code(*edited[n])) for n, (form, _) in enumerate(self.forms)]
            return [offers, edited, *updates, *code]

        outputs = [self.offered, self.edited, *(f.component for *_, f in following), *blocks]
        self.renew(refresh, [self.offered, self.edited], outputs)


def _taken(component: gr.components.Component, value: Any) -> Any:
    """A value as the component gives it to an event. What there is to choose from is known to the session alone; forms look at that themselves."""
    return value if isinstance(component, gr.Dropdown | gr.Radio) else component.preprocess(value)


def _stays(picker: Field, first: bool) -> bool:
    """Whether an offer leaves what the user has set here."""
    return first or picker.knob.type in (int, float)


def _set_by_user(picker: Field, held: Any, offered: Any) -> bool:
    """Whether a field holds something that is neither its default nor what was offered."""
    return held not in (None, "", []) and all(held != other and str(held) != str(other) for other in (picker.component.value, offered))


def _suggested(form: Form, picker: Field, now: chain.Chain) -> Any:
    """What the chain offers for a reference, as one value or as a list, whichever the knob takes."""
    suggest = form.suggest.get(f"{picker.knob.variant}.{picker.knob.name}") or form.suggest.get(picker.knob.name)
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


GATHER = "(...values) => JSON.stringify(values)"

COPY = """element.addEventListener('click', (event) => {
  const button = event.target.closest('.copy');
  if (button) navigator.clipboard.writeText(button.parentElement.querySelector('pre').innerText).then(() => { button.innerText = 'copied'; });
});"""

# A failed look is tried again: the app may be busy, and when it has gone for good the next click says so.
CLOCK = """let seen;
const look = async () => {
  try {
    const now = await server.word();
    if (now !== seen) trigger('tick');
    seen = now;
  } catch (error) { seen = undefined; }
  setTimeout(look, 1000);
};
look();"""
