"""The sections of the Tokenizer page, without a browser."""

from __future__ import annotations

import re
import shutil
from dataclasses import fields
from html import escape
from pathlib import Path

import gradio as gr
import pytest
import tiny

from workbench import jobs, refs, steps, store
from workbench.errors import WorkbenchError
from workbench.tokenizer import Extend
from workbench.tokenizer.extension import Report
from workbench.tokenizer.fresh import TrainingReport
from workbench.tokenizer.optimization import OptimizationReport
from workbench.transfer import Transfer
from workbench.ui import chips
from workbench.ui.chain import Chain
from workbench.ui.panel import Snapshot
from workbench.ui.shell import Shell
from workbench.ui.tokens import explore, make, report, stepping, vocabulary


def test_the_tokenizer_page_offers_every_way_there_is_to_make_one() -> None:
    with gr.Blocks() as blocks:
        make.build(Shell())
    commands = {command for command in steps.menu() if command.startswith("tokenizer.") and "base" in steps.find(command).model_fields}
    assert {way.command for way in make.ways()} == {c for c in commands if steps.find(c).makes == "tokenizer"}
    ids = {getattr(b, "elem_id", None) for b in blocks.blocks.values()}
    assert {f"run-{way.command.replace('.', '-')}" for way in make.ways()} <= ids


def test_the_report_of_a_tokenizer_names_what_matters() -> None:
    metrics = {
        "kept": 1536, "new": 400, "dropped": 0, "dead": 2, "tokens_per_word_after": 2.19, "resplit": 0.0125, "resplit_examples": ["<don't>"],
        "rejected": {"too long": 7}, "examples": {"too long": ["x" * 20]}, "exhausted": False,
    }  # fmt: skip
    html = report.report_html(Snapshot("1-a", "tokenizer.extend", "", "done", 1.0, "", "", {"id": "tokenizer-00000000", "metrics": metrics}, []))
    assert all(said in html for said in ("1,536", "1.25%", "&lt;don&#x27;t&gt;", "2 tokens cannot be reached", "400", "cut differently", "2.19"))
    assert report.rejections(metrics) == [{"reason": "too long", "count": 7, "examples": ["x" * 20]}]
    assert report.rejections(metrics | {"examples": {}}) == [{"reason": "too long", "count": 7}]
    assert report.rejections({"extension": metrics}) == report.rejections(metrics)
    assert report.rejections({"extension": None}) == report.rejections({}) == []


@pytest.mark.parametrize(("shrink", "said"), [(0.15, "shrank by 15%"), (-0.15, "grew by 15%"), (0.0, "as large as before")])
def test_the_report_says_which_way_the_tables_went(shrink: float, said: str) -> None:
    metrics = {"kept": 768, "new": 3, "relearned": 2, "shrink": shrink, "resplit": 0.0, "dropped_examples": ["<z>"], "extension": {"letters": 1}}
    html = report.report_html(Snapshot("1-a", "tokenizer.optimize", "", "done", 1.0, "", "", {"id": "tokenizer-00000000", "metrics": metrics}, []))
    assert all(each in html for each in (said, "made by tokenizer.optimize", "No word", "&lt;z&gt;", "new, of them 1 single letters, 2 had been dropped"))


def test_every_number_of_a_report_is_said_once() -> None:
    numbers = {name: 10_000 + n for made in (Report, TrainingReport, OptimizationReport) for n, name in enumerate(f.name for f in fields(made))}
    for made in (Report, TrainingReport, OptimizationReport):
        wanted = [f.name for f in fields(made) if f.type.startswith("int")]
        said = " ".join(f"{tile.value} {tile.name}" for tile in report.tiles({name: numbers[name] for name in wanted}))
        assert sorted(re.findall(r"10,\d+", said)) == sorted(f"{numbers[name]:,}" for name in wanted)


def test_each_way_shows_its_own_newest_tokenizer(tmp_path: Path) -> None:
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(tiny.RUSSIAN * 5), encoding="utf-8")
    spec = Extend(base=str(tiny.folder(tmp_path / "base")), text=str(text), new_tokens=5, script="Cyrillic", reference=str(text))
    job = jobs.submit(spec)
    job.wait(120)
    assert make.newest("tokenizer.extend").id == job.id
    assert make.newest("tokenizer.train") is None


