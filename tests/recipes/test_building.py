"""What is wrong with a recipe is found before it runs."""

from __future__ import annotations

from typing import Any

import pytest

import workbench as wb
from workbench import store
from workbench.errors import WorkbenchError
from workbench.recipes import Recipe, read
from workbench.recipes.building import check


def test_every_step_of_a_good_recipe_is_built(journey: Any) -> None:
    built = check(read(str(journey)))
    assert {name: step.command for name, step in built.items()} == {name: spec["step"] for name, spec in journey.recipe["steps"].items()}
    assert built["start"].tokenizer == "tokenizer-00000000"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("longer.new_token=7", "step longer cannot be: .*Did you mean new_tokens"), ("longer.new_tokens=-1", "new_tokens=-1 is not valid"),
        ("start.model=$longer", r"step start takes \$longer as its model, but that step makes a tokenizer; name one that makes a model"),
        ("chats.models=[$scores]", r"takes \$scores as its models, but that step only reports"), ("start.method=sallt", "method"),
        ("base=demo:en-bas", "There is no 'demo:en-bas'.*Did you mean demo:en-base"), ("base=no such folder", "is no artefact, file, folder or hub id"),
        ("longer.text=demo:rus", "step longer, text: There is no 'demo:rus'"), ("longer.text=none.txt", "step longer, text: .*none.txt"),
        ("scores.text=corpus-12345678", "There is no artefact 'corpus-12345678'"),
    ],
)  # fmt: skip
def test_a_wrong_knob_value_or_reference_is_one_sentence_before_anything_runs(journey: Any, change: str, says: str) -> None:
    with pytest.raises(WorkbenchError, match=says):
        wb.run(Recipe(recipe=str(journey), set=(change,)))
    assert not store.artefacts()


def test_steps_stages_and_reports_that_do_not_exist_are_named(journey: Any) -> None:
    steps = journey.recipe["steps"]
    for report in ("$strt.new", {"a": {"b": "$strt"}}):
        journey.change(report={"new": report})
        with pytest.raises(WorkbenchError, match=r"report refers to \$strt.*Did you mean start"):
            check(read(str(journey)))
    journey.change(steps=steps | {"more": {"step": "trian"}})
    with pytest.raises(WorkbenchError, match=r"There is no step 'trian'. Did you mean train"):
        check(read(str(journey)))


def test_a_hub_id_is_taken_without_asking_the_hub(journey: Any) -> None:
    assert check(read(str(journey), "paper"))["longer"].base == "some-lab/base"
