"""The notebook host."""

from __future__ import annotations

from pathlib import Path

import tiny

import workbench as wb
from workbench.chat import Reply, SideBySide


def test_compare_shows_both_sides_and_escapes_what_models_say() -> None:
    reply = Reply("<b>медведь</b>", 3, 7, 0.5, 0.1, "eos", "abcdef123456", "demo:x", "Cyrillic")
    box = wb.widgets.compare(SideBySide([{"role": "user", "content": "<who>?"}], {"original": reply, "adapted": reply}))
    html = box.children[0].value + "".join(card.value for card in box.children[1].children)
    assert "&lt;b&gt;медведь&lt;/b&gt;" in html
    assert "<b>медведь" not in html
    assert "&lt;who&gt;?" in html
    assert html.count("abcdef123456") == 2


def test_run_shows_what_was_made(tmp_path: Path) -> None:
    base = tiny.folder(tmp_path / "base")
    made = wb.widgets.run(wb.transfer.Transfer(model=base, tokenizer=base), name="same")
    assert wb.open_artefact(made.id).name == "same"


def test_table_takes_columns() -> None:
    assert list(wb.widgets.table([{"a": 1, "b": 2}], ["b"]).columns) == ["b"]