def test_what_optimise_is_offered_for_the_demo_does_not_grow_the_table() -> None:
    size = len(chips.opened("demo:en-base").tokens)
    (way,) = (way for way in make.WAYS if way.command == "tokenizer.optimize")
    assert size // 2 + way.suggest["new_tokens"](Chain(source="demo:en-base")) <= size
    assert way.suggest["new_tokens"](Chain(source="else")) is None


def test_the_vocabulary_is_listed_with_and_without_another() -> None:
    said, rows, code = vocabulary.listing("demo:en-base", "", "the", page=1)
    assert rows
    assert {row["state"] for row in rows} == {"–"}
    assert "overlap" not in said
    assert "wb.tokenizer.compare(" in code
    said, rows, _ = vocabulary.listing("demo:en-base", "demo:ru-plm", state="dropped", script="Cyrillic")
    assert {row["state"] for row in rows} == {"dropped"}
    assert "overlap" in said
    assert vocabulary.listing(None, None)[1] == []
    first, second = (vocabulary.listing("demo:en-base", None, page=n)[1] for n in (1, 2))
    assert first[-1]["id"] + 1 == second[0]["id"]


def test_what_a_click_says_is_looked_up() -> None:
    assert chips.asked({"row": "1", "id": "7"}, ["a", "b"]) == ("b", 7)
    for bad in (None, {}, {"row": "2", "id": "7"}, {"row": "-1", "id": "7"}, {"row": "0", "id": "x"}, {"row": [], "id": {}}):
        with pytest.raises(WorkbenchError, match="click it once more"):
            chips.asked(bad, ["a", "b"])
    with pytest.raises(WorkbenchError, match="no token"):
        chips.life_html("demo:en-base", 10**9)


NAMED = "<img src=x onerror=alert(1)>"


def test_a_name_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refs, "label", lambda _: NAMED)
    shot = Snapshot("1-a", "tokenizer.extend", "", "done", 1.0, "", "", {"id": "tokenizer-00000000", "metrics": {}}, [])
    for html in (chips.life_html("demo:en-base", 300, "demo:ru-plm"), report.report_html(shot), vocabulary.listing("demo:en-base", "demo:ru-plm")[0]):
        assert "<img" not in html
        assert escape(NAMED) in html


def test_a_replaced_file_is_opened_anew(tmp_path: Path) -> None:
    place = tiny.tokenizer(tmp_path / "a", 100, tiny.ENGLISH)
    before = chips.opened(str(place)), chips.compared(str(place), "demo:en-base")
    assert chips.opened(str(place)) is before[0]
    shutil.copytree(tiny.tokenizer(tmp_path / "b", 120, tiny.RUSSIAN), place, dirs_exist_ok=True)
    assert chips.opened(str(place)).tokens != before[0].tokens
    assert chips.compared(str(place), "demo:en-base") is not before[1]


def test_exploring_says_what_is_wrong_in_its_row() -> None:
    html, code = explore.explore("The bear", ["demo:en-base", "no-such"], "ids")
    assert html.count("chip-row") == 1
    assert "no-such" in html
    assert "wb.widgets.tokens(" in code
    assert "Choose" in explore.explore("x", [])[0]
    assert "Only the first 1,500" in explore.explore("a" * 2_000, ["demo:en-base"])[0]
    assert "traced" in stepping.steps("bear", "demo:en-base")[0]
    assert "Choose" in stepping.steps("bear", None)[0]


def test_a_biography_says_what_the_vector_was_made_of(tmp_path: Path) -> None:
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(tiny.RUSSIAN * 5), encoding="utf-8")
    base = str(tiny.folder(tmp_path / "base"))
    made = store.run(Extend(base=base, text=str(text), new_tokens=5, script="Cyrillic", reference=str(text))).id
    last = max(chips.opened(made).tokens)
    assert "Vector" not in chips.life_html(made, last, base)
    store.run(Transfer(model=base, tokenizer=made))
    html = chips.life_html(made, last, base)
    assert "Vector" in html
    assert "new; was" in html
