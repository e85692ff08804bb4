"""From many dimensions to two or three."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import Stopped, WorkbenchError
from workbench.progress import Progress
from workbench.spaces import axis, pca
from workbench.spaces.projecting import clusters, umap


@given(st.integers(3, 40), st.integers(2, 8), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_pca_is_that_of_the_singular_values(n: int, width: int, seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((n, width)) * 2.0 ** np.arange(width)
    places, shares = pca(rows, 2)
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    assert np.allclose(np.linalg.norm(places, axis=0), values[:2], rtol=1e-3, atol=1e-3)
    assert np.allclose(shares, values[:2] ** 2 / (values**2).sum(), atol=1e-3)
    assert np.array_equal(pca(rows, 2)[0], places)


def test_the_global_generators_are_not_touched() -> None:
    before = np.random.get_state()[1].copy()
    pca(np.random.default_rng(0).standard_normal((30, 5)))
    assert np.array_equal(np.random.get_state()[1], before)


def test_rows_are_only_overwritten_when_that_is_asked_for() -> None:
    rows = np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32) + 4
    kept = rows.copy()
    pca(rows)
    assert np.array_equal(rows, kept)
    pca(rows, overwrite=True)
    assert np.allclose(rows.mean(axis=0), 0, atol=1e-5)


def test_more_components_than_there_are_are_zero() -> None:
    places, shares = pca(np.random.default_rng(0).standard_normal((3, 2)), 5)
    assert places.shape == (3, 5)
    assert (places[:, 2:] == 0).all()
    assert shares[:2].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("rows", "said"),
    [(np.ones((1, 3)), "single token"), (np.full((9, 3), 7.0), "all alike"), (np.array([[1, np.nan], [1, 2], [3, 4]]), "NaN"), (np.zeros((5, 2)), "all alike")],
)  # fmt: skip
def test_what_cannot_be_laid_out_is_said(rows: np.ndarray, said: str) -> None:
    with pytest.raises(WorkbenchError, match=said):
        pca(rows)


def test_an_axis_runs_from_one_set_to_the_other() -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((50, 6)).astype(np.float32)
    places = axis(rows, rows[:3], rows[3:7])
    assert places[:3, 0].mean() == pytest.approx(-1, abs=1e-5)
    assert places[3:7, 0].mean() == pytest.approx(1, abs=1e-5)
    with pytest.raises(WorkbenchError, match="differ"):
        axis(rows, rows[:3], rows[:3])


def test_clusters_are_numbered_by_size() -> None:
    rng = np.random.default_rng(2)
    found = clusters(np.concatenate([rng.normal(0, 0.1, (10, 2)), rng.normal(9, 0.1, (30, 2))]), 2)
    assert found.tolist() == [1] * 10 + [0] * 30
    assert set(clusters(np.ones((5, 2)), 4)) == {0}


def test_umap_says_what_it_needs() -> None:
    rows = np.random.default_rng(0).standard_normal((30, 4))
    with pytest.raises(WorkbenchError, match="at least five tokens"):
        umap([rows[:4]])
    with pytest.raises(WorkbenchError, match="share none"):
        umap([rows, rows], [{}])


def test_umap_ends_when_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    import workbench.spaces.umapping as umapping

    started: list[subprocess.Popen[bytes]] = []
    true = subprocess.Popen
    monkeypatch.setattr(umapping.subprocess, "Popen", lambda *a, **k: started.append(true(*a, **k)) or started[-1])
    stop = threading.Event()
    threading.Timer(0.6, stop.set).start()
    begun = time.time()
    with pytest.raises(Stopped):
        umap([np.random.default_rng(0).standard_normal((3_000, 8))], progress=Progress(stop=stop.is_set))
    assert time.time() - begun < 20
    assert started[0].returncode is not None  # it is gone, and not left to itself
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)


@pytest.mark.slow
def test_umap_is_seeded_and_aligned_slices_stay_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(n, 0.3, (40, 6)) for n in range(3)])
    (places,), (again,) = umap([rows], seed=3), umap([rows], seed=3)
    assert np.array_equal(places, again)
    one, two = umap([rows, rows + rng.normal(0, 0.05, rows.shape)], [{n: n for n in range(len(rows))}], seed=3)
    assert np.linalg.norm(one - two, axis=1).mean() < 0.2 * np.ptp(one)
