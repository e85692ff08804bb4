"""From many dimensions to two or three: principal components, a custom axis between two sets of tokens, UMAP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..errors import WorkbenchError
from ..progress import Progress

Method = Literal["pca", "umap", "aligned-umap", "axis"]
CHUNK = 1024  # rows
COMPONENTS = 50  # that UMAP and clusters look at
ALIGNED_MOST = 5_000  # points a space: aligned UMAP takes minutes beyond


def pca(rows: np.ndarray, k: int = 2, seed: int = 0, overwrite: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(n, k) coordinates along the k first principal components of (n, d) fp32 rows, and (k,) the share of the variance of each.

    By randomised SVD (Halko et al. 2011, scikit-learn). `overwrite` centres the rows in place, so that there is never a second copy.
    Raises WorkbenchError for fewer than two rows, rows that are not finite, or all alike.
    """
    from sklearn.utils.extmath import randomized_svd

    if len(rows) < 2:
        raise WorkbenchError("A single token cannot be laid out; choose at least three.")
    rows = np.asarray(rows, dtype=np.float32)
    chunks = [slice(first, first + CHUNK) for first in range(0, len(rows), CHUNK)]
    # Sums within a chunk by BLAS in fp32, over chunks in fp64: numpy's own in fp64 take as long as the decomposition.
    middle = (sum((np.ones(len(rows[c]), np.float32) @ rows[c]).astype(np.float64) for c in chunks) / len(rows)).astype(np.float32)
    if not np.isfinite(middle).all():
        raise WorkbenchError("A chosen vector holds NaN or infinity; leave that token out.")
    rows = np.subtract(rows, middle, out=rows if overwrite and rows.flags.writeable else None)
    total = sum(float(np.vdot(rows[c], rows[c])) for c in chunks)
    if not total > 0 or total < 1e-12 * len(rows) * float(np.square(middle, dtype=np.float64).sum()):
        raise WorkbenchError("The chosen vectors are all alike, so there is nothing to lay out; choose other tokens.")
    u, s, _ = randomized_svd(rows, min(k, *rows.shape), random_state=seed)
    places = u * s
    if places.shape[1] < k:
        places = np.pad(places, ((0, 0), (0, k - places.shape[1])))
    shares = np.zeros(k)
    shares[: len(s)] = s.astype(np.float64) ** 2 / total
    return places, shares


def axis(rows: np.ndarray, start: np.ndarray, end: np.ndarray, seed: int = 0) -> np.ndarray:
    """(n, 2): x along the way from the mean of one set of vectors (-1) to that of another (1); y the first principal component of what is left.

    Raises WorkbenchError where both sets have one mean.
    """
    low, high = start.mean(axis=0, dtype=np.float64), end.mean(axis=0, dtype=np.float64)
    way = high - low
    length = float(way @ way)
    if not length > 1e-12 * max(float(low @ low), float(high @ high), 1e-30):
        raise WorkbenchError("The two ends of the axis lie at one place; choose two sets of tokens that differ.")
    x = 2 * ((rows - low.astype(np.float32)) @ way.astype(np.float32)) / length - 1
    rest = rows - np.outer(x, way / 2).astype(np.float32)
    try:
        y = pca(rest, 1, seed, overwrite=True)[0][:, 0]
    except WorkbenchError:  # all on the axis itself
        y = np.zeros(len(rows))
    return np.stack([x, y], axis=1)


def umap(
    components: Sequence[np.ndarray], relations: Sequence[Mapping[int, int]] = (), neighbours: int = 15, spread: float = 0.1, seed: int = 0,
    progress: Progress | None = None,
) -> list[np.ndarray]:  # fmt: skip
    """(n, 2) each: UMAP of one slice of principal components, or aligned UMAP of several, whose shared tokens are `relations` from each to the next.

    Runs in a process of its own, which a stop ends. The same seed gives the same picture on one machine.
    """
    from .umapping import laid

    fewest = min(len(slice_) for slice_ in components)
    if fewest < 5:
        raise WorkbenchError(f"UMAP needs at least five tokens of each space, and one has {fewest}; use pca, or choose more.")
    if len(components) > 1:
        if max(len(slice_) for slice_ in components) > ALIGNED_MOST:
            raise WorkbenchError(f"Aligned UMAP takes very long beyond {ALIGNED_MOST:,} tokens of a space; take a smaller sample.")
        if not all(relations):
            raise WorkbenchError("Aligned UMAP holds spaces together by the tokens they share, and two of these share none of the sample; use umap.")
    knobs: dict[str, Any] = {"n_neighbors": min(neighbours, fewest - 1), "min_dist": spread, "metric": "cosine", "random_state": seed}
    return laid(components, relations, knobs, progress or Progress())


def clusters(components: np.ndarray, count: int = 12, seed: int = 0) -> np.ndarray:
    """(n,) the cluster of each row by k-means on its principal components, the largest first."""
    from sklearn.cluster import MiniBatchKMeans

    count = min(count, len(np.unique(components, axis=0)))
    if count < 2:
        return np.zeros(len(components), dtype=np.int64)
    found = MiniBatchKMeans(count, random_state=seed, n_init=3).fit_predict(components)
    order = np.argsort(-np.bincount(found, minlength=count), kind="stable")
    return np.argsort(order)[found]
