"""Trainings side by side."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workbench.runs import Run, _row, by_step, differences

POINTS = st.lists(st.fixed_dictionaries({"step": st.integers(0, 9)}, optional={"loss": st.floats(0, 9), "bits_per_byte_target": st.floats(0, 9)}))


@given(POINTS)
def test_a_step_that_was_told_twice_is_one_point_with_what_was_told_last(points: list[dict[str, Any]]) -> None:
    made = by_step(points)
    assert [p["step"] for p in made] == sorted({p["step"] for p in points})
    for point in made:
        told = [p for p in points if p["step"] == point["step"]]
        for name in ("loss", "bits_per_byte_target"):
            assert point.get(name) == next((p[name] for p in reversed(told) if name in p), None)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 2)), min_size=1, max_size=4))
def test_a_knob_is_listed_when_it_is_not_the_same_in_all(specs: list[dict[str, int]]) -> None:
    found = [Run(str(n), str(n), {"step": "train", "stage": str(n), **spec}, "done") for n, spec in enumerate(specs)]
    listed = {row["knob"] for row in differences(found)}
    assert listed == {name for name in "abc" if len({spec.get(name) for spec in specs}) > 1}


def test_the_speed_is_that_of_training_alone_where_it_was_told() -> None:
    told = {"tokens": 100, "seconds": 4.0}
    rows = [_row(Run("1700000000000-abcdef", "a", {"step": "train"}, "done", metrics=told | more)) for more in ({"tokens_per_second": 40.2}, {})]
    assert [row["tokens/s"] for row in rows] == [40, 25]
