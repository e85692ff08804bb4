"""The Training page without a browser: its form for all stages, its panel's queue, and what it draws."""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from gradio import Blocks
from hypothesis import given
from hypothesis import strategies as st

from workbench import jobs, store
from workbench.errors import WorkbenchError
from workbench.specs import flat, knobs
from workbench.training import presets
from workbench.training.estimating import Estimate
from workbench.training.seeing import Batch, Seen
from workbench.ui import chain, snapshots, status
from workbench.ui.chain import Chain
from workbench.ui.panel import Snapshot
from workbench.ui.training import batch, cards, comparing, curves, journeys, measure, stageform

sys.path.insert(0, str(Path(__file__).parents[1]))
GIVEN = {"model": "demo:en-base", "text": "demo:ru", "instructions": ["demo:ru"], "prompts": ["demo:ru"], "instruct": "demo:en-chat"}


@pytest.fixture(scope="module")
def form() -> stageform.StageForm:
    with Blocks():
        return stageform.StageForm(cards.SUGGEST)


def held(form: stageform.StageForm, stage: str, size: str) -> list[object]:
    """What the components hold after a stage and a preset were chosen."""
    values = {f.knob.name: f.component.value for f in form.fields} | GIVEN | {"stage": stage, "preset": size}
    updates = dict(zip((f.knob.name for f in form.following), form.settle(stage, size)[1:], strict=True))
    values |= {name: update["value"] for name, update in updates.items() if "value" in update}
    return [values[f.knob.name] for f in form.fields]


@pytest.mark.parametrize("size", ["demo", "laptop", "one-gpu", "paper"])
@pytest.mark.parametrize("stage", presets.PRESETS)
def test_the_form_is_the_step_that_the_preset_makes(form: stageform.StageForm, stage: str, size: str) -> None:
    kind = form.stages[stage]
    names = {k.name for k in knobs(kind)}
    assert form.read(*held(form, stage, size)) == kind(preset=size, **{name: value for name, value in GIVEN.items() if name in names})


@pytest.mark.parametrize("stage", presets.PRESETS)
def test_only_the_knobs_of_a_stage_are_seen(form: stageform.StageForm, stage: str) -> None:
    updates = dict(zip((f.knob.name for f in form.following), form.settle(stage, "demo")[1:], strict=True))
    seen = {name for name, update in updates.items() if update["visible"]}
    assert seen == {k.name for k in knobs(form.stages[stage])} - {"stage", "preset", "copy_requests"}  # a field cannot hold those


@pytest.mark.parametrize("stage", [None, "no such", ["align"]])
def test_a_stage_that_there_is_not_is_one_sentence(form: stageform.StageForm, stage: object) -> None:
    values = held(form, "align", "demo")
    values[[f.knob.name for f in form.fields].index("stage")] = stage
    for asked in (lambda: form.read(*values), lambda: form.settle(stage, "demo")):
        with pytest.raises(WorkbenchError, match="press one of the cards"):
            asked()


def test_every_edit_reaches_the_step(form: stageform.StageForm) -> None:
    values = held(form, "monolingual", "demo")
    names = [f.knob.name for f in form.fields]
    for name, value in (("lora_rank", 3), ("steps", 7), ("lora_targets", "q_proj, v_proj")):
        values[names.index(name)] = value
    made = flat(form.read(*values), defaults=True)
    assert (made["lora_rank"], made["steps"], made["lora_targets"]) == (3, 7, ("q_proj", "v_proj"))
    assert "--lora-rank 3" in form.code(*values)
    values[names.index("model")] = None
    assert form.code(*values).startswith("# train needs 'model'")


def test_the_command_for_several_processes_runs_the_form(form: stageform.StageForm) -> None:
    said = form.command(4, 2, True, *held(form, "align", "demo"))
    spec, line = said.removeprefix("cat > job.json <<'JSON'\n").split("\nJSON\n\n")
    assert json.loads(spec)["stage"] == "align"
    assert {"--num_processes 4", "--num_machines 2", "--use_fsdp", "--spec job.json"} <= _parts(line)
    assert form.command(3, 2, False, *held(form, "align", "demo")) == "# 3 processes cannot be spread evenly over 2 hosts; give a multiple of 2."


def _parts(line: str) -> set[str]:
    words = line.split()
    return {*words, *(f"{a} {b}" for a, b in pairwise(words))}


def test_a_card_that_is_not_there_is_refused() -> None:
    assert [cards.picked({"stage": name}) for name in presets.PRESETS] == list(presets.PRESETS)
    assert all(f'data-stage="{name}"' in cards.cards_html("full") for name in presets.PRESETS)
    for odd in ({"stage": "<b>"}, {}, None, "align"):
        with pytest.raises(WorkbenchError, match="press it once more"):
            cards.picked(odd)


