"""Neighbours and retrieval, against the plain way of finding them; exact on a planted dictionary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import Planted

from workbench import spaces
from workbench.errors import WorkbenchError
from workbench.spaces import align, neighbours, retrieve, retrieving, shared
from workbench.spaces.retrieving import NEAREST, nearest, rates, unit


def plain(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return unit(a).astype(np.float64) @ unit(b).astype(np.float64).T


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 12), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_nearest_are_those_of_a_whole_product(n: int, m: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, 5)), rng.standard_normal((m, 5))
    found = nearest(a, b, k)
    every = plain(a, b)
    assert found.places.shape == (n, min(k, m))
    assert np.allclose(np.take_along_axis(every, found.places, 1), -np.sort(-every, axis=1)[:, :k], atol=1e-5)
    assert (np.diff(found.cosines, axis=1) <= 0).all()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((70, 6)), rng.standard_normal((90, 6))
    right = rng.integers(0, 90, 70)
    whole, near = retrieve(a, b, right), nearest(a, b, without=np.arange(70))
    monkeypatch.setattr("workbench.spaces.retrieving.FIRST", 5)
    monkeypatch.setattr("workbench.spaces.retrieving.QUERIES", 16)
    monkeypatch.setattr("workbench.spaces.retrieving.POOL", 7)
    again = retrieve(a, b, right)
    for name in ("rank", "csls", "occurrence"):
        assert np.array_equal(getattr(whole, name), getattr(again, name))
    assert np.array_equal(nearest(a, b, without=np.arange(70)).places, near.places)
    assert (near.places != np.arange(70)[:, None]).all()


@given(st.integers(2, 50), st.integers(12, 60), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_ranks_by_cosine_and_csls_are_as_defined(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, right = rng.standard_normal((n, 4)), rng.standard_normal((m, 4)), rng.integers(0, m, n)
    found, every = retrieve(a, b, right), plain(a, b)
    own = np.take_along_axis(every, right[:, None], 1)
    assert np.array_equal(found.rank, (every >= own - 1e-6).sum(axis=1))
    mean_of_nearest = -np.sort(-every, axis=0)[:NEAREST].mean(axis=0)
    csls = 2 * every - (-np.sort(-every, axis=1)[:, :NEAREST].mean(axis=1, keepdims=True)) * -1 - mean_of_nearest
    own = np.take_along_axis(csls, right[:, None], 1)
    assert (np.abs(found.csls - (csls >= own - 2e-6).sum(axis=1)) <= (np.abs(csls - own) < 1e-5).sum(axis=1) - 1).all()


@given(st.integers(40, 200), st.floats(0, 3), st.integers(1, 3), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_ranks_by_csls_are_the_same_in_one_product_or_two(n: int, noise: float, answers: int, seed: int) -> None:
    """In one block each query's product is taken again; in many only where its answer has rivals, or came nearer to others than was allowed for."""
    rng = np.random.default_rng(seed)
    pool, right = rng.standard_normal((150, 12)) + rng.standard_normal(12), rng.integers(0, 150, (n, answers))
    queries = pool[right[:, 0]] + noise * rng.standard_normal((n, 12))
    with pytest.MonkeyPatch.context() as patched:
        whole = retrieve(queries, pool, right)
        for name, rows in (("FIRST", 12), ("QUERIES", 16), ("POOL", 40)):
            patched.setattr(f"workbench.spaces.retrieving.{name}", rows)
        again = retrieve(queries, pool, right)
    assert np.array_equal(whole.csls, again.csls)


def test_near_pairs_take_hardly_more_than_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    whole = retrieving._products

    def counting(q: np.ndarray, *rest: object, which: np.ndarray | None = None, **named: object) -> None:
        taken.append(len(q if which is None else which))
        whole(q, *rest, which=which, **named)

    monkeypatch.setattr(retrieving, "_products", counting)
    rng = np.random.default_rng(0)
    pool, right = rng.standard_normal((3000, 64)), rng.integers(0, 3000, 4000)
    found = retrieve(pool[right] + rng.standard_normal((4000, 64)), pool, right)
    assert (found.csls == 1).mean() > 0.9
    assert taken[0] == 4000
    assert retrieving.FIRST <= taken[1] < 1000


def test_of_several_right_answers_the_best_counts() -> None:
    pool = np.eye(4)
    found = retrieve(np.array([[1.0, 0.9, 0.1, 0.0]]), pool, [[1, 2]])
    assert (found.rank[0], found.csls[0]) == (2, 2)
    assert retrieve(np.array([[1.0, 0.9, 0.1, 0.0]]), pool, [[0, 1, 2]]).rank[0] == 1


def test_a_planted_dictionary_is_retrieved_exactly(planted: Planted) -> None:
    alignment = align(shared(planted.first, planted.second), "procrustes")
    a, b = alignment.centred(planted.first.vectors(range(300)), planted.second.vectors(range(300)))
    found = retrieve(a, b, np.arange(300))
    assert (found.rank == 1).all()
    assert (found.csls == 1).all()
    assert {name: values.mean() for name, values in rates(found.rank).items()} == {"hit@1": 1, "hit@5": 1, "hit@10": 1, "mrr": 1}
    assert np.median(retrieve(planted.first.vectors(range(300)), planted.second.vectors(range(300)), np.arange(300)).rank) > 20  # before: chance


def test_neighbours_are_among_all_rows_of_the_table(models: tuple[Path, Path]) -> None:
    space = spaces.open(models[0])
    token = space.find("bear")
    found = neighbours(space, "bear", 5)
    vectors = space.vectors(range(space.size))
    cosines = plain(vectors[[token]], vectors)[0]
    cosines[token] = -2
    assert [row["id"] for row in found] == np.argsort(-cosines, kind="stable")[:5].tolist()
    assert found[0]["cosine"] == pytest.approx(cosines.max(), abs=1e-4)
    assert neighbours(space, space.vectors([token])[0], 1)[0]["id"] == token


def test_rows_without_a_direction_have_and_are_no_neighbours(vec: Path) -> None:
    space = spaces.open(vec)
    assert neighbours(space, "bear", 10)[0]["token"] == "fox"
    assert "nothing" not in str(neighbours(space, "bear", 10))
    with pytest.raises(WorkbenchError, match="no direction"):
        neighbours(space, "nothing")
    with pytest.raises(WorkbenchError, match=r"No word is 'wolf'"):
        neighbours(space, "wolf")
