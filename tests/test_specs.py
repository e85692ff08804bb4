"""One class is the only place where a knob is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

import workbench as wb
from workbench import specs, steps
from workbench.__main__ import _parser
from workbench.errors import WorkbenchError
from workbench.progress import Progress
from workbench.specs import Step
from workbench.transfer import Subtokens, Transfer


class Sum(Step):
    """Add numbers."""

    command: ClassVar[str] = "sum"
    main: ClassVar[tuple[str, ...]] = ("numbers",)
    numbers: tuple[int, ...] = Field((1, 2), description="What to add.")
    scale: float = Field(1.0, gt=0, le=10, description="Multiply by this.")
    way: Literal["up", "down"] = Field("up", description="Where to round.")
    loud: bool = Field(False, description="Say it loudly.")
    note: str | None = Field(None, description="A remark.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        return {"sum": sum(self.numbers) * self.scale}


def by_flags(words: list[str]) -> Step:
    from workbench.__main__ import _given

    return specs.build(Sum, _given(_parser(Sum, (Sum,)).parse_args(words)))


NOTES = st.none() | st.sampled_from(["remark", "-x", "--loud", "a b"])


@given(st.lists(st.integers(), min_size=1), st.floats(0.1, 10), st.sampled_from(["up", "down"]), st.booleans(), NOTES)
def test_flags_json_and_code_all_give_back_the_same_step(numbers: list[int], scale: float, way: str, loud: bool, note: str | None) -> None:
    import shlex

    step = Sum(numbers=tuple(numbers), scale=scale, way=way, loud=loud, note=note)
    assert by_flags(shlex.split(specs.command_line(step))[2:]) == step
    assert Sum(**json.loads(step.model_dump_json())) == step
    assert specs.build(Sum, specs.flat(step)) == step


def test_positional_objects() -> None:
    assert by_flags(["3", "4", "--scale", "2"]) == Sum(numbers=(3, 4), scale=2)


def test_a_new_knob_shows_up_in_flags_json_code_and_form_description_with_no_other_edit() -> None:
    class More(Sum):
        """Add numbers and more."""

        added: int = Field(7, ge=1, le=9, description="A knob that did not exist before.")

    assert "--added" in _parser(More, (More,)).format_help()
    assert "A knob that did not exist before." in _parser(More, (More,)).format_help()
    assert More().model_dump()["added"] == 7
    assert "added=8" in specs.python_code(More(added=8))
    assert "--added 8" in specs.command_line(More(added=8))
    knob = next(k for k in specs.knobs(More) if k.name == "added")
    assert (knob.type, knob.low, knob.high, knob.default) == (int, 1, 9, 7)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"scal": 1}, "Did you mean scale?"),
        ({"scale": 11}, "less than or equal to 10"),
        ({"way": "sideways"}, "'up' or 'down'"),
        ({"numbers": ["x"]}, "valid integer"),
    ],
)
def test_bad_values_are_one_sentence_that_names_the_fix(values: dict[str, Any], says: str) -> None:
    for make in (lambda: Sum(**values), lambda: specs.build(Sum, values)):
        with pytest.raises(WorkbenchError, match=says.replace("?", r"\?")) as caught:
            make()
        assert "\n" not in str(caught.value)


def test_nested_choices_are_flat_for_hosts() -> None:
    step = specs.build(Transfer, {"model": "a", "tokenizer": "b", "input_from": "last"})
    assert step == Transfer(model="a", tokenizer="b", method=Subtokens(input_from="last"))
    assert specs.build(Transfer, specs.flat(step)) == step
    with pytest.raises(WorkbenchError, match="belongs to subtokens"):
        specs.build(Transfer, {"model": "a", "tokenizer": "b", "method": "mean", "input_from": "last"})


def test_every_step_of_the_menu_can_be_shown_as_code_and_read_back() -> None:
    for classes in steps.menu().values():
        for model in classes:
            needed = {k.name: _any(k) for k in specs.knobs(model) if k.required}
            step = specs.build(model, needed)
            assert eval(specs.python_code(step), {"wb": wb}) == step
            assert steps.from_json(json.loads(json.dumps(steps.to_json(step)))) == step
            assert model.__doc__
            for knob in specs.knobs(model):
                assert knob.help.endswith((".", ".)")), f"{model.command}: {knob.name} has no help sentence"


def _any(knob: specs.Knob) -> Any:
    value = knob.choices[0] if knob.choices else {int: 1, float: 0.5, bool: True}.get(knob.type, "x")
    return [value] if knob.many else value
