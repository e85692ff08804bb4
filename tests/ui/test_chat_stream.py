"""Streams of the Chat page without a browser: many visitors at once, and one who leaves in mid-reply."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny

from workbench import chat
from workbench.chat import turns
from workbench.errors import WorkbenchError
from workbench.ui.chat import streaming


@pytest.fixture
def endless(tmp_path: Path) -> str:
    """A model that never ends a reply by itself and reads very long ones."""
    place = tiny.folder(tmp_path / "endless", chat=True)
    about = json.loads((place / "config.json").read_text()) | {"max_position_embeddings": 20_000}
    (place / "config.json").write_text(json.dumps(about))
    (place / "generation_config.json").write_text(json.dumps({"eos_token_id": 0}))
    return str(place)


def asked(models: list[str], question: str = "who lives in the house", **options: object) -> chat.Comparison:
    talk = chat.begin(models)
    talk.ask(question, options=options)
    return talk


def stream(talk: chat.Comparison, side: str = "A", session: str = "x") -> Iterator[list]:
    return streaming.answering(side)(SimpleNamespace(session_hash=session), talk.id)


def test_a_page_that_is_closed_ends_the_reply_within_a_second(endless) -> None:
    growing = stream(asked([endless], max_tokens=8000))
    for _ in range(3):
        next(growing)
    assert chat.load(endless).use.count == 1
    started = time.perf_counter()
    growing.close()  # what Gradio does when a page is closed
    assert chat.load(endless).use.count == 0
    assert time.perf_counter() - started < 1
    assert streaming._stops == {}


def test_the_stop_of_one_visitor_is_not_another_ones(endless) -> None:
    talks = {session: asked([endless], max_tokens=8000) for session in ("mine", "theirs")}
    streams = {session: stream(talk, session=session) for session, talk in talks.items()}
    for each in streams.values():
        next(each), next(each)
    streaming.stopper("A")(SimpleNamespace(session_hash="mine"))
    *_, (html, _) = streams["mine"]
    assert "stopped" in html
    assert chat.load(endless).use.count == 1
    streams["theirs"].close()
    assert chat.load(endless).use.count == 0


def test_twenty_visitors_at_once_each_get_the_reply_to_their_own_question(tmp_path) -> None:
    models = [str(tiny.folder(tmp_path / name, chat=True, seed=n)) for n, name in enumerate(("one", "two"))]
    talks = [asked(models, f"the bear {n} lives", max_tokens=12, temperature=1.0, seed=n) for n in range(20)]

    def visit(number: int, side: str) -> None:
        list(stream(talks[number], side, f"visitor {number}"))

    threads = [threading.Thread(target=visit, args=(number, side)) for number in range(20) for side in "AB"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for number, talk in enumerate(talks):
        told = chat.open_comparison(talk.id)
        for side, model in zip("AB", models, strict=True):
            chatter = chat.load(model)
            *_, alone = chat.reply(chatter, told.messages(side), chat.Sampling(**told.options))
            said = told.turns[0].replies[side]
            assert (said["text"], said["fingerprint"]) == (alone.text, chatter.fingerprint)
            assert told.turns[0].question == f"the bear {number} lives"
            assert said["prompt_tokens"] == alone.prompt_tokens
    assert turns.of("cpu").waiting == 0


def test_a_late_reply_to_an_edited_question_is_none_to_the_new_one(tmp_path) -> None:
    model = str(tiny.folder(tmp_path / "one", chat=True))
    talk = asked([model], max_tokens=4)
    late = chat.open_comparison(talk.id)
    *_, said = chat.reply(chat.load(model), late.messages("A"), chat.Sampling(max_tokens=4))
    talk.ask("the red ball", 0)
    late.answer("A", said)
    assert chat.open_comparison(talk.id).turns[0].replies == {}


def test_what_goes_wrong_on_one_side_is_a_sentence_there(tmp_path) -> None:
    model = str(tiny.folder(tmp_path / "one", chat=True))
    *_, (html, _) = stream(asked([model], "bear " * 200))
    assert "reads only 64" in html
    *_, (html, _) = streaming.answering("B", "Make one first.")(SimpleNamespace(session_hash="x"), asked([model]).id)
    assert "Make one first." in html


def test_what_is_pressed_gives_every_part_of_the_page_its_update(tmp_path) -> None:
    """Blind vote, reveal, export and link, as the page calls them; each gives as many updates as the event has outputs."""
    import gradio as gr

    from workbench import steps
    from workbench.ui.chat import asking, showing, talking
    from workbench.ui.forms import Form
    from workbench.ui.shell import Shell

    with gr.Blocks() as blocks:
        talking.build(Shell())
        form = Form(steps.find("chat"), hide=("models", "prompt", "device", "dtype"))
    outputs = {f.name: len(f.outputs) for f in blocks.fns.values()}
    models = [str(tiny.folder(tmp_path / name, chat=True, seed=n)) for n, name in enumerate(("one", "two"))]
    request, values = SimpleNamespace(session_hash="x"), [f.component.value for f in form.fields]
    given = {"max_tokens": 4}
    values = [given.get(f.knob.name, value) for f, value in zip(form.fields, values, strict=True)]

    told = asking.ask(request, form, "the bear", "", None, 2, True, *models, None, None, *values)
    reference = told[1]
    for side in "AB":
        list(stream(chat.open_comparison(reference), side))
    settled = showing.settled(reference)
    assert len(settled) == outputs["settled"]
    voted = asking.voter("A")(reference)
    assert len(voted) == outputs["vote"]
    assert not any(model in str(voted) for model in models)
    assert "A is better" in str(voted)
    assert not any(model in asking.saved(reference, "markdown") for model in models)
    revealed = asking.revealed(reference)
    assert len(revealed) == outputs["revealed"]
    assert all(model in str(revealed) for model in models)
    assert "Vote: A" in asking.saved(reference, "markdown")
    opened = asking.reopened(SimpleNamespace(_data={"chat": reference}))
    assert len(opened) == outputs["reopened"]
    assert opened[:3] == [reference, 2, True]
    said = [turn.replies[side]["text"] for turn in chat.open_comparison(reference).turns for side in "AB"]
    assert len(said) == 2
    assert len(told) == len(asking.anew(request, True)) - len(settled)
    assert len(asking.arranged(3, False, reference)) == outputs["arranged"]
    tokens = showing.pressed(SimpleNamespace(_data={"do": "tokens", "turn": "0", "side": "B"}), reference)
    assert len(tokens) == outputs["pressed"]
    assert 'class="choice"' in tokens[-1]
    edited = showing.pressed(SimpleNamespace(_data={"do": "edit", "turn": "0", "side": ""}), reference)
    assert edited[:2] == ["the bear", 0]
    again = asking.ask(request, form, "the fox", reference, 0, 2, True, *models, None, None, *values)
    assert again[1] == reference
    assert [turn.question for turn in chat.open_comparison(reference).turns] == ["the fox"]
    for odd in ({"do": "tokens", "turn": "7", "side": "A"}, {"do": "tokens", "turn": "0", "side": "<b>"}, {"turn": "x"}, None):
        with pytest.raises(WorkbenchError, match="no longer shown"):
            showing.pressed(SimpleNamespace(_data=odd), reference)
    with pytest.raises(WorkbenchError, match="no conversation"):
        asking.reopened(SimpleNamespace(_data={"chat": "../../x"}))
    with pytest.raises(WorkbenchError, match="At temperature 0"):
        asking.regenerate(request, form, reference, *values)
