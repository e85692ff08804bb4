"""Laying spaces onto each other: planted rotations come back, and the numbers obey their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import Planted, rotation

from workbench import spaces
from workbench.errors import WorkbenchError
from workbench.spaces import align, shared, translations
from workbench.spaces.aligning import Anchors, cosines, from_dictionary, split


def anchors(a: np.ndarray, b: np.ndarray, held_out: float = 0.2) -> Anchors:
    names = [str(n) for n in range(len(a))]
    return Anchors(a.astype(np.float32), b.astype(np.float32), split(len(a), held_out, 0), np.array(["Latin"] * len(a), dtype=object), names, "shared tokens")


@pytest.mark.parametrize("how", ["procrustes", "least-squares"])
def test_a_planted_rotation_comes_back(planted: Planted, how: str) -> None:
    found = align(shared(planted.first, planted.second), how)
    assert np.abs(found.turn * found.scale - planted.turn).max() < 1e-5
    assert np.abs(found.apply(planted.first.vectors(range(300))) - planted.second.vectors(range(300))).max() < 1e-4
    assert (found.anchors, found.held_out) == (48, 12)


@given(st.integers(2, 9), st.floats(0.1, 10), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_procrustes_finds_turn_scale_and_move(width: int, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, turn = rng.standard_normal((6 * width, width)), rotation(rng, width)
    found = align(anchors(a, scale * a @ turn + 5), "procrustes")
    assert np.abs(found.turn - turn).max() < 1e-4
    assert found.scale == pytest.approx(scale, rel=1e-4)
    assert np.allclose(found.turn @ found.turn.T, np.eye(width), atol=1e-8)


@pytest.mark.parametrize(("narrow", "wide"), [(6, 10), (10, 6)])
def test_widths_may_differ(narrow: int, wide: int) -> None:
    rng = np.random.default_rng(1)
    hidden = rng.standard_normal((200, 6))
    a, b = (hidden @ np.linalg.qr(rng.standard_normal((n, n)))[0][:6] for n in (narrow, wide))
    for how in ("procrustes", "least-squares"):
        found = align(anchors(a, b), how)
        assert found.turn.shape == (narrow, wide)
        assert np.allclose(found.apply(a.astype(np.float32)), b, atol=1e-3)


def test_auto_leaves_tables_as_they_are_where_they_agree() -> None:
    rng = np.random.default_rng(2)
    a = rng.standard_normal((80, 8))
    assert align(anchors(a, a + 0.1 * rng.standard_normal(a.shape))).how == "none"
    assert align(anchors(a, a @ rotation(rng, 8))).how == "procrustes"
    assert np.array_equal(align(anchors(a, a)).apply(a), a)


def test_held_out_anchors_have_no_part_in_the_fit(planted: Planted) -> None:
    every = shared(planted.first, planted.second)
    spoilt = Anchors(every.a, np.where(every.held[:, None], 100, every.b), every.held, every.scripts, every.names, every.kind)
    assert np.array_equal(align(every, "procrustes").turn, align(spoilt, "procrustes").turn)


def test_a_dictionary_aligns_what_shares_nothing(planted: Planted) -> None:
    first, second = spaces.of(planted.first.rows[:300], [f"e{n}" for n in range(300)]), spaces.of(planted.second.rows[:300], [f"р{n}" for n in range(300)])
    with pytest.raises(WorkbenchError, match="share no token to align them by; give a dictionary"):
        shared(first, second)
    found = align(from_dictionary(translations(first, second, planted.pairs)), "procrustes")
    assert np.abs(found.turn - planted.turn).max() < 1e-5


def test_a_word_with_several_translations_stays_on_one_side_of_the_split(planted: Planted) -> None:
    pairs = [(f"e{n // 2}", f"р{n}") for n in range(100)]
    found = from_dictionary(translations(planted.first, planted.second, pairs))
    assert np.array_equal(found.held[::2], found.held[1::2])


def test_a_dictionary_in_the_wrong_direction_is_warned_of(planted: Planted) -> None:
    turned = [(b, a) for a, b in planted.pairs] + [("Name1", "Name1"), ("Name2", "Name2")]
    found = translations(planted.first, planted.second, turned)
    assert "wrong direction: of its 302 pairs 2 are whole tokens of first and second, turned round 302" in found.notes[0]
    assert translations(planted.first, planted.second, planted.pairs).notes == []
    with pytest.raises(WorkbenchError, match="turned round"):
        translations(planted.first, planted.second, turned[:300])


def test_what_cannot_be_aligned_is_said() -> None:
    rng = np.random.default_rng(3)
    a = rng.standard_normal((20, 4))
    bad = {"too few": (a[:1], a[:1]), "all alike": (np.ones((20, 4)), a), "NaN": (a, a * np.nan)}
    for said, sides in bad.items():
        with pytest.raises(WorkbenchError, match=said):
            align(anchors(*sides), "procrustes")
    with pytest.raises(WorkbenchError, match="4 and 3 dimensions cannot be compared as they are"):
        align(anchors(a, a[:, :3]), "none")
    few = align(anchors(a[:6], a[:6]), "procrustes").notes
    assert "go by the held-out anchors" in few[0]


@given(st.integers(1, 40), st.floats(0, 0.9), st.integers(0, 5))
def test_a_split_leaves_something_to_fit(n: int, share: float, seed: int) -> None:
    held = split(n, share, seed)
    assert (~held).sum() >= 1
    assert held.sum() == 0 if share == 0 or n == 1 else held.sum() >= 1


def test_the_cosine_of_a_zero_row_is_zero() -> None:
    assert cosines(np.zeros((1, 3)), np.ones((1, 3))).tolist() == [0.0]
