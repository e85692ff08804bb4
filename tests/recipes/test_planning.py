"""Plans: nothing is run, and no network is asked (the suite has none)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import workbench as wb
from workbench import store
from workbench.recipes import Recipe, names, read
from workbench.recipes.planning import spoken
from workbench.recipes.reading import load, scales
from workbench.recipes.sizing import Size, Text, joined, size_of


def plan(recipe: Any, **options: Any) -> dict[str, Any]:
    made = wb.run(Recipe(recipe=str(recipe), dry_run=True, **options))
    assert made.id is None
    return made.metrics


def test_a_plan_runs_nothing_and_knows_what_would_be_kept(journey: Any) -> None:
    first = plan(journey)
    assert not store.artefacts()
    assert [row["state"] for row in first["rows"]] == ["to run"] * 5
    assert first["minutes"] > 0
    wb.run(Recipe(recipe=str(journey)))
    assert [row["state"] for row in plan(journey)["rows"]] == ["kept"] * 5
    changed = plan(journey, set=("result.variant=overlap",))["rows"]
    assert [row["step"] for row in changed if row["state"] == "to run"] == ["result", "chats"]


def test_gigabytes_are_at_least_what_is_written(journey: Any) -> None:
    rows = {row["step"]: row for row in plan(journey)["rows"]}
    made = wb.run(Recipe(recipe=str(journey))).metrics["made"]
    for step in ("start", "result"):
        written = sum(file["bytes"] for name, file in wb.open_artefact(made[step]).manifest["files"].items() if name.endswith(".safetensors"))
        assert rows[step]["gigabytes"] == pytest.approx(written / 1e9, abs=1e-3)


def test_sizes_follow_from_what_the_recipe_states_where_nothing_is_here(journey: Any) -> None:
    found = plan(journey, scale="paper")
    rows = {row["step"]: row for row in found["rows"]}
    assert rows["longer"]["tokens"] == "148 k"
    assert rows["start"]["parameters"] == "8.16 B"  # 20,000 rows more in two tables of width 4096
    assert found["downloads"] == ["some-lab/base", "some-lab/chat"]
    assert found["download_gigabytes"] == pytest.approx(16)
    assert "some-lab/chat" in found["notes"][0]


def test_steps_that_the_runs_of_a_sweep_share_are_counted_once(journey: Any) -> None:
    found = plan(journey, sweep=("start.method=mean,random",))
    assert [row["step"] for row in found["rows"]] == ["longer", "start", "result", "scores", "chats", "start", "result", "scores", "chats"]


def test_a_size_counts_all_parameters() -> None:
    size = size_of("demo:en-base", {})
    assert (size.tables, size.width) == (1, 192)
    assert size.parameters == pytest.approx(size.computed + (size.tables - 1) * size.rows * size.width)
    longer = size.with_rows(size.rows + 10)
    assert longer.parameters - size.parameters == 10 * size.width
    assert size_of("no-one/nothing", {}) is None
    assert size_of("no-one/nothing", {"no-one/nothing": {"parameters": 5.0, "rows": 1, "width": 2}}) == Size(5.0, 1, 2)


@pytest.mark.parametrize(("name", "scale"), [(name, scale) for name in names() for scale in scales(load(name)) or [""]])
def test_every_scale_of_a_shipped_recipe_has_a_plan_without_a_network(name: str, scale: str) -> None:
    found = plan(name, scale=scale)
    assert [row["step"] for row in found["rows"]] == list(read(name, scale).entries)
    assert not any("is known only once" in note for note in found["notes"])
    assert all(row["time"] is not None for row in found["rows"])
    assert found["minutes"] > 0
    assert found["gigabytes"] > 0


def test_asking_the_original_model_is_in_the_time(journey: Any) -> None:
    calibrate = {"step": "train", "stage": "calibrate", "model": "$result", "instruct": "$chat", "prompts": ["demo:ru"], "steps": 1, "reply_tokens": 100}
    journey.change(sizes=journey.recipe["sizes"] | {"some-lab/chat": journey.recipe["sizes"]["some-lab/base"]})
    times = {}
    for name, more in (("few", {"prompt_limit": 100}), ("many", {"prompt_limit": 10_100}), ("given", {"prompt_limit": 10_100, "answers": "$before"})):
        steps = {n: journey.recipe["steps"][n] for n in ("longer", "start", "result")}
        before = calibrate | {"prompt_limit": 1}
        journey.change(steps=steps | {"before": before, "calibrated": calibrate | more}, table=[], report={})
        found = wb.run(Recipe(recipe=str(journey), scale="paper", dry_run=True)).metrics
        times[name] = found["minutes"], found["speed_gflops"]
    asked = [10_000 * 100 * 2 * (8.0e9 - 128_000 * 4096) / (speed * 1e9) / 60 for _, speed in times.values()]
    assert times["many"][0] > 0.5 * asked[1]
    assert times["many"][0] > 2 * max(times["few"][0], times["given"][0])


def test_a_plan_that_does_not_fit_says_so(journey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=10e9))
    assert any("only 10 GB free" in note for note in plan(journey, scale="paper")["notes"])
    assert not plan(journey)["notes"]


def test_texts_are_limited_and_joined_in_proportion() -> None:
    text = Text(1000.0, 10)
    assert text.limited(5) == Text(500.0, 5)
    assert text.limited(50) == text.limited(None) == text
    assert Text(1000.0).limited(5) == Text(1000.0)
    assert joined([text, text.limited(5)]) == Text(1500.0, 15)
    assert joined([text, Text(1.0)]) == Text(1001.0, 0)


@pytest.mark.parametrize(("minutes", "said"), [(0.44, "0.4 min"), (59, "59.0 min"), (90, "1.5 h"), (60 * 48, "2 days"), (1440 * 12345, "12,345 days")])
def test_time_is_said_in_fitting_units(minutes: float, said: str) -> None:
    assert spoken(minutes) == said


@pytest.mark.parametrize(
    "sweep",
    [
        "tokenizer.new_tokens=100,400",
        "monolingual.lora_rank=2,8",
        "monolingual.pairs_share=0.2,0.8",
        "monolingual.lora_layers=all,ends",
        "start.method=subtokens,mean",
    ],
)
def test_the_papers_open_questions_are_sweeps(sweep: str) -> None:
    """Number of new tokens, LoRA rank, share of bilingual text, unfrozen layers, initialisation."""
    rows = plan("persian", sweep=(sweep,), set=("monolingual.pairs=$pairs",))["rows"]
    changed = sweep.partition(".")[0]
    assert sum(row["step"] == changed for row in rows) == 2
    assert sum(row["step"] == "target_text" for row in rows) == 1
