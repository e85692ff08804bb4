"""What the page offers, and what the user has set meanwhile."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from clicking import BROWSER

from workbench import steps
from workbench.ui.app import build_app
from workbench.ui.forms import Form
from workbench.ui.offering import TAKE
from workbench.ui.shell import Shell


@pytest.fixture(scope="module")
def blank(browser: Any) -> Any:
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize(
    ("before", "now", "held", "taken"),
    [
        (None, "new", None, "new"), (None, None, None, None), ("old", "new", "old", "new"), ("old", None, "old", "old"), ("old", "new", "mine", "mine"),
        (None, "new", "mine", "mine"), ("old", "new", "", "new"),
    ],
)  # fmt: skip
@pytest.mark.browser
@BROWSER[1]
def test_an_offer_is_taken_where_nothing_else_was_chosen(blank: Any, before: Any, now: Any, held: Any, taken: Any) -> None:
    assert blank.evaluate(f"([told, held]) => ({TAKE})(told, held)", [json.dumps([[before, now]]), held])[0] == taken


def test_two_forms_edited_at_once_are_both_remembered() -> None:
    """Each event begins with what was held before the other one ended."""
    shell = Shell()
    with gr.Blocks() as page:
        for name in ("tokenizer.extend", "fertility"):
            shell.code(Form(steps.find(name), name=f"a-{name}"))
    edits = [fn.fn for fn in page.fns.values() if fn.name == "edited"]
    held: dict[int, list[Any]] = {}
    values = [[f.component.value for f in form.fields] for form, _ in shell.forms]
    first, second = (edit(None, json.dumps(given), held)[0] for edit, given in zip(edits, values, strict=True))
    assert first is second is held
    assert held == dict(enumerate(values))


def test_every_text_box_of_every_form_tells_when_it_is_left() -> None:
    page = build_app()
    told = {target for fn in page.fns.values() for target in fn.targets}
    mine = ("train-", "tokenizer-", "transfer-")
    boxes = [block for block in page.blocks.values() if isinstance(block, gr.Textbox) and (block.elem_id or "").startswith(mine)]
    assert len(boxes) > 10
    assert [box.elem_id for box in boxes if (box._id, "blur") not in told] == []
