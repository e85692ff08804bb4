"""The sections of the Transfer page, without a browser."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import tiny

from workbench import steps, store, transfer
from workbench.errors import WorkbenchError
from workbench.tokenizer import Extend
from workbench.transfer.steps import METHODS
from workbench.transfer.steps import Transfer as TransferStep
from workbench.ui.chain import Chain
from workbench.ui.forms import Form
from workbench.ui.panel import Snapshot
from workbench.ui.shell import Shell
from workbench.ui.transfer import cards, carrying, previews, propagating, race, report, why

NAMES = [cards.name_of(kind) for kind in METHODS]
BAD = "<img src=x onerror=alert(1)>"


def shot(events: list[dict[str, Any]] = (), result: dict[str, Any] | None = None, state: str = "running") -> Snapshot:
    return Snapshot("1-a", "race", "", state, 0.5, "", "", {"id": "", "metrics": result} if result else None, list(events))


def test_every_method_has_a_card_with_all_that_it_says_of_itself() -> None:
    html = unescape(cards.cards_html("salt"))
    assert re.findall(r'data-method="(\w+)"', html) == NAMES
    assert re.findall(r'aria-checked="true" data-method="(\w+)"', html) == ["salt"]
    for kind in METHODS:
        assert all(said in html for said in (kind.idea, kind.formula, kind.paper, cards.said_needs(kind)))


def test_a_pressed_card_is_looked_up() -> None:
    assert [cards.picked({"method": name}) for name in NAMES] == NAMES
    for bad in (None, {}, {"method": "no such"}, {"method": ["salt"]}, ["salt"]):
        with pytest.raises(WorkbenchError, match="press it once more"):
            cards.picked(bad)


@pytest.mark.parametrize("kind", METHODS, ids=NAMES)
def test_what_a_method_needs_is_said_exactly_until_it_is_given(kind: type) -> None:
    needed = [group for need in kind.needs for group in cards.NEEDS[need]]
    assert all(any(knob in kind.model_fields for knob in group) for group in needed)
    given: dict[str, str] = {}
    for group in needed:
        assert cards.unmet(kind(**given)).startswith(f"{cards.name_of(kind)} needs ")
        given |= {group[0]: "demo:ru-plm"}
    assert cards.unmet(kind(**given)) == ""


@pytest.mark.parametrize("kind", METHODS, ids=NAMES)
def test_the_page_finds_a_need_unmet_where_the_method_does(kind: type, tmp_path: Path) -> None:
    base, other = tiny.folder(tmp_path / "base"), tiny.tokenizer(tmp_path / "new", 80, [*tiny.ENGLISH, *tiny.RUSSIAN])
    task = transfer.Carry.open(base, other).task
    if cards.unmet(kind()):
        with pytest.raises(WorkbenchError, match="needs"):
            kind().blend(task)
    else:
        kind().blend(task)


def test_the_journey_meets_every_need_of_the_demo() -> None:
    now = Chain(source="demo:en-base", text="demo:ru", source_text="demo:en", pairs="demo:en-ru")
    for kind in METHODS:
        name = cards.name_of(kind)
        given = {}
        for knob in kind.model_fields:
            suggest = cards.SUGGEST.get(f"{name}.{knob}") or cards.SUGGEST.get(knob)
            given |= {knob: suggest(now)} if suggest else {}
        assert cards.unmet(kind(**given)) == ""


def test_a_transfer_that_lacks_something_is_refused_before_a_job_is_started() -> None:
    with pytest.raises(WorkbenchError, match="salt needs a donor; fill in Donor"):
        carrying.refuse(TransferStep(model="a", tokenizer="b", method=transfer.Salt()))
    carrying.refuse(TransferStep(model="a", tokenizer="b", method=transfer.Mean()))


def test_the_note_on_needs_follows_the_form() -> None:
    with gr.Blocks():
        form = Form(steps.find("transfer"), unseen=("method",))
    values = {(f.knob.variant, f.knob.name): f.component.value for f in form.fields}

    def said(**changes: str) -> str:
        mine = values | {tuple(key.split("_", 1)) if "_" in key else ("", key): value for key, value in changes.items()}
        return carrying.needs_html(form.fields, tuple(mine.values()))

    assert said() == ""
    assert "needs a donor" in said(method="omp")
    assert said(method="omp", omp_donor="demo:ru-plm") == ""
    assert "needs a donor" in said(method="omp", salt_donor="demo:ru-plm")  # another method's field


def test_a_race_says_whom_it_will_leave_out() -> None:
    with gr.Blocks():
        form = Form(steps.find("race"))
    values = {name: form.component(name).value for name in race.ASKED}
    assert race.needs_html(*values.values()) == ""
    said = race.needs_html(*(values | {"methods": ["salt", "ofa", "mean"]}).values())
    assert "salt needs a donor; fill in Donor" in said
    assert "fill in Pairs" in said
    assert said.count("left out") == 2


def test_a_race_is_drawn_from_its_events_until_it_has_rows() -> None:
    told = [("mean", 0, 3.0), ("mean", 5, 2.0), ("mean", 0, 3.0), ("mean", 5, 2.2), ("random", 0, 4.0)]
    events = [{"kind": "metric", "message": "", "data": {"step": step, f"bits_per_byte_{name}": value}} for name, step, value in told]
    rows = race.rows_of(shot(events))
    assert [(row["method"], row["seed"], row["step"]) for row in rows] == [("mean", 0, 0), ("mean", 0, 5), ("mean", 1, 0), ("mean", 1, 5), ("random", 0, 0)]
    assert race.rows_of(shot(events, {"rows": [], "summary": []}, "done")) == []
    assert "as soon as" in race.race_html(shot(), [])


def test_the_verdict_of_a_race_names_the_best_at_both_ends() -> None:
    def row(name: str, start: float, end: float | None, steps_to_random: int | None) -> dict[str, Any]:
        return {"method": name, "at_start": start, "at_end": end, "low": end, "high": end, "steps_to_random": steps_to_random, "seeds": 2}

    summary = [row("original", 0.5, None, None), row("mean", 3.0, 1.0, 10), row("salt", 2.0, 1.5, 0), row("random", 4.0, 1.6, 50)]
    first, last, quick = race.verdict(summary, [{"step": 0}, {"step": 50}])
    assert "salt is best: 2.000" in first
    assert "mean is best: 1.000" in last
    assert "mean 10, salt 0; random 50" in quick
    assert race.verdict(summary, [{"step": 0}]) == [first]
    assert race.verdict(summary[:1], [{"step": 0}]) == []


def test_a_preview_says_what_it_costs_and_what_to_beware_of() -> None:
    counts = {"kept": 1529, "new": 300, "dropped": 7, "rows_before": 1536, "rows_after": 1829, "table_bytes_before": 2**20, "table_bytes_after": 2**21}
    html = previews.preview_html(counts | {"anchors": 411, "by_rule": {"exact": 1529, "case": 12}, "warnings": [BAD], "changes": [BAD], "disk_bytes": 2**30})
    assert all(said in html for said in ("1,529", "300", "411", "1.0 MiB → 2.0 MiB", "1.0 GiB", "12 more tokens are matched with case ignored"))
    assert "<img" not in html
    assert "on disk" not in previews.preview_html(counts)


def test_the_report_of_a_method_is_shown_in_full() -> None:
    metrics = {
        "method": "salt",
        "new": 9,
        "report": {"filled": 7, "fallback": 2, "weights_median": 1.5, "compared_in": BAD, "own_measure": 3, "warnings": [BAD]},
    }
    html = report.report_html(metrics)
    assert "2 of 9 new tokens were left to the fallback" in html
    assert "<img" not in html
    rows = {row["measure"]: row["value"] for row in report.report_rows(metrics)}
    assert rows == {"filled by the method": 7, "left to the fallback": 2, "Σ|c|, median": 1.5, "own measure": 3}
    assert report.report_rows({}) == []


FIT = {"rank": 8, "width": 8, "condition": 12.0, "r2_map": 0.9, "r2_swap": 0.5, "distance_from_identity": 0.1}


def test_the_diagnostics_of_lep_stand_side_by_side() -> None:
    metrics = {"variant": "conversion", "rows": 10, "input": FIT, "output": FIT | {"r2_map": 0.4}}
    html = propagating.lep_html(metrics)
    assert "the map is better" in html
    assert "swap would be no worse" in html
    rows = propagating.diagnostics(metrics)
    assert {row["measure"]: (row["input"], row["output"]) for row in rows}["held-out R², map"] == (0.9, 0.4)
    assert "no map to judge" in propagating.lep_html({"variant": "swap"})
    assert propagating.diagnostics({"variant": "swap", "input": {}}) == []


@pytest.mark.parametrize(("swap", "mapped", "fits"), [(0.95, None, True), (0.1, 0.8, True), (0.1, 0.05, False)])
def test_the_check_says_whether_the_base_is_the_chat_models_own(swap: float, mapped: float | None, fits: bool) -> None:
    warnings = [] if fits else ["the base is probably not the one"]
    html = propagating.check_html({"input": {"r2_swap": swap, "r2_map": mapped, "rows": 100}, "warnings": warnings})
    assert ("agree" in html) == fits
    assert ("The three models fit each other" in html) == fits
    assert ("probably not" in html) != fits


@pytest.fixture
def moved(tmp_path: Path) -> str:
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(tiny.RUSSIAN * 5), encoding="utf-8")
    base = str(tiny.folder(tmp_path / "base"))
    made = store.run(Extend(base=base, text=str(text), new_tokens=5, script="Cyrillic", reference=str(text))).id
    return store.run(TransferStep(model=base, tokenizer=made)).id


def test_new_tokens_are_offered_and_explained(moved: str) -> None:
    assert [reference for _, reference in why.transferred()] == [moved]
    tokens = why.offered(moved)
    assert len(tokens) == 5
    for shown, asked in tokens:
        found = why.origin(moved).explain(int(asked[1:]))
        assert shown == f"{found.token}  {asked}"
        html = why.why_html(found)
        assert html.count('class="chip c0"') == min(found.terms, why.CHIPS)  # all are averages: nothing is taken away
        assert f"#{found.id}" in html
        assert {row["among"] for row in why.neighbours(found)} == {"all", "kept"}
    assert why.offered(None) == why.offered("no-such-model") == []


def test_a_kept_token_is_said_to_be_copied(moved: str) -> None:
    html = why.why_html(why.origin(moved).explain(40))
    assert "copied from the source" in html
    assert "Made of" not in html


def test_a_model_that_no_transfer_made_is_not_offered(tmp_path: Path) -> None:
    assert why.transferred() == []


def test_the_code_of_an_explanation_asks_for_the_same_token() -> None:
    step = steps.find("transfer.explain")
    assert "wb.widgets.explain('m', 17)" in why.why_code(step(model="m", token="#17"))
    assert "wb.widgets.explain('m', ' мир')" in why.why_code(step(model="m", token=" мир"))


def test_every_section_builds_with_the_ids_that_the_page_links_to() -> None:
    from workbench.ui.pages import transfer as page

    with gr.Blocks() as blocks:
        page.build(Shell())
    ids = [found for b in blocks.blocks.values() if (found := getattr(b, "elem_id", None))]
    assert len(ids) == len(set(ids))
    assert {"run-transfer", "run-race", "run-lep", "preview-transfer", "check-lep", "why-ask"} <= set(ids)
