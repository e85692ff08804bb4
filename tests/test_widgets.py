"""The notebook host."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import tiny

import workbench as wb
from workbench import jobs, store
from workbench.chat import Reply, SideBySide


def test_compare_shows_both_sides_and_escapes_what_models_say() -> None:
    reply = Reply("<b>медведь</b>", 3, 7, 0.5, 0.1, "eos", "abcdef123456", "demo:x", "Cyrillic")
    box = wb.widgets.compare(SideBySide([{"role": "user", "content": "<who>?"}], {"original": reply, "adapted": reply}))
    html = box.children[0].value + "".join(card.value for card in box.children[1].children)
    assert "&lt;b&gt;медведь&lt;/b&gt;" in html
    assert "<b>медведь" not in html
    assert "&lt;who&gt;?" in html
    assert html.count("abcdef123456") == 2


def test_compare_shows_the_tokens_of_each_reply_and_the_text_under_both_tokenizers(tmp_path: Path) -> None:
    places = {name: tiny.folder(tmp_path / name, chat=True, seed=seed) for seed, name in enumerate(("one", "two"))}
    result = wb.chat.side_by_side("who lives in the house", wb.chat.Sampling(max_tokens=5), **places)
    for card, reply in zip(wb.widgets.compare(result).children[1].children, result.replies.values(), strict=True):
        assert card.value.count('class="choice"') == reply.tokens
        assert card.value.count('class="chip-row"') in (1, 3)  # a reply without text has nothing to cut
        assert "\ufffd" not in card.value


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


def told(job: jobs.Job, what: str, message: str = "", fraction: float | None = None, **data: object) -> None:
    with (job.path / "events.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"kind": what, "message": message, "fraction": fraction, "data": data, "at": time.time()}) + "\n")


def test_watch_draws_what_a_job_tells_and_only_reads_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    job = jobs.Job("1700000000000-abcdef", jobs.folder() / "1700000000000-abcdef")
    job.path.mkdir()
    store.write_json(job.path / "job.json", {"id": job.id, "name": "", "heavy": True, "spec": {"step": "train", "stage": "align"}})
    told(job, "metric", step=0, bits_per_byte_target=3.0)
    told(job, "metric", step=10, loss=2.0)
    told(job, "metric", step=10, loss=1.5)  # told again after a kill
    told(job, "warning", "<English> is being lost")
    told(job, "sample", "<b>медведь", step=10, prompt="Анна")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert wb.widgets.watch(job, seconds=0).children[0].children[1].value == "waiting"  # it has a minute to begin in
    assert {path: path.read_bytes() for path in before} == before
    told(job, "state", "done", id=None, kind="", metrics={"ended": "stop", "steps": 20, "bits_per_byte": {"target": {"before": 3.0, "after": 1.0}}})
    box = wb.widgets.watch(job.id)
    head, curves, said = box.children
    bits, loss = curves.children
    assert (list(bits.data[0].x), list(bits.data[0].y)) == ([0, 20], [3.0, 1.0])
    assert (list(loss.data[0].x), list(loss.data[0].y)) == ([10], [1.5])
    assert f"wb.jobs.resume({job.id!r})" in head.children[1].value
    assert "&lt;English&gt;" in said.value
    assert "<b>медведь" not in said.value
    with pytest.raises(wb.WorkbenchError, match="no job"):
        wb.widgets.watch("nothing")


def test_show_draws_the_first_batch() -> None:
    from workbench.training import Batch, Seen

    shown = wb.widgets.show(Batch([Seen(0, [1, 2], ["<b>", "x"], [False, True], "<b>x")], 2, 0, 1, 1, [])).value
    assert shown.count("chip learnt") == 2  # the legend's and the token's
    assert "&lt;b&gt;" in shown
