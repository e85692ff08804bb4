"""What two spaces have in common, in numbers that are taken among full vectors and have intervals: what a picture cannot show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WorkbenchError
from ..fertility.intervals import Blocks, Resampled
from ..progress import Progress
from .aligning import Alignment, Anchors, How, align, cosines, from_dictionary, shared
from .dictionaries import translations
from .opening import Space
from .retrieving import NEAREST, nearest, rates, retrieve, unit

if TYPE_CHECKING:
    from .dictionaries import Translations

MOST = 5_000  # anchors that are compared; of more, a seeded sample
GRAM = 2_000  # tokens of which all pairs are compared, for CKA
BLOCKS = 20  # left out in turn, for the interval of CKA
FEWEST = 10  # tokens of a script that gets numbers of its own


@dataclass(frozen=True)
class Measured:
    """Numbers of two spaces or of one; each row has measure, script ("all", or one), value, low and high (95 % interval; None where there is none), n.

    Attributes:
        rows: what pairs of vectors have in common.
        spaces: norms, anisotropy and hubs of each space by itself.
        alignment: how the first space was laid onto the second; None for a single one.
        notes: what to beware of, as sentences.
    """

    rows: list[dict[str, Any]]
    spaces: list[dict[str, Any]]
    alignment: Alignment | None = None
    notes: list[str] = field(default_factory=list)

    def value(self, measure: str, script: str = "all") -> float | None:
        """One number by name, such as value("translations, hit@1 csls")."""
        return next((row["value"] for row in self.rows if row["measure"] == measure and row["script"] == script), None)


def measure(
    first: Any, second: Any = None, *, dictionary: str | Sequence[tuple[str, str]] = "", how: How = "auto", centre: bool = True, ridge: float = 0.0,
    most: int = MOST, seed: int = 0, progress: Progress | None = None,
) -> Measured:  # fmt: skip
    """Compare two spaces, or look at one.

    Anchors are the tokens that both have; where they share none, the pairs of the dictionary. A fifth of them is held out of the fit. With a dictionary,
    its pairs are compared too, each word as the mean of its tokens' rows, and ranked among all words of the dictionary's second column.
    Raises WorkbenchError where there is nothing to align by.
    """
    from .opening import open

    progress = progress or Progress()
    a = open(first)
    b = open(second) if second is not None else a
    alone = second is None
    progress.at(0.05, "reading the tables")
    found = translations(a, b, dictionary) if dictionary else None
    notes, rows, alignment = list(found.notes) if found else [], [], None
    if not alone:
        anchors = anchors_of(a, b, (lambda: found) if found else None, most, seed)
        progress.at(0.2, f"aligning by {len(anchors):,} {anchors.kind}")
        alignment = align(anchors, how, centre, ridge)
        notes += alignment.notes
        progress.at(0.4, "comparing anchors")
        rows += anchor_rows(anchors, alignment, seed)
    if found:
        progress.at(0.7, f"comparing {len(found):,} translation pairs")
        # What decided the map is no proof of it.
        judged = anchors.held if not alone and anchors.kind == "dictionary" else np.ones(len(found), dtype=bool)
        rows = pair_rows(found, alignment, seed, judged) + rows
    progress.at(0.9, "norms and neighbours")
    spaces = [row for space in ([a] if alone else [a, b]) for row in space_rows(space, most, seed)]
    return Measured(rows, spaces, alignment, notes)


def anchors_of(a: Space, b: Space, dictionary: Callable[[], Translations] | None, most: int | None, seed: int) -> Anchors:
    """Shared tokens; where there are fewer than two, the pairs of the dictionary. Raises WorkbenchError where there is neither."""
    try:
        anchors = shared(a, b, most=most, seed=seed)
    except WorkbenchError:
        if dictionary is None:
            raise
        return from_dictionary(dictionary(), seed=seed)
    return from_dictionary(dictionary(), seed=seed) if len(anchors) < 2 and dictionary is not None else anchors


def anchor_rows(anchors: Anchors, alignment: Alignment, seed: int) -> list[dict[str, Any]]:
    """Cosines before and after, of anchors in the fit and held out; retrieval of the held-out ones among all; CKA; shared neighbours."""
    a, b = alignment.centred(anchors.a, anchors.b)
    columns = {f"{part}, cosine after": (cosines(a, b), mask) for part, mask in (("anchors", ~anchors.held), ("held-out anchors", anchors.held))}
    if anchors.a.shape[1] == anchors.b.shape[1]:
        before = cosines(anchors.a - alignment.mean_a, anchors.b - alignment.mean_b)
        columns |= {f"{part}, cosine before": (before, mask) for part, mask in (("anchors", ~anchors.held), ("held-out anchors", anchors.held))}
    rows = [row for name, (values, mask) in sorted(columns.items()) for row in means({name: values[mask]}, anchors.scripts[mask], seed)]
    asked = np.flatnonzero(anchors.held)
    if len(asked) and len(anchors) > 1:
        rows += _retrieved("held-out anchors", a[asked], b, asked, anchors.scripts[asked], seed)
    overlap = neighbourhood(anchors.a, anchors.b)
    return [*rows, cka(anchors.a, anchors.b, seed), *means({f"neighbours kept of {NEAREST}": overlap}, anchors.scripts, seed)]


def pair_rows(found: Translations, alignment: Alignment | None, seed: int, judged: np.ndarray | None = None) -> list[dict[str, Any]]:
    """Cosines of translations, and their retrieval among all words of the second column; only of the pairs that are `judged` (n,), where that is given.

    Within one space there is no before and after: cosines are taken as the vectors are, and from the middle of each column's own words.
    """
    judged = np.ones(len(found), dtype=bool) if judged is None else judged
    if alignment is None:
        before, after = "as they are", "from the middle"
        a, b = found.a - found.a.mean(axis=0), found.b - found.b.mean(axis=0)
    else:
        before, after = "before", "after"
        a, b = alignment.centred(found.a, found.b)
    columns = {f"translations, cosine {after}": cosines(a, b)[judged]}
    if found.a.shape[1] == found.b.shape[1]:
        columns = {f"translations, cosine {before}": cosines(found.a, found.b)[judged]} | columns
    rows = means(columns, found.scripts[judged], seed)
    words = {word: n for n, word in enumerate(dict.fromkeys(found.targets))}
    first = {word: n for n, word in reversed(list(enumerate(found.targets)))}
    right: dict[str, list[int]] = {}
    asked: dict[str, int] = {}
    for n, (source, target) in enumerate(zip(found.sources, found.targets, strict=True)):
        right.setdefault(source, []).append(words[target])
        if judged[n]:
            asked.setdefault(source, n)
    places = list(asked.values())
    rows += _retrieved("translations", a[places], b[[first[word] for word in words]], [right[word] for word in asked], found.scripts[places], seed)
    both = float((found.tokens >= 0).all(axis=1).mean())
    return [*rows, {"measure": "translations, both one token", "script": "all", "value": both, "low": None, "high": None, "n": len(found)}]


def _retrieved(name: str, queries: np.ndarray, pool: np.ndarray, right: Any, scripts: np.ndarray, seed: int) -> list[dict[str, Any]]:
    found = retrieve(queries, pool, right)
    every = {f"{name}, {key} {how}": values for how, rank in (("cosine", found.rank), ("csls", found.csls)) for key, values in rates(rank).items()}
    rows = means(every, scripts, seed)
    return [*rows, {"measure": f"{name}, hubness", "script": "all", "value": skewness(found.occurrence), "low": None, "high": None, "n": len(pool)}]


def means(columns: Mapping[str, np.ndarray], scripts: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Rows of the means of columns with their bootstrap intervals, over all and by script; each script of ten or more, where there are several."""
    every = np.array([np.asarray(values, dtype=np.float64) for values in columns.values()])
    rows: list[dict[str, Any]] = []
    for script, mask in _by_script(scripts):
        blocks = Blocks(len(columns) + 1)
        blocks.add(np.concatenate([every[:, mask], np.ones((1, int(mask.sum())))]))
        drawn = Resampled(blocks.sums, seed)
        for n, name in enumerate(columns):
            value, low, high = drawn.ratio(n, len(columns))
            rows.append({"measure": name, "script": script, "value": value, "low": low, "high": high, "n": int(mask.sum())})
    return rows


