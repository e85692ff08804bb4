"""A picture of one space or several in one frame: which tokens, where each lies, what is known of it, and what was not true of the space."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import store
from ..errors import WorkbenchError
from ..progress import Progress
from . import projecting
from .aligning import How
from .choosing import State, frequencies, states_of
from .dictionaries import read
from .gathering import Pair, chosen, names_of, paired, stacked
from .moving import displacement
from .opening import Space
from .opening import open as open_space
from .projecting import COMPONENTS, Method
from .retrieving import nearest

if TYPE_CHECKING:
    import pandas

POINTS, ABOUT = "points.parquet", "picture.json"
MOST = 50_000  # tokens of a space in one picture
CAVEAT = "Distances in a picture are not distances in the space; neighbours and numbers are taken among full vectors."


@dataclass(frozen=True)
class Picture:
    """Points with what is known of them, and how the picture was made.

    Attributes:
        points: a row for each token of each space: space (its number), space_name, id, token, text, state, script, norm, cluster, x, y (and z), where known
            frequency, displacement and relative; and neighbors, {"ids", "distances"} by the row number, as Embedding Atlas reads them.
        lines: (m, 2) rows of points that are translations of each other.
        about: method, seed, n, spaces, how they were aligned, shares of variance, notes.
    """

    points: pandas.DataFrame
    lines: np.ndarray
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [space["name"] for space in self.about["spaces"]]

    @property
    def caption(self) -> str:
        """n, method and seed, how spaces lie in one frame, and the caveat."""
        about = self.about
        counts = " + ".join(f"{space['shown']:,} of {space['fitting']:,} tokens of {space['name']}" for space in about["spaces"])
        frame = "; ".join(about["aligned"])
        return f"n = {len(self.points):,} ({counts}); {about['said']}; seed {about['seed']}.{f' One frame: {frame}.' if frame else ''} {CAVEAT}"

    def save(self, folder: Path) -> None:
        """Write points.parquet, which `embedding-atlas points.parquet --text token --x x --y y --neighbors neighbors` opens, and picture.json."""
        folder.mkdir(parents=True, exist_ok=True)
        self.points.to_parquet(folder / POINTS, index=False)
        store.write_json(folder / ABOUT, store.finite(self.about | {"lines": self.lines.tolist()}))

    @classmethod
    def load(cls, folder: Path) -> Picture:
        """Raises WorkbenchError where the folder holds no picture."""
        import pandas

        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            points = pandas.read_parquet(folder / POINTS)
        except (OSError, ValueError) as error:
            raise WorkbenchError(f"{folder} holds no picture that can be read ({type(error).__name__}); draw it again.") from error
        return cls(points, np.array(about.pop("lines"), dtype=np.int64).reshape(-1, 2), about)


def picture(
    spaces: Sequence[Any], method: Method = "pca", *, dimensions: int = 2, sample: int | None = 5_000, state: State = "all", script: str = "", prefix: str = "",
    pick: Sequence[str | int] = (), text: str = "", min_count: int = 0, dictionary: str | Sequence[tuple[str, str]] = "", how: How = "auto",
    axis_from: Sequence[str] = (), axis_to: Sequence[str] = (), unit: bool = False, near: int = 0, umap_neighbours: int = 15, spread: float = 0.1,
    clusters: int = 12, seed: int = 0, progress: Progress | None = None,
) -> Picture:  # fmt: skip
    """Lay the chosen tokens of one space or several out in one frame, that of the last space.

    Tokens that several spaces have are drawn in all of them. `near` neighbours of each point, among those of its space and in full, go into the table.
    Other arguments are knobs of the step `Project`. Raises WorkbenchError where there is nothing to lay out.
    """
    progress = progress or Progress()
    progress.at(0.02, "opening the tables")
    opened = [open_space(space) for space in spaces]
    if not opened:
        raise WorkbenchError("There is no space to draw; name a model, or a file of word vectors.")
    _check(method, dimensions, sample, axis_from, axis_to, len(opened))
    filters = {"state": state, "script": script, "prefix": prefix, "min_count": min_count, "sample": sample, "seed": seed}
    notes: list[str] = []
    counts = [frequencies(space, text, seed=seed) if text else None for space in opened]
    pairs = paired(opened, read(dictionary)) if dictionary else []
    if dictionary and not pairs:
        notes.append("No pair of the dictionary is one token and one token in these spaces, so there are no lines to draw; words are compared in the numbers.")
    states = states_of(opened)
    ids, fitting = chosen(opened, states, pick, pairs, counts, filters, notes)
    progress.at(0.15, "aligning")
    rows, aligned = stacked(opened, ids, dictionary, how, seed, notes)
    if unit:
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    if len(rows) < 3:
        raise WorkbenchError(f"{len(rows)} token{'s' * (len(rows) > 1)} cannot be laid out; choose at least three.")
    points = _points(opened, ids, states, counts)
    if near:
        progress.at(0.2, "neighbours in the full spaces")
        points["neighbors"] = _neighbours(opened, ids, near, progress)
    if len(opened) > 1:
        _moved(points, opened, how, seed)
    ends = [_ends(opened[-1], tokens, unit) for tokens in (axis_from, axis_to)] if method == "axis" else []
    progress.at(0.4, "principal components")
    along = projecting.axis(rows, *ends, seed) if ends else None
    components, shares = projecting.pca(rows, COMPONENTS, seed, overwrite=True)
    points["cluster"] = projecting.clusters(components, clusters, seed)
    sizes = [len(mine) for mine in ids]
    if method in ("umap", "aligned-umap"):
        slices = np.split(components, np.cumsum(sizes)[:-1]) if method == "aligned-umap" and len(sizes) > 1 else [components]
        relations = _relations(points) if len(slices) > 1 else []
        places = np.concatenate(projecting.umap(slices, relations, umap_neighbours, spread, seed, progress.part(0.5, 1.0)))
    else:
        places = components[:, :dimensions] if along is None else along
    for n, name in enumerate("xyz"[: places.shape[1]]):
        points[name] = places[:, n].astype(np.float32)
    about = {
        "method": method, "seed": seed, "dimensions": int(places.shape[1]), "shares": [float(s) for s in shares[:3]], "unit": unit, "how": how,
        "dictionary": dictionary if isinstance(dictionary, str) else "",
        "said": _said(method, shares, places.shape[1], umap_neighbours, spread, axis_from, axis_to), "aligned": aligned, "notes": notes,
        "spaces": [
            {"name": name, "reference": space.reference, "table": space.table, "width": space.width, "shown": len(mine), "fitting": of}
            for name, space, mine, of in zip(names_of(opened), opened, ids, fitting, strict=True)
        ],
    }  # fmt: skip
    return Picture(points, _lines(points, pairs), about)


def _check(method: str, dimensions: int, sample: int | None, axis_from: Sequence[str], axis_to: Sequence[str], spaces: int) -> None:
    if sample is not None and sample < 1:
        raise WorkbenchError("A sample of no tokens shows nothing; ask for at least three.")
    if dimensions == 3 and method != "pca":
        raise WorkbenchError(f"Three dimensions are for pca; {method} draws two.")
    if method == "axis" and not (axis_from and axis_to):
        raise WorkbenchError("A custom axis runs from one set of tokens to another; give both --axis-from and --axis-to.")
    if method == "aligned-umap" and spaces < 2:
        raise WorkbenchError("Aligned UMAP is of two spaces or more; add one, or use umap.")


def _points(opened: Sequence[Space], ids: Sequence[np.ndarray], states: Sequence[np.ndarray], counts: Sequence[Any]) -> pandas.DataFrame:
    import pandas

    parts = []
    for n, (space, name, mine) in enumerate(zip(opened, names_of(opened), ids, strict=True)):
        identities = [space.tokens.identity(int(i)) for i in mine]
        part = {
            "space": np.full(len(mine), n, dtype=np.int32), "space_name": name, "id": mine, "token": [space.tokens.printable(int(i)) for i in mine],
            "text": [t.bytes.decode("utf-8", "replace") for t in identities],
            "key": [f"{t.kind[0]}{int(t.word_start)}{t.bytes.hex()}" for t in identities],
            "state": states[n][mine], "script": space.scripts[mine], "norm": space.norms[mine],
        }  # fmt: skip
        if counts[n] is not None:
            part["frequency"] = [counts[n].get(int(i), 0) for i in mine]
        parts.append(pandas.DataFrame(part))
    return pandas.concat(parts, ignore_index=True)


def _moved(points: pandas.DataFrame, opened: Sequence[Space], how: How, seed: int) -> None:
    """How far each token moved from the first space to the last, for those that both have."""
    try:
        last = points.loc[points["space"] == len(opened) - 1, "id"].to_numpy()
        found = displacement(opened[0], opened[-1], how=how, tokens=last, seed=seed)
    except WorkbenchError:  # no shared tokens
        return
    names = opened[-1].tokens
    keys = [f"{t.kind[0]}{int(t.word_start)}{t.bytes.hex()}" for t in (names.identity(int(i)) for i in found.ids[:, 1])]
    for column, values in (("displacement", found.absolute), ("relative", found.relative)):
        points[column] = points["key"].map(dict(zip(keys, values.tolist(), strict=True))).astype(float)


def with_neighbours(made: Picture, k: int = 8) -> Picture:
    """The same picture with neighbours in its table, where it has none: its spaces are opened again for their full vectors."""
    if "neighbors" in made.points:
        return made
    opened = [open_space(space["reference"], space["table"]) for space in made.about["spaces"]]
    ids = [made.points.loc[made.points["space"] == n, "id"].to_numpy() for n in range(len(opened))]
    return Picture(made.points.assign(neighbors=_neighbours(opened, ids, k, Progress())), made.lines, made.about)


def _neighbours(opened: Sequence[Space], ids: Sequence[np.ndarray], k: int, progress: Progress) -> list[dict[str, list[Any]]]:
    found: list[dict[str, list[Any]]] = []
    start = 0
    for space, mine in zip(opened, ids, strict=True):
        vectors = space.vectors(mine)
        near = nearest(vectors, vectors, min(k, max(len(mine) - 1, 1)), without=np.arange(len(mine)), progress=progress)
        for places, cosines in zip(near.places, near.cosines, strict=True):
            there = places >= 0
            found.append({"ids": (places[there] + start).tolist(), "distances": np.round(1 - cosines[there], 6).tolist()})
        start += len(mine)
    return found


def _ends(space: Space, tokens: Sequence[str], unit: bool) -> np.ndarray:
    vectors = space.vectors([space.find(token) for token in tokens])
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30) if unit else vectors


def _relations(points: pandas.DataFrame) -> list[dict[int, int]]:
    """From each space to the next the rows, counted within the space, that are one token."""
    places = [{key: n for n, key in enumerate(points.loc[points["space"] == s, "key"])} for s in sorted(points["space"].unique())]
    return [{n: later[key] for key, n in earlier.items() if key in later} for earlier, later in pairwise(places)]


def _lines(points: pandas.DataFrame, pairs: Sequence[Pair]) -> np.ndarray:
    places = {where: n for n, where in enumerate(zip(points["space"].tolist(), points["id"].tolist(), strict=True))}
    found = [(places[pair[:2]], places[pair[2:]]) for pair in pairs if pair[:2] in places and pair[2:] in places]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _said(method: str, shares: np.ndarray, dimensions: int, near: int, spread: float, axis_from: Sequence[str], axis_to: Sequence[str]) -> str:
    if method == "pca":
        return f"principal components, {' + '.join(f'{100 * s:.1f} %' for s in shares[:dimensions])} of the variance"
    if method == "axis":
        return f"x from {', '.join(axis_from)} (−1) to {', '.join(axis_to)} (1), y the first component of the rest"
    name = "UMAP" if method == "umap" else "aligned UMAP, shared tokens as relations,"
    return f"{name} of the first {COMPONENTS} principal components ({100 * float(shares.sum()):.0f} % of the variance), {near} neighbours, min_dist {spread:g}"
