"""Recipes as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench.errors import WorkbenchError
from workbench.recipes import load, read
from workbench.recipes.reading import parsed, scales


def test_a_scale_puts_in_its_values_and_its_knobs(journey: Any) -> None:
    assert scales(journey.recipe) == ["demo", "paper"]
    demo, paper = read(str(journey)), read(str(journey), "paper")
    assert (demo.scale, paper.scale) == ("demo", "paper")
    assert demo.entries["longer"].knobs["new_tokens"] == 20
    assert paper.entries["longer"].knobs["new_tokens"] == 20_000
    assert paper.entries["scores"].knobs["models"] == ["some-lab/base", "$start"]
    assert paper.entries["result"].uses() == ["start"]
    assert paper.called == {"some-lab/base": "base", "some-lab/chat": "chat"}
    assert list(paper.entries) == list(journey.recipe["steps"])
    assert paper.after("scores") == ["scores", "chats"]


def test_changes_are_made_to_knobs_and_to_values(journey: Any) -> None:
    made = read(str(journey), "paper", ["base=/a/b", "longer.new_tokens=3", "start.method=salt", "start.donor=$longer", "scores.models=[$base]"])
    assert made.entries["longer"].knobs["base"] == made.entries["result"].knobs["base"] == "/a/b"
    assert made.entries["longer"].knobs["new_tokens"] == 3
    assert made.entries["start"].uses() == ["longer"]
    assert made.entries["scores"].knobs["models"] == ["/a/b"]


@given(st.text(max_size=30))
@example("2024-13-45")
def test_any_text_is_a_value(text: str) -> None:
    parsed(text)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("longr.new_tokens=7", "Did you mean longer"), ("longer", r"is not step\.knob=value"), ("bas=x", "Did you mean base"), ("longer.=7", "is not"),
        ("longer.step=chat", "is not step"), ("=", "is not"),
        ("start.tokenizer=$longest", r"refers to \$longest, which no earlier step has made. Did you mean longer"),
        ("start.tokenizer=$result", r"refers to \$result, which no earlier step"), ("start.tokenizer=$start", "which no earlier step"),
    ],
)  # fmt: skip
def test_bad_changes_are_refused(journey: Any, change: str, says: str) -> None:
    with pytest.raises(WorkbenchError, match=says):
        read(str(journey), "", [change])


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"steps": []}, "has no 'steps'"), ({"steps": {"a": {"knob": 1}}}, "has no 'steps'"),
        ({"repot": {}}, "a part 'repot' that no recipe has. Did you mean report"),
        ({"values": [1]}, "have names with what each stands for"), ({"values": {"longer": {"demo": 1, "paper": 1}}}, "both a value and a step 'longer'"),
        ({"values": {"base": {"demo": "x"}, "chat": {"demo": "x"}}}, None), ({"values": {"base": "x"}}, "what it is at each scale"),
        ({"values": {"base": {"demo": "x", "paper": "y"}, "chat": {"paper": "x"}}}, "does not say what 'chat' is at scale demo"),
        ({"table": ["score"]}, "table asks for 'score'.*Did you mean scores"), ({"steps": {"a": {"step": "recipe"}}}, "no step is a recipe"),
        ({"steps": {"a": {"step": "corpus", "weight": -1}}}, "The weight of a is -1"), ({"table": 5}, "table is no list"), ({"table": [5]}, "table is no list"),
        ({"steps": {"a": {"step": "corpus", 1: "x"}}}, "is no text; put it in quotes"), ({"steps": {1: {"step": "corpus"}}}, "is no text; put it in quotes"),
        ({"sizes": {"m": {"parameters": 1}}}, "the size of 'm' needs numbers"), ({"sizes": {"m": {"bytes": "many"}}}, "the size of 'm' needs numbers"),
    ],
)  # fmt: skip
def test_bad_recipes_are_refused(journey: Any, parts: dict[str, Any], says: str | None) -> None:
    if "steps" in parts:
        parts |= {"table": []}
    journey.change(**parts)
    if says is None:
        assert read(str(journey)).scale == "demo"
        return
    with pytest.raises(WorkbenchError, match=says):
        read(str(journey))


def test_what_is_not_there_is_named(journey: Any, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"no recipe 'dem'. Did you mean demo"):
        load("dem")
    with pytest.raises(WorkbenchError, match=r"no scale 'papr'. Did you mean paper"):
        read(str(journey), "papr")
    with pytest.raises(WorkbenchError, match=r"recipe demo has no scale 'paper'. Leave --scale out"):
        read("demo", "paper")
    for text in ("a: [", "a: 2024-13-45", "[" * 100_000):
        (tmp_path / "broken.yaml").write_text(text)
        with pytest.raises(WorkbenchError, match="is not YAML"):
            load(str(tmp_path / "broken.yaml"))
