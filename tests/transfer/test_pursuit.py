"""Matching pursuit by its definition in fp64, whatever is rounded on the way, and whatever the parts and threads."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import sleep

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.transfer import pursuit
from workbench.transfer.combining import combine_rows
from workbench.transfer.pursuit import pursue
from workbench.transfer.similar import Support, unit

SetThreads = Callable[[int], None]


def by_definition(query: np.ndarray, anchors: np.ndarray, k: int) -> list[int]:
    """Of the largest inner products the first; what is a combination of those chosen is passed over; ends where less than 1e-5 of the first is left."""
    chosen: list[int] = []
    closed: list[int] = []
    query, anchors, first = query.astype(float), anchors.astype(float), 0.0

    def beyond(vector: np.ndarray) -> np.ndarray:
        return vector - np.linalg.lstsq(anchors[chosen].T, vector, rcond=None)[0] @ anchors[chosen] if chosen else vector

    for _ in range(min(k, len(anchors))):
        inner = np.abs(anchors @ beyond(query))
        inner[closed] = -1
        best = int(np.flatnonzero(inner >= inner.max() * (1 - 1e-9))[0])
        first = first or inner[best]
        if inner[best] <= 1e-5 * first:
            break
        closed.append(best)
        if np.linalg.norm(beyond(anchors[best])) ** 2 > 1e-6 * np.linalg.norm(anchors[best]) ** 2:
            chosen.append(best)
    return chosen


def rows_of(support: Support) -> list[list[int]]:
    return [support.anchors[start:stop].tolist() for start, stop in zip(support.ends[:-1], support.ends[1:], strict=True)]


def alike(n: int, m: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clustered vectors of many lengths: large coherence, and inner products that are near to each other."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((12, width))
    queries, anchors = (centres[rng.integers(0, 12, size)] + 0.5 * rng.standard_normal((size, width)) for size in (n, m))
    return queries, anchors * rng.lognormal(0, 0.7, (m, 1))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(1, 40), st.integers(1, 12), st.integers(0, 10**6))
def test_it_is_greedy_step_by_step(n: int, m: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, anchors = rng.standard_normal((n, 24)), rng.standard_normal((m, 24))
    found = rows_of(pursue(queries, anchors, k))
    assert found == [by_definition(query, anchors, k) for query in queries]
    assert {len(row) for row in found} == {min(k, m)}


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 2600), st.integers(1, 70), st.integers(1, 30), st.integers(0, 10**6), st.sampled_from(["float32", "float64"]), st.booleans())
def test_it_is_that_of_the_definition_also_to_the_end(m: int, width: int, k: int, seed: int, kind: str, whole: bool) -> None:
    """Up to k > m and k > width, where rounding is all that is left of a vector."""
    queries, anchors = (part.astype(kind) for part in alike(3, m, width, seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pursuit, "WIDEST", m if whole else 0)
        support = pursue(queries, anchors, k)
    assert rows_of(support) == [by_definition(query, anchors, k) for query in queries]
    cosines = (unit(queries) @ unit(anchors).T)[np.repeat(np.arange(3), support.sizes), support.anchors]
    assert np.allclose(support.cosines, cosines, atol=1e-12)


@pytest.mark.parametrize("whole", [True, False], ids=["kept", "side by side"])
def test_of_what_is_nearly_equal_the_larger_is_chosen_and_of_equal_ones_the_first(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows a little longer or turned a little, far below what fp32 tells apart; equal and opposite ones; rows that differ by less than is told apart."""
    rng = np.random.default_rng(5)
    queries, rows = alike(8, 300, 40, 5)
    longer = [rows * (1 + by * rng.choice([-1, 1], (300, 1))) for by in (1e-6, 1e-8, 1e-12)]
    turned = [rows + by * rng.standard_normal(rows.shape) for by in (1e-4, 1e-6, 1e-8)]
    anchors = np.concatenate([rows, rows, -rows, *longer, *turned])[rng.permutation(2700)]
    monkeypatch.setattr(pursuit, "WIDEST", 2700 if whole else 0)
    found = rows_of(pursue(queries, anchors, 20))
    assert found == [by_definition(query, anchors, 20) for query in queries]


