"""The notebook host."""

from __future__ import annotations

from pathlib import Path

import pytest
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


def test_tokens_shows_the_text_anew_under_each_tokenizer(tmp_path: Path) -> None:
    english, both = tiny.tokenizer(tmp_path / "en"), tiny.tokenizer(tmp_path / "both", 120, tiny.ENGLISH + tiny.RUSSIAN)
    box = wb.widgets.tokens({"<first>": english, "second": wb.tokenizer.load(both)}, "the <b>медведь</b>", under="ids")
    field, rows = box.children
    assert rows.value.count('class="chip-row"') == 2
    assert "<b>медв" not in rows.value
    assert "&lt;first&gt;" in rows.value
    first, second = rows.value.split("<bdi>second")
    assert ' new" title=' in second
    assert ' new" title=' not in first
    field.value = "xyz"
    assert "медв" not in rows.value
    assert "3 tokens" in rows.value
    field.value = "a" * 5_000
    assert "Only the first 3,000 characters" in rows.value
    assert "Only the first 400" in rows.value


def test_tokens_takes_one_tokenizer_or_several_and_refuses_none(tmp_path: Path) -> None:
    place = tiny.tokenizer(tmp_path / "en")
    assert wb.widgets.tokens(place, "bear").children[1].value.count('class="chip-row"') == 1
    assert wb.widgets.tokens([str(place), place]).children[1].value.count('class="chip-row"') == 2
    with pytest.raises(wb.WorkbenchError, match="at least one"):
        wb.widgets.tokens([])
    with pytest.raises(wb.WorkbenchError, match="ids or bytes"):
        wb.widgets.tokens(place, under="hex")


def test_show_draws_traces_and_biographies(tmp_path: Path) -> None:
    place = tiny.tokenizer(tmp_path / "en")
    assert "joining" in wb.widgets.show(wb.tokenizer.trace(place, "<bear>")).value
    assert "<bear>" not in wb.widgets.show(wb.tokenizer.trace(place, "<bear>")).value
    assert 'class="tree"' in wb.widgets.show(wb.tokenizer.biography(place, " the")).value
