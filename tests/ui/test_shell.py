"""What an event costs the browser, and that fields which come together arrive as those that come one by one."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
import pytest

from workbench.errors import WorkbenchError
from workbench.ui.app import build_app
from workbench.ui.messages import guarded
from workbench.ui.shell import GATHER, Shell


def gathered(function: Any, inputs: list[Any]) -> tuple[gr.Blocks, Any]:
    """A page with one such event, and its function as the server calls it."""
    with gr.Blocks() as page:
        shell = Shell()
        for component in inputs:
            component.render()
        said = gr.HTML()
        shell.gather(gr.Button().click, function, inputs, said)
    return page, next(fn for fn in page.fns.values() if fn.fn is not None)


def test_fields_and_states_come_in_their_order_and_as_events_give_them() -> None:
    given: list[tuple[Any, ...]] = []
    inputs = [
        gr.Textbox(render=False), gr.State("kept", render=False), gr.Number(precision=0, render=False), gr.Slider(0, 1, render=False),
        gr.Checkbox(render=False), gr.Dropdown(["a", "b"], multiselect=True, render=False), gr.Dropdown(["a"], render=False), gr.State([], render=False),
    ]  # fmt: skip
    page, event = gathered(guarded(lambda *values: given.append(values)), inputs)
    sent = ["лес “<b>”", 3.0, 0.25, True, ["b"], None]
    event.fn(None, json.dumps(sent), "held", [1])
    assert given == [("лес “<b>”", "held", 3, 0.25, True, ["b"], None, [1])]
    assert isinstance(given[0][2], int)
    assert [block.__class__ for block in event.inputs] == [gr.Textbox, gr.State, gr.State]
    front = next(fn for fn in page.fns.values() if fn.fn is None)
    assert front.inputs == [c for c in inputs if not isinstance(c, gr.State)]
    assert front.outputs == event.inputs[:1]


def test_who_asks_for_the_request_gets_it() -> None:
    def told(request: gr.Request, text: str) -> tuple[Any, str]:
        return request, text

    _, event = gathered(told, [gr.Textbox(render=False)])
    assert event.fn("the request", json.dumps(["bear"])) == ("the request", "bear")


def test_a_number_out_of_bounds_is_refused_as_ever() -> None:
    _, event = gathered(lambda value: value, [gr.Number(minimum=1, render=False)])
    with pytest.raises(gr.Error, match="minimum"):
        event.fn(None, json.dumps([0]))


def test_an_event_has_few_inputs_for_which_the_browser_searches_the_page() -> None:
    """At every event, from then on: what lies in the hidden place is found first, all else after hundreds of components."""
    page = build_app()
    config = page.get_config_file()
    order: list[int] = []

    def walk(node: dict[str, Any]) -> None:
        order.append(node["id"])
        for child in node.get("children") or []:
            walk(child)

    walk(config["layout"])
    near = set(order[: order.index(next(block._id for block in page.blocks.values() if block.elem_id == "sidebar"))])
    states = {block._id for block in page.blocks.values() if isinstance(block, gr.State)}
    assert states
    far = {d["id"]: set(d["inputs"]) - near for d in config["dependencies"] if d["backend_fn"]}
    assert max(map(len, far.values())) <= 2
    assert len(set().union(*far.values())) <= 15
    assert not states & set().union(*far.values())


def test_the_last_change_is_never_left_out() -> None:
    """An event after another one would be skipped where one is under way; what comes after the fields were gathered keeps the way of its trigger."""
    events = {d["id"]: d for d in build_app().get_config_file()["dependencies"]}
    pairs = [(events[d["trigger_after"]], d) for d in events.values() if d["trigger_after"] is not None and d["backend_fn"]]
    gathered = [(first, then) for first, then in pairs if not first["backend_fn"] and first["js"] == GATHER]
    assert len(gathered) > 40
    lost = [first["targets"] for first, then in gathered if first["trigger_mode"] == "always_last" != then["trigger_mode"]]
    assert lost == []


def test_what_is_made_renews_all_pages_at_once() -> None:
    """One event for all of them: at each, the browser goes through the whole page."""
    page = build_app()
    assert sum(fn.name == "renewed" for fn in page.fns.values()) == 1
    before = {d["id"]: d for d in page.get_config_file()["dependencies"]}
    renewed = next(d for d in before.values() if page.fns[d["id"]].name == "renewed")
    world = before[renewed["trigger_after"]]["targets"]
    assert [d["id"] for d in before.values() if d["targets"] == world] == [renewed["trigger_after"]]


def test_one_page_that_cannot_be_renewed_leaves_the_others(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(gr, "Warning", lambda message, title: said.append((title, message)))
    with gr.Blocks() as page:
        shell = Shell()
        field, first, second, third, fourth = gr.Textbox(), gr.HTML(), gr.HTML(), gr.HTML(), gr.HTML()

        def fails(_: str) -> list[str]:
            raise ZeroDivisionError

        def refused() -> list[str]:
            raise WorkbenchError("Load <the demo>.")

        shell.renew(fails, [field], [first, second])
        shell.renew(refused, [], [third])
        shell.renew(lambda text: [text.upper()], [field], [fourth])
        shell._renew_all()
    event = next(fn for fn in page.fns.values() if fn.fn is not None)
    skipped = gr.skip()
    assert event.fn(None, json.dumps(["bear", "wolf"])) == [skipped, skipped, skipped, "WOLF"]
    assert [title for title, _ in said] == ["Bug", "Not yet"]
    assert said[1][1] == "Load &lt;the demo&gt;."
    assert "ZeroDivisionError" in capsys.readouterr().err
