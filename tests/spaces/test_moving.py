"""How far tokens moved, and one token's way through several spaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plants import Planted, rotation

from workbench import spaces
from workbench.errors import WorkbenchError
from workbench.spaces import displacement, life, of
from workbench.spaces.moving import most_moved


def test_a_token_that_was_moved_is_the_one_that_moved_most() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in range(80)]
    rows = rng.standard_normal((80, 6))
    turned = rows @ rotation(rng, 6)
    turned[17] += 5
    first, second = of(rows.astype(np.float32), words, "first"), of(turned.astype(np.float32), words, "second")
    found = displacement(first, second, how="procrustes", seed=2)
    top = most_moved(found, second, 3)
    assert top[0]["token"] == "w17"
    assert top[0]["absolute"] > 4 * top[1]["absolute"]
    assert top[0]["relative"] > 1
    still = displacement(first, first)
    assert np.abs(still.absolute).max() == 0
    assert (still.kept == 1).all()
    some = displacement(first, second, how="procrustes", tokens=np.array([17, 3]), seed=2)
    assert some.ids[:, 1].tolist() == [3, 17]
    assert np.allclose(some.relative, found.relative[[3, 17]])
    assert len(displacement(first, second, tokens=np.array([], dtype=int)).kept) == 0


def test_the_way_of_a_token_names_every_stage(models: tuple[Path, Path]) -> None:
    base, longer = (spaces.open(m) for m in models)
    found = life([base, longer, longer], "bear", k=4)
    assert [stage["space"] for stage in found.stages] == [base.name, longer.name, longer.name]
    assert found.stages[1]["cosine"] == pytest.approx(1, abs=1e-5)
    assert found.stages[2]["moved"] == 0
    assert found.stages[2]["kept"] == 1
    assert len(found.stages[0]["neighbours"]) == 4
    assert found.places.shape == (3, base.width)
    new = life([base, longer], longer.size - 1)
    assert new.stages[0]["note"] == "not in this vocabulary"
    assert len(new.places) == 1


def test_stages_that_share_nothing_have_no_way_between_them(planted: Planted) -> None:
    alone = of(np.eye(12)[:3], ["x", "y", "z"], "alone")
    found = life([alone, planted.second], "р5")
    assert len(found.places) == 1
    with pytest.raises(WorkbenchError, match="no space"):
        life([], "x")
