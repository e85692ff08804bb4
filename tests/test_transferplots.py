"""Figures of transfers: they draw what the rows say."""

from __future__ import annotations

import pytest

from workbench import transferplots

RACE = [
    {"method": "original", "seed": 0, "step": 0, "bits_per_byte": 0.4, "low": 0.3, "high": 0.5},
    *({"method": "mean", "seed": seed, "step": step, "bits_per_byte": 3.0 - step / 10 + seed, "low": 2.0, "high": 5.0} for seed in (0, 1) for step in (0, 10)),
    {"method": "salt", "seed": 0, "step": 0, "bits_per_byte": 2.0, "low": None, "high": None},
]


def test_a_race_starts_with_a_bar_for_each_method_and_a_line_for_the_original() -> None:
    figure = transferplots.race_start(RACE, "ru")
    assert list(figure.data[0].x) == [3.5, 2.0]  # the mean over seeds
    assert [shape.x0 for shape in figure.layout.shapes] == [0.4]
    assert not transferplots.race_start(RACE[1:]).layout.shapes


def test_a_race_goes_on_as_means_in_the_band_of_the_seeds() -> None:
    figure = transferplots.race_course(RACE)
    band, mean, salt = figure.data
    assert (list(mean.x), list(mean.y)) == ([0, 10], [3.5, 2.5])
    assert (list(band.x), list(band.y)) == ([0, 10, 10, 0], [4.0, 3.0, 2.0, 3.0])
    assert list(salt.y) == [2.0]
    bars = transferplots.race_start(RACE).data[0].marker.color
    assert [mean.line.color, salt.line.color] == list(bars)


def test_rows_beyond_the_most_are_added_up() -> None:
    rows = [{"script": name, "kept": n, "new": 1, "dropped": 0} for n, name in enumerate("abcdef")]
    kept, new = transferplots.rows_by(rows, "script", most=4).data
    assert (list(kept.y)[-1], list(kept.x)[-1], list(new.x)[-1]) == ("others", 4 + 5, 2)
    assert sum(kept.x) == sum(row["kept"] for row in rows)


def test_hidden_tokens_are_drawn_for_one_script() -> None:
    rows = [
        {"method": m, "script": s, "band": "all", "cosine": c, "low": c - 0.1, "high": c + 0.1}
        for m, s, c in (("a", "all", 0.5), ("a", "Latin", 0.25), ("b", "all", -0.1))
    ]
    assert list(transferplots.hidden_overlap(rows).data[0].x) == [0.5, -0.1]
    assert list(transferplots.hidden_overlap(rows, "Latin").data[0].x) == [0.25]


def test_the_histogram_of_supports_leaves_out_empty_ends() -> None:
    rows = [{"k": k, "tokens": n} for k, n in (("1", 0), ("2", 3), ("3–4", 0), ("5–8", 2), ("9–16", 0))]
    assert list(transferplots.support_sizes(rows).data[0].x) == ["2", "3–4", "5–8"]
    assert len(transferplots.support_sizes([{"k": "1", "tokens": 0}]).data[0].x) == 1


def test_weights_are_signed_and_beside_them_stand_similarities() -> None:
    rows = [{"token": "a", "id": 1, "weight": 0.5, "similarity": 0.9}, {"token": "b", "id": 2, "weight": -0.25, "similarity": 0.8}]
    bars, dots = transferplots.coefficients(rows).data
    assert list(bars.x) == [0.5, -0.25]
    assert bars.marker.color[0] != bars.marker.color[1]
    assert list(dots.x) == [0.9, 0.8]
    assert len(transferplots.coefficients([{"token": "a", "id": 1, "weight": 1.0}]).data) == 1
    assert len(transferplots.coefficients(rows * 20).data[0].x) == transferplots.TERMS


@pytest.mark.parametrize("tables", [("input",), ("input", "output")])
def test_the_fit_of_lep_is_drawn_beside_swap(tables: tuple[str, ...]) -> None:
    swap, mapped = transferplots.lep_fit({"variant": "overlap"} | {which: {"r2_swap": 0.5, "r2_map": 0.9} for which in tables}).data
    assert list(swap.y) == [0.5] * len(tables)
    assert list(mapped.y) == [0.9] * len(tables)
    assert "overlap" in mapped.name


def test_the_convergence_of_a_race_is_drawn_from_its_result() -> None:
    from workbench import plots
    from workbench.evaluation.racing import Raced

    assert plots.convergence(Raced(rows=RACE)) == transferplots.race_course(RACE)


def test_the_command_line_draws_races_and_fits() -> None:
    from workbench import pictures
    from workbench.errors import WorkbenchError

    assert len(pictures.draw("race", {"rows": RACE}).data) == 3
    assert len(pictures.draw("lep", {"variant": "overlap", "input": {"r2_swap": 0.5, "r2_map": 0.9}}).data) == 2
    with pytest.raises(WorkbenchError, match="nothing to draw"):
        pictures.draw("lep", {"variant": "swap", "input": {}})
