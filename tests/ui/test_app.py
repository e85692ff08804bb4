"""The app as it is built: its pages, its forms, and what it does not ask of anyone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any, ClassVar, Literal

import gradio as gr
import pytest
from pydantic import Field

from workbench import chiphtml, plots, steps, store
from workbench.errors import WorkbenchError
from workbench.specs import ModelRef, Step, TextRef, build, command_line
from workbench.ui import chain, messages
from workbench.ui.app import PAGES, build_app, launch
from workbench.ui.forms import Form
from workbench.ui.theme import css, theme


class Example(Step):
    """A step of these tests only."""

    command: ClassVar[str] = "example"
    model: ModelRef = Field(description="Which model.")
    texts: tuple[TextRef, ...] = Field(description="Which texts.")
    share: float = Field(0.5, ge=0, le=1, description="A share.")
    rate: float = Field(2e-3, gt=0, le=1, description="Too small a number for a slider.")
    count: int = Field(3, ge=1, le=9, description="A count.")
    limit: int | None = Field(None, ge=1, description="Possibly none.")
    kind: Literal["one", "two"] = Field("one", description="A choice.")
    careful: bool = Field(True, description="A switch.")
    words: tuple[str, ...] = Field((), description="Some words.")
    depth: int = Field(7, description="For those who know.", json_schema_extra={"advanced": True})


def form_of(step: type[Step], **options: Any) -> Form:
    with gr.Blocks():
        return Form(step, **options)


@pytest.fixture(scope="module")
def blocks() -> gr.Blocks:
    return build_app()


def test_every_page_is_there_and_has_its_noun(blocks: gr.Blocks) -> None:
    tabs = [b.label for b in blocks.blocks.values() if isinstance(b, gr.Tab)]
    assert [page.NAME for page in PAGES] == [t for t in tabs if t in {p.NAME for p in PAGES}]
    for page in PAGES:
        assert page.__name__.rsplit(".", 1)[1] == page.NAME.lower()
        assert page.ABOUT.endswith(".")


def test_no_component_asks_anything_of_another_machine(blocks: gr.Blocks) -> None:
    props = [component["props"] for component in blocks.get_config_file()["components"]]
    said = json.dumps(props, default=str) + css() + theme()._get_theme_css()
    assert set(re.findall(r"https?://[^\s\"'\\)]+", said)) <= {"http://www.w3.org/2000/svg"}
    assert "fonts.googleapis" not in said
    assert plots.CONFIG["showSendToCloud"] is False


def test_no_event_has_an_address_of_its_own(blocks: gr.Blocks) -> None:
    assert {f.api_visibility for f in blocks.fns.values()} == {"private"}


def test_buttons_all_do_something(blocks: gr.Blocks) -> None:
    clicked = {target for f in blocks.fns.values() for target, event in f.targets if event == "click"}
    dead = [b.value for b in blocks.blocks.values() if isinstance(b, gr.Button) and b._id not in clicked]
    assert dead == []


def test_a_form_has_every_knob_with_its_help() -> None:
    form = form_of(Example)
    names = [f.knob.name for f in form.fields]
    assert sorted(names) == sorted(Example.model_fields)
    assert all(f.component.info == f.knob.help for f in form.fields)
    kinds = {f.knob.name: type(f.component) for f in form.fields}
    assert kinds["share"] is gr.Slider
    assert kinds["rate"] is gr.Number
    assert kinds["kind"] is gr.Radio
    assert kinds["careful"] is gr.Checkbox
    assert kinds["model"] is gr.Dropdown


def test_a_new_knob_appears_with_no_other_edit() -> None:
    class Longer(Example):
        """The same with one knob more."""

        extra: int = Field(4, ge=0, le=10, description="A new one.")

    assert form_of(Longer).component("extra").label == "Extra"


def test_a_form_reads_back_as_the_step() -> None:
    form = form_of(Example)
    given = {
        "model": "demo:en-base",
        "texts": ["demo:ru"],
        "share": 0.25,
        "rate": 0.01,
        "count": 4,
        "limit": "12",
        "kind": "two",
        "careful": False,
        "words": "a, b",
        "depth": 1,
    }
    step = form.read(*(given[f.knob.name] for f in form.fields))
    assert step.model_dump() | {"texts": ("demo:ru",), "words": ("a", "b"), "limit": 12} == step.model_dump()
    assert (step.share, step.kind, step.careful) == (0.25, "two", False)
    assert "--share 0.25" in command_line(step)


def test_what_is_missing_is_said_in_one_sentence() -> None:
    form = form_of(Example)
    with pytest.raises(WorkbenchError, match="needs 'model'"):
        form.read(*(f.component.value for f in form.fields))
    assert form.code(*(f.component.value for f in form.fields)).startswith("# example needs")


def test_only_the_knobs_of_the_chosen_variant_are_read() -> None:
    form = form_of(steps.find("transfer"))
    values = {f.knob.name: f.component.value for f in form.fields} | {"model": "demo:en-base", "tokenizer": "demo:en-base", "method": "mean"}
    step = form.read(*(values[f.knob.name] if not f.knob.variant else f.component.value for f in form.fields))
    assert step.method.method == "mean"


def test_every_step_on_a_page_shows_code_that_makes_it_again() -> None:
    step = build(steps.find("tokenizer.extend"), {"base": "demo:en-base", "text": "demo:ru", "new_tokens": 50})
    from workbench.ui.forms import code_of

    assert "wb.run(" in code_of(step)
    assert "workbench tokenizer extend" in code_of(step)


def test_the_chain_follows_the_newest_lineage() -> None:
    assert not chain.current().loaded
    now = chain.load_demo()
    assert (now.source, now.text, now.tokenizer, now.models) == ("demo:en-base", "demo:ru", "", ["demo:en-base"])
    tokenizer = artefact("tokenizer", {"step": "tokenizer.extend", "base": "demo:en-base", "text": "demo:ru"})
    moved = artefact("model", {"step": "transfer", "model": "demo:en-base", "tokenizer": tokenizer})
    trained = artefact("model", {"step": "train", "model": moved, "text": "demo:ru"})
    now = chain.current()
    assert (now.tokenizer, now.transfer, now.trained, now.lep) == (tokenizer, moved, trained, "")
    assert now.models == ["demo:en-base", moved, trained]
    again = artefact("tokenizer", {"step": "tokenizer.extend", "base": "demo:en-base", "text": "demo:ru"})
    assert (chain.current().tokenizer, chain.current().transfer) == (again, "")
    assert chain.pin(trained).trained == trained
    assert chain.load_demo().tokenizer == ""


def artefact(kind: str, spec: dict[str, Any]) -> str:
    import secrets
    import time

    new = f"{kind}-{secrets.token_hex(4)}"
    (store.folder() / new).mkdir()
    manifest = {"id": new, "kind": kind, "name": "", "created": time.time(), "spec": spec, "parents": [], "metrics": {}, "files": {}}
    store.write_json(store.folder() / new / "manifest.json", manifest)
    return new


def test_what_users_and_models_write_is_escaped() -> None:
    from workbench.chat.comparisons import Comparison, Turn
    from workbench.ui.chat import bubbles

    bad = "<img src=x onerror=alert(1)>"
    facts = {"tokens": 1, "characters": 1, "tokens_per_second": 1.0, "characters_per_second": 1.0, "prompt_tokens": 1, "context": 2, "finish": "eos"}
    said = facts | {"text": bad, "fingerprint": bad, "script": bad, "repeated": bad, "tokenizer": bad, "notes": [bad], "choices": [[1, 0.0, []]]}
    talk = Comparison(bad, {"A": bad}, turns=[Turn(bad, replies={"A": said})])
    told = (bubbles.talk_html("A", talk), bubbles.talk_html("A", talk, {"text": bad}, bad), bubbles.title_html("A", talk))
    for made in (*told, messages.empty(bad), messages.notes([bad]), messages.numbers({bad: bad})):
        assert "<img" not in made


def test_chips_are_escaped_and_show_bytes_of_part_characters() -> None:
    from workbench.tokenizer.inspection import Chip

    made = chiphtml.chip(Chip(7, "<b>", b"<b>", False, "text", 0, 3), 0)
    assert "<b>" not in made
    part = chiphtml.chip(Chip(8, "⟨D0⟩", b"\xd0", False, "byte", 0, 1), 1)
    assert "bytes" in part
    assert "\ufffd" not in part


def test_a_mistake_reaches_the_page_as_a_sentence_and_a_bug_without_its_traceback() -> None:
    def wrong() -> None:
        raise WorkbenchError("Do it <so>.")

    with pytest.raises(gr.Error) as said:
        messages.guarded(wrong)()
    assert str(said.value.message) == "Do it &lt;so&gt;."
    with pytest.raises(gr.Error) as said:
        messages.guarded(lambda: 1 / 0)()
    assert "ZeroDivisionError" in said.value.message
    assert "Traceback" not in said.value.message


def test_a_taken_port_is_one_sentence() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run([sys.executable, "app.py", "--port", str(taken.getsockname()[1])], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "choose another with --port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_machine_too_busy_to_answer_itself_serves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from served import free_port

    monkeypatch.setattr("gradio.networking.url_ok", lambda _url: False)
    blocks = launch(port=free_port(), block=False)
    try:
        assert blocks.is_running
    finally:
        blocks.close()


def test_the_start_page_shows_what_a_recipe_reports() -> None:
    from workbench.ui.pages import start

    metrics = {
        "made": {"start": "model-1"},
        "bits_per_byte": {"before": 2.0, "after": 1.0},
        "question": "Кто?",
        "replies": {"original": "<b>", "adapted": "Медведь"},
    }
    assert start.report(metrics) == [
        {"measure": "bits per byte", "when": "before", "value": 2.0},
        {"measure": "bits per byte", "when": "after", "value": 1.0},
    ]
    cards = start.numbers_html(metrics | {"own_measure": {"<one>": 0.5, "none": None}, "right_answers": {"swap": 0.25}})
    assert all(said in cards for said in ("Bits per byte, Russian", "2.00", "Own measure", "&lt;one&gt;", "25%"))
    shown = start.replies_html(metrics)
    assert "Медведь" in shown
    assert "<b>" not in shown


def test_the_consequences_of_a_tokenizer_are_said_in_words() -> None:
    from workbench.ui.pages.fertility import consequences

    def row(name: str, times: float, share: float | None, text: str = "demo:ru") -> dict[str, object]:
        return {
            "tokenizer": name, "text": text, "characters_per_window": 9, "times_the_text": times, "window_share": share, "context": 4096, "width": 64,
            "table_mb": 5.0 * times,
        }  # fmt: skip

    (said,) = consequences([row("old", 1.0, 0.8), row("new", 2.0, 0.4)])
    assert "new needs 2.0 times fewer tokens than old" in said
    assert "40 % of 4,096 tokens instead of 80 %" in said
    assert "5 MB more" in said
    spaceless, same = consequences([row("old", 1.0, None), row("new", 2.0, None), row("old", 1.0, 0.5, "demo:en"), row("new", 1.0, 0.5, "demo:en")])
    assert "1,000 words" not in spaceless
    assert same == "For demo:en, all tokenizers need the same number of tokens."
    assert consequences([row("old", 1.0, 0.8)]) == []


def test_the_start_page_shows_which_claims_hold(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench import store
    from workbench.ui.pages import start

    monkeypatch.setattr("workbench.refs.demo_folder", lambda: tmp_path)
    assert "demo.check" in start.claimed()[0]
    row = {"gate": "0 <Russian>", "value": 0.7, "low": 0.6, "high": 0.8, "threshold": 0.5}
    rows = [row | {"pass": True}, row | {"threshold": None, "pass": None}]
    store.write_json(tmp_path / "check.json", {"rows": rows, "passed": 1, "judged": 1, "seeds": 3, "measured": "2026-01-01"})
    said, shown = start.claimed()
    assert "1 of 1 claims hold, over 3 trainings each (2026-01-01)" in said
    assert [r["pass"] for r in shown] == ["holds", ""]


def test_a_job_is_called_by_its_name_or_by_what_it_runs() -> None:
    from workbench.ui.snapshots import Snapshot

    def of(name: str, kind: str) -> str:
        return Snapshot("1-a", "recipe", name, "done", 1.0, "", "", None, [], kind).title

    assert [of("", "persian"), of("", ""), of("mine", "persian")] == ["recipe persian", "recipe", "mine"]
