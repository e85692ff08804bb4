"""What happens to a conversation when something is pressed: asked, said again, judged, revealed, opened by its link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ... import chat as core
from ... import refs
from ...chat.comparisons import SIDES, Comparison, open_comparison
from ...errors import WorkbenchError
from .. import chain
from ..forms import Form, choices
from ..offering import Offer
from . import streaming
from .showing import WORDS, drawn, opened, settled


def ask(
    request: gr.Request, form: Form, question: str, reference: str, editing: int | None, count: int, blind: bool, a: Any, b: Any, c: Any, d: Any, *values: Any
) -> list[Any]:
    """Put the question to all sides; other models than before, or another mode, begin another conversation."""
    if not question.strip():
        raise WorkbenchError("The question is empty; type something.")
    models = [model or "" for model in (a, b, c, d)][:count]
    if not any(models):
        raise WorkbenchError("No model is chosen; load the demo on the left, or choose one for each side.")
    for model in filter(None, models):
        refs.locate(model)
    options = sampling(form, values, models)
    streaming.stop_all(request.session_hash or "")
    talk = going_on(reference, models, blind) or core.begin(models, blind)
    talk.ask(question, editing, options)
    return ["", talk.id, third(talk), None, "", "", *drawn(talk, writing=True)]


def regenerate(request: gr.Request, form: Form, reference: str, *values: Any) -> list[Any]:
    """Put the last question again, with the next seed where the model samples."""
    talk = opened(reference, "There is nothing to say again yet; ask something first.")
    options = sampling(form, values, list(talk.models.values()))
    before = talk.options
    if options["temperature"] == 0 and options | {"seed": 0} == before | {"seed": 0}:
        raise WorkbenchError("At temperature 0 the same question gets the same reply; set the temperature above 0, or change the question.")
    if options["seed"] <= before.get("seed", 0):
        options["seed"] = before.get("seed", 0) + 1
    streaming.stop_all(request.session_hash or "")
    talk.ask(talk.turns[-1].question, len(talk.turns) - 1, options)
    return [gr.skip(), talk.id, third(talk), None, "", "", *drawn(talk, writing=True)]


def third(talk: Comparison) -> Any:
    """A word that is new with every question to more than two sides."""
    return talk.turns[-1].asked if set(talk.models) & set(SIDES[2:]) else gr.skip()


def going_on(reference: str, models: list[str], blind: bool) -> Comparison | None:
    """The conversation in hand, where it is of the same models in the same mode."""
    if not reference:
        return None
    talk = open_comparison(reference)
    held = sorted(talk.models.values()) == sorted(filter(None, models)) if blind else talk.models == {s: m for s, m in zip(SIDES, models, strict=False) if m}
    return talk if held and talk.blind == blind else None


def sampling(form: Form, values: tuple[Any, ...], models: list[str]) -> dict[str, Any]:
    return form.read(*values, models=tuple(filter(None, models)), prompt="-").sampling().model_dump()


def voter(verdict: str) -> Callable[[str], list[Any]]:
    def vote(reference: str) -> list[Any]:
        talk = opened(reference, "There is nothing to vote on yet; ask something first.")
        talk.judge(verdict)
        return [*drawn(talk), *settled(talk.id)]

    return vote


def revealed(reference: str) -> list[Any]:
    talk = opened(reference, "There is nothing to reveal yet; ask something first.")
    talk.reveal()
    return [*drawn(talk), *settled(talk.id)]


def anew(request: gr.Request, blind: bool) -> list[Any]:
    streaming.stop_all(request.session_hash or "")
    hidden = [gr.update(visible=False), *[gr.skip()] * (len(SIDES) + len(WORDS)), gr.update(visible=False), "", gr.update(visible=False), "", ""]
    return [gr.skip(), "", gr.skip(), None, "", "", *drawn(None, blind=blind), *hidden]


def arranged(count: int, blind: bool, reference: str) -> list[Any]:
    """As many columns as there are sides."""
    talk = open_comparison(reference) if reference else None
    boxes = [gr.update(visible=number < count) for number in range(len(SIDES)) for _ in range(2)]
    return [*boxes, *drawn(talk if talk and talk.blind == blind else None, blind=blind)[: len(SIDES)]]


def reopened(event: gr.EventData) -> list[Any]:
    """A conversation by its link; of a blind one the models stand in the order of their names."""
    talk = open_comparison(str((event._data or {}).get("chat", "")) if isinstance(event._data, dict) else "")
    held = dict(zip(SIDES, sorted(talk.models.values()), strict=False)) if talk.blind else talk.models
    count = max(2, max(SIDES.index(side) for side in talk.models) + 1)
    models = [gr.update(value=held.get(side)) for side in SIDES]
    return [talk.id, count, talk.blind, *models, *drawn(talk), *settled(talk.id)]


def saved(reference: str, kind: str) -> str:
    """The conversation in a format."""
    opened(reference, "There is nothing to save yet; ask something first.")
    return core.export(reference, kind)


def offered() -> Offer:
    """The chain's chat models for the first two sides."""
    now = chain.current()
    return choices("model"), (now.instruct, now.lep, None, None)
