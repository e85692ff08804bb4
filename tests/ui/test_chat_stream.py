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
    assert turns.of("cpu").waiting == 1
    started = time.perf_counter()
    growing.close()  # what Gradio does when a page is closed
    assert turns.of("cpu").waiting == 0
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
    assert turns.of("cpu").waiting == 1
    streams["theirs"].close()


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