def test_what_inner_products_are_off_by_is_known() -> None:
    import torch

    from workbench.transfer.pursuing import begin, choose, state_of, take

    queries, anchors = (part.astype(np.float32) for part in alike(4, 1500, 500, 3))
    rows, even = pursuit._rows(anchors)
    gram, vectors, lengths = pursuit._gram(even), unit(queries), unit(anchors)
    bases = pursuit._products(torch.from_numpy(vectors).float(), even).numpy()
    state, used = state_of(1500, 500, 40, pursuit._roundings(500)), []
    for vector, base in zip(vectors, bases, strict=True):
        begin(state, vector, base, rows)
        for step in range(40):
            best, n = choose(state, rows), state.counts[0]
            assert n == step
            exact = lengths @ (vector - state.now[:n] @ lengths[state.chosen[:n]])
            used.append(np.abs(state.inner - exact).max() / state.levels[3])
            assert state.levels[3] < 0.003
            take(state, rows, best, gram[best])
    assert max(used) < 1
    assert np.mean(used) > 0.01  # not a bound that would hold for anything


def test_when_little_is_left_all_inner_products_are_taken_anew() -> None:
    """Else what 16 bits are off by would hide what is left, and every row were looked at in every step."""
    from workbench.transfer.pursuing import pursue_each, state_of

    queries, anchors = alike(1, 3000, 60, 9)
    rows, even = pursuit._rows(anchors)
    state, places = state_of(3000, 60, 64, pursuit._roundings(60)), np.full((1, 64), -1)
    base = (unit(queries) @ unit(anchors).T).astype(np.float32)
    pursue_each(state, rows, unit(queries), base, pursuit._gram(even), places, np.zeros((1, 64)))
    assert state.levels[1] < 0.01
    assert state.levels[3] < 1e-5
    assert places[0, : state.counts[0]].tolist() == by_definition(queries[0], anchors, 64)


def test_it_stops_when_nothing_is_left() -> None:
    anchors = np.eye(8) + 0.01 * np.random.default_rng(0).standard_normal((8, 8))
    support = pursue((2 * anchors[3] - anchors[5])[None], anchors, 8)
    found = combine_rows((2 * anchors[3] - anchors[5])[None], anchors, support)
    assert found.residual[0] < 1e-9
    made = dict(zip(support.anchors.tolist(), found.coefficients.round(6).tolist(), strict=True))
    assert made[3] == 2
    assert made[5] == -1


def test_a_combination_of_what_is_chosen_is_passed_over() -> None:
    """A row 5e-4 beside the first chosen holds all that is left of the vector, but is no row of its own."""
    anchors = np.zeros((3, 4))
    anchors[0, 0] = anchors[1, 0] = anchors[2, 2] = 1
    anchors[1, 1] = 5e-4
    assert rows_of(pursue(np.array([[1, 0.3, 1e-5, 0]]), anchors, 3)) == [[1]]
    assert rows_of(pursue(np.array([[1, -0.3, 1e-5, 0]]), anchors, 3)) == [[0]]
    assert rows_of(pursue(np.array([[1, -0.3, 1e-4, 0]]), anchors, 3)) == [[0, 2]]
    assert rows_of(pursue(np.array([[1, -0.3, 1e-4, 0]]), anchors, 2)) == [[0]]  # it takes up a step


def test_what_is_nothing_has_no_support_and_is_in_none() -> None:
    queries, anchors = alike(5, 50, 10, 1)
    queries[2], anchors[:7] = 0, 0
    support = pursue(queries, anchors, 10)
    assert support.sizes.tolist() == [10, 10, 0, 10, 10]
    assert support.anchors.min() >= 7
    apart = np.linalg.qr(np.random.default_rng(2).standard_normal((10, 10)))[0]
    assert pursue(apart[:4], apart[4:], 5).sizes.tolist() == [0, 0, 0, 0]  # but for rounding
    for queries, anchors in ((np.zeros((0, 3)), np.ones((4, 3))), (np.ones((4, 3)), np.zeros((0, 3))), (np.ones((4, 3)), np.zeros((2, 3)))):
        assert pursue(queries, anchors, 2).sizes.tolist() == [0] * len(queries)