def test_a_stage_goes_on_from_what_the_journey_has() -> None:
    now = Chain(transfer="t", trained="a", lep="l", instruct="i")
    assert [cards.model_for(stage, now) for stage in presets.PRESETS] == ["t", "a", "a", "l", "t"]
    assert "Transfer" in cards.lacking("align", None, Chain())
    assert "control" in cards.lacking("calibrate", "other", Chain(instruct="i"))
    assert not cards.lacking("calibrate", "i", Chain(instruct="i"))
    assert not cards.lacking("align", "t", now)


def test_a_control_is_not_what_the_journey_goes_on_from(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(number: int, model: str, **metrics: object) -> store.Artefact:
        manifest = {"created": number, "metrics": metrics, "spec": {"step": "train", "stage": "calibrate", "model": model}}
        return store.Artefact(f"model-0000000{number}", "model", home, manifest)

    found = [made(2, "demo:en-chat", is_control=True), made(1, "demo:en-base", answers=3)]  # newest first
    monkeypatch.setattr(store, "artefacts", lambda *_: found)
    assert chain.current().trained == "model-00000001"


@given(st.integers(1, 2**40), st.integers(0, 2**40))
def test_an_estimate_fits_or_is_refused_with_numbers(peak: int, free: int) -> None:
    made = Estimate(1, 2, 3, 4, 5, peak, 60.0, 100)
    said = batch.estimate_html(made, Batch([], 8, 0, 8, 3, []), free)
    assert ("It fits" in said) == (peak <= free)
    assert ("more memory" in said) == (peak > free)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    return tmp_path


def job(number: int, *events: tuple[str, dict[str, object]], step: str = "train", **knobs: object) -> jobs.Job:
    """A job's folder with these states, as its child would have left it."""
    path = jobs.folder() / f"{1_700_000_000_000 + number}-00000{number}"
    path.mkdir(parents=True)
    store.write_json(path / "job.json", {"id": path.name, "name": "", "heavy": True, "spec": {"step": step, **knobs}})
    add(path, *events)
    return jobs.Job(path.name, path)


def add(path: Path, *events: tuple[str, dict[str, object]]) -> None:
    with (path / "events.jsonl").open("a", encoding="utf-8") as log:
        for name, data in events:
            kind = "metric" if name == "metric" else "state"
            log.write(json.dumps({"kind": kind, "message": name, "data": data, "at": time.time()}) + "\n")


def test_who_waits_knows_for_whom(home: Path) -> None:
    first, second, third = (job(n, stage="align", model=f"<m{n}>") for n in range(3))  # each has 60 s to take its lock
    shots = {shot.id: shot for shot in snapshots.recent(("train",))}
    assert status.queued(shots[first.id]) == ""
    assert "2 before it" in status.queued(shots[third.id])
    behind = status.waiting_html(shots[first.id], list(reversed(shots.values())))
    assert behind.count("<li>") == 2
    assert "&lt;m1&gt;" in behind
    assert "<m1>" not in behind
    assert second.id in shots


def test_a_job_that_is_gone_on_with_is_read_anew(home: Path) -> None:
    made = job(1, ("running", {}), ("done", {"id": None, "kind": "", "metrics": {"ended": "stop"}}))
    shot = snapshots.snapshot(made)
    assert (shot.state, shot.resumable) == ("done", True)
    assert "stopped early" in status.bar_of(shot)
    add(made.path, ("waiting", {"again": True}))
    assert snapshots.snapshot(made).state == "waiting"
    add(made.path, ("done", {"id": None, "kind": "", "metrics": {"ended": "steps"}}))
    assert not snapshots.snapshot(made).resumable


def test_only_what_kept_a_checkpoint_is_offered_again(home: Path) -> None:
    kept, lost = (job(n, ("failed", {"error": "no"}), stage="full", model="m") for n in (1, 2))
    newest = job(3, ("failed", {"error": "no"}))
    (kept.path / "work" / "checkpoint-5").mkdir(parents=True)
    (kept.path / "work" / "checkpoint-5" / "record.json").write_text("{}")
    said = status.early_html(snapshots.snapshot(newest), snapshots.recent(("train",)))
    assert f'data-job="{kept.id}"' in said
    assert lost.id not in said


def test_trainings_are_compared_by_the_knobs_that_differ(home: Path) -> None:
    metrics = {"bits_per_byte": {"target": {"before": 3.0, "after": 2.0}}, "steps": 20, "tokens": 100, "seconds": 4.0, "ended": "steps", "warnings": ["w"]}
    first = job(1, ("metric", {"step": 0, "bits_per_byte_target": 3.0}), ("done", {"metrics": metrics}), stage="align", model="<m>", steps=20, block=8)
    second = job(2, ("metric", {"step": 0, "bits_per_byte_target": 3.0}), stage="full", model="<m>", steps=40, block=8)
    found = comparing.compare([first, second.id])
    assert "Choose the trainings" in comparing.nothing()
    assert [row["knob"] for row in found.differences] == ["steps"]
    assert found.curves["bits_per_byte_target"]["align 0001"] == [(0, 3.0), (20, 2.0)]
    assert (found.rows[0]["target after"], found.rows[0]["tokens/s"], found.rows[1]["steps"]) == (2.0, 25, 0)
    assert [reference for _, reference in comparing.listed()] == [second.id, first.id]
    better = {"run": "b", "target after": 1.0, "source after": 9.0}
    assert "b ends best" in comparing.verdict([{"run": "a", "target after": 2.0, "source after": 1.0}, better], [{"knob": "steps"}])
    assert "a keeps most" in comparing.verdict([{"run": "a", "target after": 2.0, "source after": 1.0}, better], [{"knob": "steps"}])
    with pytest.raises(WorkbenchError, match="no training"):
        comparing.compare([job(3, step="race")])


def ended(run: str, target: float, text: str = "t: 10 documents") -> dict[str, object]:
    return {"run": run, "target after": target, "target measured on": text, "source after": 1.0, "source measured on": "s: 10 documents"}


def test_the_best_is_named_only_among_trainings_measured_on_the_same_text() -> None:
    alike = comparing.verdict([ended("a", 2.0), ended("b", 1.0)], [{"knob": "steps"}])
    assert "b ends best" in alike
    assert "cannot be compared" not in alike
    unlike = comparing.verdict([ended("a", 2.0), ended("b", 1.0, "other: 10 documents")], [{"knob": "text"}])
    assert "ends best" not in unlike
    assert "same target text" in unlike
    assert "keeps most" in unlike  # in the source language they are alike
    mixed = comparing.verdict([ended("a", 2.0), ended("b", 3.0), ended("c", 1.0, "other: 10 documents")], [{"knob": "text"}])
    assert "Of the 2 measured on t: 10 documents, a ends best" in mixed


def test_what_a_training_was_measured_on_is_its_text_or_else_its_pairs(home: Path) -> None:
    bits = {"steps": 2, "bits_per_byte": {side: {"before": 2.0, "after": 1.0} for side in ("target", "source")}}
    spec = {"stage": "align", "model": "m", "eval_documents": 10, "block": 64}
    both = job(1, ("done", {"metrics": bits}), **spec, text="demo:ru", source_text="demo:en")
    pairs = job(2, ("done", {"metrics": bits}), **spec, pairs="demo:en-ru")
    first, second = comparing.compare([both, pairs]).rows
    assert (first["target measured on"], first["source measured on"]) == tuple(f"demo:{n}: 10 documents, 64 tokens at a time" for n in ("ru", "en"))
    assert second["target measured on"] == second["source measured on"] == "demo:en-ru: 10 documents, 64 tokens at a time"


def test_the_curves_of_a_training_end_with_its_last_measurement() -> None:
    events = [{"kind": "metric", "message": "", "data": {"step": 0, "bits_per_byte_target": 2.0}}]
    result = {"metrics": {"steps": 30, "bits_per_byte": {"target": {"before": 2.0, "after": 1.0}, "source": {"before": 1.0, "after": None}}}}
    shot = Snapshot("1-a", "train", "", "done", 1.0, "", "", result, events)
    assert curves.measured_after(result["metrics"]) == [{"step": 30, "bits_per_byte_target": 1.0}]
    assert [update["visible"] for update in curves.watch(shot)[:3]] == [False, True, False]


def test_what_a_model_writes_is_escaped() -> None:
    events = [{"kind": "sample", "message": "<b>x</b>", "data": {"step": 5, "prompt": "<i>"}}]
    said = curves.samples_html(Snapshot("1-a", "train", "", "running", 0.1, "", "", None, events))
    assert "&lt;b&gt;x" in said
    assert "<i>" not in said


def test_a_model_that_became_worse_is_called_worse() -> None:
    first = {"model": "a", "measure": "bits_per_byte", "text": "ru", "value": 1.0, "low": 0.9, "high": 1.1}
    assert measure.against(first, first | {"value": 2.0, "low": 1.9, "high": 2.1}) == ("warning", "100 % worse")
    assert measure.against(first, first | {"value": 0.5, "low": 0.4, "high": 0.6}) == ("good", "50 % better")
    assert "too few" in measure.against(first, first | {"low": None, "high": None})[1]
    assert "not clearly" in measure.verdict([first, first | {"model": "b", "value": 1.05, "low": 1.0, "high": 1.2}])


def test_a_recipe_offers_its_own_scales_the_smallest_first() -> None:
    assert journeys.scales_of("persian") == ["demo", "small", "paper"]
    updates, about = journeys.chosen("persian")
    assert updates["value"] == "demo"
    assert "2412.13375" in about
    with pytest.raises(WorkbenchError, match="no recipe"):
        journeys.chosen("nothing")


def test_a_batch_tells_what_is_learnt_from_what_is_read() -> None:
    from workbench.batchhtml import document_html

    seen = Seen(0, [1, 2, 3, 4], ["<bos>", "<|user|>", "⟨D9⟩", "<b>کتاب"], [False, False, True, True], "<bos>…")
    html = document_html(seen)
    assert html.count('class="chip learnt"') == 2
    assert html.count('class="chip given"') == 2
    assert 'dir="rtl"' in html  # names of roles and bytes are Latin letters, and decide nothing
    assert "<b>" not in html.split("</h5>")[1]