def _by_script(scripts: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    names, counts = np.unique(scripts.astype(str), return_counts=True)
    yield "all", np.ones(len(scripts), dtype=bool)
    if len(names) > 1:
        yield from ((str(name), scripts == name) for name, count in zip(names, counts, strict=True) if count >= FEWEST)


def cka(a: np.ndarray, b: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Linear CKA of paired rows (Kornblith et al. 2019): 1 where one is a rotated and scaled copy of the other. The interval is a jackknife's.

    Of more than 2,000 pairs a seeded sample is compared.
    """
    order = np.random.default_rng(seed).permutation(len(a))[:GRAM]
    grams = [x @ x.T for x in (rows[order].astype(np.float64) - rows[order].mean(axis=0) for rows in (a, b))]
    parts = np.array_split(np.arange(len(order)), min(BLOCKS, len(order)))
    value = _cka(*grams)
    spread = None
    if len(order) > 2 * BLOCKS and value is not None:
        without = [_cka(*(np.delete(np.delete(g, part, 0), part, 1) for g in grams)) for part in parts]
        if None not in without:
            spread = 1.96 * float(np.sqrt((len(parts) - 1) * np.var(without)))
    low, high = (None, None) if spread is None else (max(value - spread, 0.0), min(value + spread, 1.0))
    return {"measure": "linear CKA", "script": "all", "value": value, "low": low, "high": high, "n": len(order)}


def _cka(k: np.ndarray, other: np.ndarray) -> float | None:
    """CKA of two Gram matrices; None where one of them is constant."""
    k, other = (g - g.mean(axis=0) - g.mean(axis=1, keepdims=True) + g.mean() for g in (k, other))
    lengths = np.linalg.norm(k) * np.linalg.norm(other)
    return float((k * other).sum() / lengths) if lengths > 0 else None


def neighbourhood(a: np.ndarray, b: np.ndarray, k: int = NEAREST) -> np.ndarray:
    """(n,) of each pair the share of its k nearest in a, among the pairs, that are among its k nearest in b."""
    own = np.arange(len(a))
    k = min(k, max(len(a) - 1, 1))
    near = [np.sort(nearest(rows, rows, k, without=own).places, axis=1) for rows in (a, b)]
    return np.array([len(np.intersect1d(x[x >= 0], y[y >= 0])) / k for x, y in zip(*near, strict=True)])


def space_rows(space: Space, most: int, seed: int) -> list[dict[str, Any]]:
    """Per script: tokens, their norms, anisotropy (mean cosine of two different tokens), the share of the first direction, hubs."""
    ids = np.flatnonzero(space.usable & ~np.isin(space.scripts, ("special", "unused")))
    generator = np.random.default_rng(seed)
    rows = []
    for script, mask in _by_script(space.scripts[ids]):
        mine = ids[mask]
        drawn = np.sort(generator.choice(mine, min(most, len(mine)), replace=False))
        vectors = space.vectors(drawn)
        low, middle, high = np.percentile(space.norms[mine], [5, 50, 95])
        row = {"space": space.name, "script": script, "tokens": len(mine), "norm_median": float(middle), "norm_p5": float(low), "norm_p95": float(high)}
        rows.append(row | anisotropy(vectors, seed) | {"hubness": _hubs(vectors) if script == "all" else None})
    return rows


def anisotropy(vectors: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Mean cosine of two different rows, with its interval, and the share of all squared length about the mean that the first direction has."""
    rows = unit(vectors).astype(np.float64)
    n = len(rows)
    if n < 2:
        return {"mean_cosine": None, "mean_cosine_low": None, "mean_cosine_high": None, "first_direction": None}
    total = rows.sum(axis=0)
    each = (rows @ total - 1) / (n - 1)  # of one row with all others
    blocks = Blocks(2)
    blocks.add(np.stack([each, np.ones(n)]))
    value, low, high = Resampled(blocks.sums, seed).ratio(0, 1)
    return {"mean_cosine": value, "mean_cosine_low": low, "mean_cosine_high": high, "first_direction": _first_share(vectors, seed)}


def _first_share(vectors: np.ndarray, seed: int) -> float | None:
    centred = vectors - vectors.mean(axis=0)
    total = float((centred.astype(np.float64) ** 2).sum())
    if not total > 0 or min(centred.shape) < 2:
        return None
    from sklearn.utils.extmath import randomized_svd

    return float(randomized_svd(centred, 1, random_state=seed)[1][0] ** 2 / total)


def _hubs(vectors: np.ndarray) -> float | None:
    if len(vectors) <= NEAREST:
        return None
    places = nearest(vectors, vectors, without=np.arange(len(vectors))).places
    return skewness(np.bincount(places.ravel(), minlength=len(vectors)))


def skewness(occurrence: np.ndarray) -> float | None:
    """Hubness (Radovanović et al. 2010): the skewness of how often each is among others' nearest; 0 is even, above 1 a few are near to everything."""
    from scipy.stats import skew

    return float(skew(occurrence)) if len(occurrence) > 2 and occurrence.std() > 0 else None
