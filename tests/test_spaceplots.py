"""Figures of spaces, what a click tells, and the notebook's explorer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from plants import plant

import workbench as wb
from workbench import spacehtml, spaceplots, spaces
from workbench.errors import WorkbenchError
from workbench.spacewidgets import Explorer

BAD = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def made() -> spaces.Picture:
    planted = plant()
    return spaces.picture([planted.first, planted.second], dictionary=planted.pairs, how="procrustes")


def rows_of(figure: object) -> list[int]:
    return sorted(int(row) for trace in figure.data if trace.customdata is not None for row in trace.customdata)


def test_every_point_is_drawn_once_in_its_pane(made: spaces.Picture) -> None:
    figure = spaceplots.scatter(made)
    assert rows_of(figure) == list(range(720))
    assert all(trace.type == "scattergl" for trace in figure.data)
    assert {trace.xaxis or "x" for trace in figure.data} == {"x", "x2"}
    assert figure.layout.xaxis2.matches == "x"
    for trace in figure.data:
        if trace.customdata is not None:
            assert set(made.points.loc[list(trace.customdata), "space"]) == {0 if (trace.xaxis or "x") == "x" else 1}
            assert np.array_equal(trace.x, made.points.loc[list(trace.customdata), "x"])
    first, last = spaceplots.scatter(made, view="before"), spaceplots.scatter(made, view="after")
    assert rows_of(first) + rows_of(last) == list(range(720))
    assert first.layout.xaxis.range == last.layout.xaxis.range == figure.layout.xaxis.range  # before and after on one scale
    assert rows_of(spaceplots.scatter(made, view="together")) == list(range(720))
    with pytest.raises(WorkbenchError, match="not 'from above'"):
        spaceplots.scatter(made, view="from above")


def test_lines_join_translations_and_may_be_left_out(made: spaces.Picture) -> None:
    (lines,) = [t for t in spaceplots.scatter(made, view="together").data if t.name == "translations"]
    assert np.isnan(lines.x).sum() == 300
    assert not [t for t in spaceplots.scatter(made, view="together", lines=False).data if t.name == "translations"]


@pytest.mark.parametrize("colour", ["state", "script", "cluster", "space", "norm", "displacement", "relative"])
def test_every_colour_shows_every_point(made: spaces.Picture, colour: str) -> None:
    assert rows_of(spaceplots.scatter(made, colour)) == list(range(720))


def test_a_colour_that_is_not_known_is_said(made: spaces.Picture) -> None:
    with pytest.raises(WorkbenchError, match="no frequency; draw it with a text"):
        spaceplots.scatter(made, "frequency")


def test_three_dimensions_and_a_caption_of_its_own() -> None:
    picture = spaces.picture([plant().first], dimensions=3)
    figure = spaceplots.captioned(spaceplots.scatter(picture), picture)
    assert {trace.type for trace in figure.data} == {"scatter3d"}
    caption = figure.layout.annotations[-1].text
    assert "seed 0" in caption
    assert "not distances" in caption.replace("\u2069<br>\u2068", " ")


def test_tokens_are_isolated_and_escaped() -> None:
    picture = spaces.picture([spaces.of(np.random.default_rng(0).standard_normal((5, 3)), ["کتاب", BAD, "a", "b", "c"])])
    labels = [text for trace in spaceplots.scatter(picture).data for text in trace.text]
    assert "\u2068کتاب\u2069" in labels
    assert not any("<img" in label for label in labels)
    life = spacehtml.life_html(spaces.life([spaces.of(np.eye(3), [BAD, "کتاب", "x"], BAD)], "کتاب"))
    assert "<img" not in life
    assert "<bdi>" in life


def test_numbers_need_something_that_was_ranked(made: spaces.Picture) -> None:
    planted = plant()
    found = spaces.measure(planted.first, planted.second, dictionary=planted.pairs)
    figure = spaceplots.numbers(found)
    assert [tuple(trace.y) for trace in figure.data] == [(1, 1, 1, 1)] * 2
    several = [row | {"spaces": name} for name in ("a", "b") for row in found.rows]
    assert [trace.name for trace in spaceplots.numbers(several, "held-out anchors").data] == ["a", "b"]
    with pytest.raises(WorkbenchError, match="ranked no translations"):
        spaceplots.numbers(spaces.measure(planted.first))


def test_a_way_has_a_point_for_every_stage() -> None:
    planted = plant()
    stages = spaces.life([planted.first, planted.second], "Name3").stages
    assert len(spaceplots.way(stages, "Name3").data[0].x) == 2


def test_the_explorer_finds_lists_and_tells(made: spaces.Picture) -> None:
    planted = plant()
    explorer = Explorer(made, [planted.first, planted.second])
    explorer.search.value = "name1"
    assert len(explorer.find()) == 22  # Name1, Name10 to Name19, in two spaces
    assert "22 points" in explorer.said.value
    explorer.search.value = ""
    trace = next(t for t in explorer.place.children[0].data if t.customdata is not None and t.name == "kept")
    explorer.clicked(trace, SimpleNamespace(point_inds=[0]))
    assert "Nearest in" in explorer.life.value
    explorer.lassoed(trace, SimpleNamespace(point_inds=[0, 2]))
    assert explorer.chosen == sorted(int(trace.customdata[n]) for n in (0, 2))
    assert "<b>2</b> points chosen" in explorer.table.value
    explorer.view.value = "after"
    assert len(rows_of(explorer.place.children[0])) == 360
    assert wb.widgets.space(made, [planted.first, planted.second]).children


def test_step_figures_are_those_of_the_core() -> None:
    from workbench import pictures

    planted = plant()
    found = spaces.measure(planted.first, planted.second, dictionary=planted.pairs)
    assert pictures.draw("spaces", {"rows": [row | {"spaces": "a"} for row in found.rows]}).data
    with pytest.raises(WorkbenchError, match="no key of a picture"):
        pictures.draw("spaces.project", {"key": "../../etc"})
