"""Journeys as lists of steps."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import yaml

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.recipes import Recipe, load, names
from workbench.specs import build
from workbench.steps import find


@pytest.fixture
def journey(tmp_path: Path) -> Path:
    base, chat = tiny.folder(tmp_path / "base"), tiny.folder(tmp_path / "chat", seed=1, chat=True)
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"{line} {n}" for n in range(40) for line in tiny.RUSSIAN), encoding="utf-8")
    steps = {
        "longer": {"step": "tokenizer.extend", "base": str(base), "text": str(text), "new_tokens": 20, "script": "Cyrillic"},
        "start": {"step": "transfer", "model": str(base), "tokenizer": "$longer", "method": "mean", "weight": 3},
        "result": {"step": "lep", "base": str(base), "adapted": "$start", "instruct": str(chat), "variant": "swap"},
        "chat": {"step": "chat", "models": [str(chat), "$result"], "prompt": "кто", "max_tokens": 3},
    }
    report = {"new": "$start.new", "replies": {"original": "$chat.rows.0.text", "adapted": "$chat.rows.1.text"}, "constant": 1}
    file = tmp_path / "journey.yaml"
    file.write_text(yaml.safe_dump({"steps": steps, "report": report}, sort_keys=False))
    return file


def test_a_recipe_makes_what_its_steps_make_and_reports_what_it_is_asked_to(journey: Path) -> None:
    seen = []
    made = wb.run(Recipe(recipe=str(journey)), wb.Progress(seen.append))
    assert made.metrics["new"] == 20
    assert set(made.metrics["replies"]) == {"original", "adapted"}
    ids = made.metrics["made"]
    assert wb.open_artefact(ids["result"]).parents == [ids["start"]]
    assert wb.open_artefact(ids["start"]).parents == [ids["longer"]]
    fractions = [e.fraction for e in seen if e.fraction is not None]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1


def test_knobs_can_be_set_from_outside(journey: Path) -> None:
    made = wb.run(Recipe(recipe=str(journey), set=("longer.new_tokens=7", "start.method=random", "start.seed=3")))
    assert made.metrics["new"] == 7
    assert wb.open_artefact(made.metrics["made"]["start"]).step.method.method == "random"


@pytest.mark.parametrize(
    ("change", "says"), [("longr.new_tokens=7", "Did you mean longer"), ("longer", "step.knob=value"), ("longer.new_token=7", "Did you mean new_tokens")]
)
def test_bad_changes_are_refused(journey: Path, change: str, says: str) -> None:
    with pytest.raises(WorkbenchError, match=says):
        wb.run(Recipe(recipe=str(journey), set=(change,)))


def test_bad_recipes_are_refused(journey: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"no recipe 'dem'. Did you mean demo"):
        load("dem")
    recipe = yaml.safe_load(journey.read_text())
    recipe["steps"]["start"]["tokenizer"] = "$longest"
    journey.write_text(yaml.safe_dump(recipe, sort_keys=False))
    with pytest.raises(WorkbenchError, match=r"refers to \$longest, which no earlier step has made. Did you mean longer"):
        wb.run(Recipe(recipe=str(journey)))
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(WorkbenchError, match="is not YAML"):
        load(str(tmp_path / "broken.yaml"))


@pytest.mark.parametrize("name", names())
def test_every_step_of_a_shipped_recipe_has_knobs_that_exist(name: str) -> None:
    for spec in load(name)["steps"].values():
        values = {k: v for k, v in spec.items() if k not in ("step", "weight")}
        step = build(find(spec["step"], values.get("stage")), values)
        assert step.command == spec["step"]
