"""A side's reply as it grows on the page, and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from ... import chat as core
from ...chat.comparisons import Comparison, open_comparison
from ...errors import WorkbenchError
from .bubbles import talk_html

EVERY, RARELY = 0.08, 0.5  # seconds between two updates of a side, at first and in a long reply
NO_LEP = "There is no adapted chat model yet: run LEP on the Transfer page, or the whole demo on the Start page."

_stops: dict[tuple[str, str], threading.Event] = {}


def answering(side: str, advice: str = "") -> Callable[..., Iterator[list[Any]]]:
    """The generator that streams a side's reply to the last question: its conversation, and its stop button. `advice`: said where the side has no model."""

    def stream(request: gr.Request, reference: str) -> Iterator[list[Any]]:
        on, off = gr.update(interactive=True), gr.update(interactive=False)
        talk = open_comparison(reference)
        if side not in talk.models:
            yield [talk_html(side, note=advice) if advice else gr.skip(), off]
            return
        place = (request.session_hash or "", side)
        stop_one(place)
        stop = _stops[place] = threading.Event()
        try:
            yield [talk_html(side, talk, {}, "" if core.loaded(talk.models[side]) else "loading the model …"), on]
            with closing(replies(talk, side, stop)) as growing:
                for reply in growing:
                    if reply.finish:
                        talk.answer(side, reply)
                    yield [talk_html(side, talk, None if reply.finish else {"text": reply.text}), off if reply.finish else on]
        except WorkbenchError as error:
            yield [talk_html(side, talk, note=str(error)), off]
        except Exception as error:  # a bug, of whatever kind: the side says so, and it is raised again
            yield [talk_html(side, talk, note=f"This is a bug in the workbench ({type(error).__name__})."), off]
            raise
        finally:  # also where the page was closed: the generator is closed then, and with it the reply
            stop.set()
            if _stops.get(place) is stop:
                del _stops[place]

    return stream


def replies(talk: Comparison, side: str, stop: threading.Event) -> Iterator[core.Reply]:
    """The reply as the page sees it: the first token at once, then ever less often, as each update has the browser go through the whole page."""
    chatter = core.load(talk.models[side])
    started, due = time.monotonic(), 0.0
    with closing(core.reply(chatter, talk.messages(side), core.Sampling(**talk.options), stop, EVERY)) as growing:
        for reply in growing:
            now = time.monotonic()
            if reply.finish or now >= due:
                yield reply
                due = now + min(max(EVERY, (now - started) / 20), RARELY)


def stopper(side: str) -> Callable[[gr.Request], None]:
    def stop(request: gr.Request) -> None:
        stop_one((request.session_hash or "", side))

    return stop


def stop_one(place: tuple[str, str]) -> None:
    if event := _stops.get(place):
        event.set()


def stop_all(session: str) -> None:
    """End what is being written for a visitor: a new question takes its place."""
    for place in [p for p in list(_stops) if p[0] == session]:
        stop_one(place)