def test_neither_scale_nor_rotation_changes_a_support() -> None:
    queries, anchors = alike(20, 1200, 32, 6)
    wanted = rows_of(pursue(queries, anchors, 12))
    turn = np.linalg.qr(np.random.default_rng(4).standard_normal((32, 32)))[0]
    for scale in (1e-30, 1e-3, 7.0, 1e30):
        assert rows_of(pursue(scale * queries, scale * anchors, 12)) == wanted
        assert rows_of(pursue(queries, scale * anchors, 12)) == wanted
    assert rows_of(pursue(queries @ turn, anchors @ turn, 12)) == wanted


@pytest.mark.parametrize("whole", [True, False], ids=["kept", "side by side"])
def test_neither_threads_nor_parts_change_anything(whole: bool, monkeypatch: pytest.MonkeyPatch, threads: SetThreads) -> None:
    queries, anchors = (part.astype(np.float32) for part in alike(150, 1300, 48, 7))
    threads(1)
    wanted = pursue(queries, anchors, 16)
    threads(2)
    monkeypatch.setattr(pursuit, "WIDEST", 1300 if whole else 0)
    for together, tile, piece in ((64, 1024, 192), (7, 100, 10)):
        monkeypatch.setattr(pursuit, "TOGETHER", together)
        monkeypatch.setattr(pursuit, "TILE", tile)
        monkeypatch.setattr(pursuit, "PIECE", piece)
        found = pursue(queries, anchors, 16)
        assert (found.ends == wanted.ends).all()
        assert (found.anchors == wanted.anchors).all()
        assert (found.cosines == wanted.cosines).all()


@given(st.integers(1, 4096), st.integers(1, 10**6), st.booleans())
def test_it_stays_in_its_room_unless_one_vector_fills_it(k: int, m: int, whole: bool) -> None:
    together, at_once = pursuit.sizes_of(k, m, whole)
    assert 1 <= together <= pursuit.TOGETHER
    from workbench.transfer.pursuing import state_of

    held = sum(part.itemsize * part.size for part in state_of(64, 0, min(k, 99), 0))
    assert held <= pursuit.EACH * 64 + 2 * (min(k, 99) + 1) * 64 + 8 * min(k, 99) ** 2 + 40 * min(k, 99) + 100
    kept = 2 * k * m
    assert at_once * (kept + 4 * m * together if whole else kept * together) <= pursuit.ROOM or at_once == 1


@pytest.mark.parametrize("whole", [True, False], ids=["kept", "side by side"])
def test_little_room_means_fewer_parts_at_a_time_and_the_same_supports(whole: bool, monkeypatch: pytest.MonkeyPatch, threads: SetThreads) -> None:
    rng = np.random.default_rng(3)
    queries, anchors = rng.standard_normal((40, 24)), rng.standard_normal((130, 24))
    wanted = pursue(queries, anchors, 9)
    name = "_one_by_one" if whole else "_side_by_side"
    real, running, most, lock = getattr(pursuit, name), 0, 0, Lock()

    def counted(*given: object) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            sleep(0.01)  # long enough for the others to come
            real(*given)
        finally:
            with lock:
                running -= 1

    threads(4)
    one = (2 * 10 + pursuit.EACH) * 130 + 8 * 81
    monkeypatch.setattr(pursuit, name, counted)
    monkeypatch.setattr(pursuit, "WIDEST", 130 if whole else 0)
    monkeypatch.setattr(pursuit, "TOGETHER", 3)
    monkeypatch.setattr(pursuit, "ROOM", 2 * (one + 4 * 130 * 3 if whole else 3 * one))
    monkeypatch.setattr(pursuit, "SHARE", 3 * one)
    assert pursuit.sizes_of(9, 130, whole) == (3, 2)
    found = pursue(queries, anchors, 9)
    assert most == 2
    assert (found.ends == wanted.ends).all()
    assert (found.anchors == wanted.anchors).all()


def test_where_nothing_can_be_written_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    from workbench.transfer.compiling import compiled

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    assert compiled(lambda a: a + 1)(2) == 3
