"""Numbers among full vectors, against their definitions and on planted spaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import Planted, rotation

from workbench import spaces
from workbench.errors import WorkbenchError
from workbench.spaces import measure
from workbench.spaces.measuring import anisotropy, cka, neighbourhood, skewness


def test_on_a_planted_pair_translations_draw_together(planted: Planted) -> None:
    found = measure(planted.first, planted.second, dictionary=planted.pairs)
    assert found.alignment.how == "procrustes"
    assert found.value("translations, cosine after") == pytest.approx(1, abs=1e-4)
    assert found.value("translations, cosine before") < 0.5
    for name in ("hit@1 cosine", "hit@1 csls", "mrr cosine"):
        assert found.value(f"translations, {name}") == 1
        assert found.value(f"held-out anchors, {name}") == 1
    assert found.value("linear CKA") == pytest.approx(1, abs=1e-6)
    assert found.value("translations, both one token") == 1
    assert {row["n"] for row in found.rows if row["measure"] == "held-out anchors, cosine after"} == {12}
    assert [row["space"] for row in found.spaces if row["script"] == "all"] == ["first", "second"]


def test_intervals_hold_their_value_and_the_seed_decides_them(planted: Planted) -> None:
    found = measure(planted.first, planted.second, dictionary=planted.pairs, how="none", seed=1)
    rows = [row for row in found.rows if row["low"] is not None]
    assert len(rows) > 10
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    assert any(row["low"] < row["high"] for row in rows)
    assert measure(planted.first, planted.second, dictionary=planted.pairs, how="none", seed=1).rows == found.rows


def test_pairs_that_decided_the_map_do_not_judge_it(planted: Planted) -> None:
    first, second = (spaces.of(p.rows[:300], [p.tokens.tokens[n] for n in range(300)], p.name) for p in (planted.first, planted.second))
    found = measure(first, second, dictionary=planted.pairs)
    assert next(row["n"] for row in found.rows if row["measure"] == "translations, hit@1 cosine") == 60
    with pytest.raises(WorkbenchError, match="give a dictionary"):
        measure(first, second)


def test_one_space_is_measured_by_itself(models: tuple[Path, Path]) -> None:
    found = measure(models[1], dictionary=[("bear", "медведь"), ("house", "доме"), ("fox", "лиса"), ("red", "красный")])
    assert found.alignment is None
    assert found.value("translations, cosine as they are") is not None
    assert {row["script"] for row in found.spaces} >= {"all", "Latin", "Cyrillic"}
    assert len({row["space"] for row in found.spaces}) == 1


def test_a_space_beside_itself_is_the_same(models: tuple[Path, Path]) -> None:
    found = measure(models[0], models[0])
    assert found.alignment.how == "none"
    for name in ("anchors, cosine before", "anchors, cosine after", "linear CKA", "neighbours kept of 10"):
        assert found.value(name) == pytest.approx(1, abs=1e-5)


@given(st.integers(3, 40), st.integers(1, 6), st.floats(0.01, 100), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_cka_sees_neither_turn_nor_scale_nor_move(n: int, width: int, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, width)), rng.standard_normal((n, width + 1))
    value = cka(a, b)["value"]
    assert -1e-9 <= value <= 1 + 1e-9
    assert cka(scale * a @ rotation(rng, width) + 7, b)["value"] == pytest.approx(value, abs=1e-7)
    assert cka(b, a)["value"] == pytest.approx(value, abs=1e-7)
    assert cka(a, a)["value"] == pytest.approx(1)


def test_cka_of_constant_rows_is_not_a_number() -> None:
    assert cka(np.ones((5, 2)), np.eye(5))["value"] is None


def test_anisotropy_is_the_mean_cosine_of_different_rows() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 5)) + 1
    u = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = u @ u.T
    assert anisotropy(rows)["mean_cosine"] == pytest.approx(cosines[~np.eye(40, dtype=bool)].mean(), abs=1e-6)
    assert anisotropy(rows[:1])["mean_cosine"] is None
    assert anisotropy(np.ones((4, 3)))["first_direction"] is None


def test_neighbourhoods_of_equal_spaces_are_equal_and_of_strangers_not() -> None:
    rng = np.random.default_rng(1)
    a = rng.standard_normal((100, 8))
    assert (neighbourhood(a, 3 * a @ rotation(rng, 8)) == 1).all()
    assert neighbourhood(a, rng.standard_normal((100, 8))).mean() < 0.3
    assert neighbourhood(a[:2], a[:2]).tolist() == [1, 1]


def test_hubness_is_zero_where_all_occur_alike_and_large_for_a_hub() -> None:
    assert skewness(np.full(50, 10)) is None
    assert skewness(np.array([1] * 49 + [400])) > 5
