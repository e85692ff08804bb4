"""Laying one space onto another: tokens or word pairs that are known to belong together (anchors) decide the map, others judge it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import WorkbenchError
from ..overlap import overlap
from ..transfer.fit import Gram, solve

if TYPE_CHECKING:
    from .dictionaries import Translations
    from .opening import Space

How = Literal["auto", "none", "procrustes", "least-squares"]
HELD_OUT = 0.2
AGREE = 0.5  # median cosine of the anchors from which two tables are taken to have one frame of axes: strangers have about 0
CHUNK = 2048  # anchors summed at a time


@dataclass(frozen=True)
class Anchors:
    """Pairs of vectors that belong together, (n, d_a) and (n, d_b) fp32, with the script and the name of each.

    `held` (n,) marks those that have no part in the fit.
    """

    a: np.ndarray
    b: np.ndarray
    held: np.ndarray
    scripts: np.ndarray
    names: list[str]
    kind: Literal["shared tokens", "dictionary"]
    ids: np.ndarray | None = None  # (n, 2) of shared tokens

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True)
class Alignment:
    """x ↦ scale · (x − mean_a) · turn + mean_b, from the space a into the space b.

    Attributes:
        how: what was done; "none" leaves vectors as they are.
        turn: (d_a, d_b); orthogonal for Procrustes (with orthonormal columns or rows where the widths differ); None for "none".
        anchors, held_out: how many decided the map, and how many were kept from it.
        notes: what to beware of, as sentences.
    """

    how: How
    turn: np.ndarray | None
    scale: float
    mean_a: np.ndarray
    mean_b: np.ndarray
    anchors: int = 0
    held_out: int = 0
    notes: list[str] = field(default_factory=list)

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """(n, d_a) → (n, d_b) fp32: where these vectors of a lie in b."""
        if self.turn is None:
            return rows
        return ((rows - self.mean_a) @ (self.scale * self.turn).astype(np.float32) + self.mean_b).astype(np.float32)

    def centred(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, d_b), (m, d_b) fp32: both sides seen from the middle of their own anchors, a turned into b: what cosines between the two are taken of."""
        mine = a - self.mean_a
        return (mine if self.turn is None else mine @ (self.scale * self.turn).astype(np.float32)), b - self.mean_b


def shared(a: Space, b: Space, held_out: float = HELD_OUT, most: int | None = None, seed: int = 0) -> Anchors:
    """Anchors: text tokens that both spaces have, identical by their bytes; of more than `most`, a seeded sample.

    Raises WorkbenchError where the spaces share none.
    """
    pairs = pairs_of(a, b, most, seed)
    names = [b.tokens.printable(int(j)) for j in pairs[:, 1]]
    return Anchors(a.vectors(pairs[:, 0]), b.vectors(pairs[:, 1]), split(len(pairs), held_out, seed), b.scripts[pairs[:, 1]], names, "shared tokens", pairs)


def pairs_of(a: Space, b: Space, most: int | None = None, seed: int = 0) -> np.ndarray:
    """(n, 2) ids of the text tokens that both spaces have, with rows that have a direction. Raises WorkbenchError where there are none."""
    pairs = overlap(a.tokens, b.tokens).text
    pairs = pairs[(pairs[:, 0] < a.size) & (pairs[:, 1] < b.size)]
    pairs = pairs[a.usable[pairs[:, 0]] & b.usable[pairs[:, 1]]]
    if not len(pairs):
        raise WorkbenchError(f"{a.name} and {b.name} share no token to align them by; give a dictionary, such as demo:en-ru or a .tsv file of word pairs.")
    if most is not None and len(pairs) > most:
        pairs = pairs[np.sort(np.random.default_rng(seed).choice(len(pairs), most, replace=False))]
    return pairs


def from_dictionary(found: Translations, held_out: float = HELD_OUT, seed: int = 0) -> Anchors:
    """Anchors: the word pairs of a dictionary that both spaces know. Words of one meaning stay on one side of the split."""
    places = {word: n for n, word in enumerate(dict.fromkeys(found.sources))}
    held = split(len(places), held_out, seed)
    return Anchors(found.a, found.b, held[[places[word] for word in found.sources]], found.scripts, found.names, "dictionary")


def split(n: int, held_out: float, seed: int) -> np.ndarray:
    """(n,) whether each is held out: a seeded share, at least one of two or more."""
    count = min(max(round(held_out * n), 1 if held_out > 0 else 0), n - 1) if n else 0
    held = np.zeros(n, dtype=bool)
    held[np.random.default_rng([seed, 1]).permutation(n)[: max(count, 0)]] = True
    return held


def align(anchors: Anchors, how: How = "auto", centre: bool = True, ridge: float = 0.0) -> Alignment:
    """The map from a to b that its training anchors say.

    procrustes: rotation and reflection, with one scale (Schönemann 1966; between spaces of different width a rotation into, or a projection
    onto, a subspace). least-squares: any linear map, ridge λ times the mean squared length of a dimension. none: no map, which needs equal widths.
    auto: none where the anchors agree already (median cosine 0.5 or more, as between a model and what was trained from it), else procrustes.
    `centre` takes the anchors' mean from both sides first. Raises WorkbenchError where the anchors are too few or all alike, or hold NaN.
    """
    train = ~anchors.held
    if train.sum() < 2:
        raise WorkbenchError(f"{len(anchors)} anchors are too few to align two spaces; give a larger dictionary, or spaces that share more tokens.")
    a, b = anchors.a[train], anchors.b[train]
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise WorkbenchError("An anchor's vector holds NaN or infinity; repair the model, or leave that token out.")
    mean_a, mean_b = ((x.mean(axis=0, dtype=np.float64) if centre else np.zeros(x.shape[1])) for x in (a, b))
    same = a.shape[1] == b.shape[1]
    if how == "auto":
        how = "none" if same and np.median(cosines(a - mean_a, b - mean_b)) >= AGREE else "procrustes"
    counts = {"anchors": int(train.sum()), "held_out": int(anchors.held.sum())}
    if how == "none":
        if not same:
            raise WorkbenchError(
                f"Spaces of {a.shape[1]} and {b.shape[1]} dimensions cannot be compared as they are; align them by procrustes or least-squares."
            )
        return Alignment("none", None, 1.0, mean_a.astype(np.float32), mean_b.astype(np.float32), **counts)
    notes = [_few(int(train.sum()), a.shape[1])] if train.sum() < 2 * a.shape[1] else []
    turn, scale = (_procrustes if how == "procrustes" else _least_squares)(a, b, mean_a, mean_b, ridge)
    return Alignment(how, turn, scale, mean_a.astype(np.float32), mean_b.astype(np.float32), notes=notes, **counts)


def _few(anchors: int, width: int) -> str:
    return f"{anchors:,} anchors decide a map of {width:,} dimensions, so it fits them better than anything else; go by the held-out anchors."


def _chunks(a: np.ndarray, b: np.ndarray, mean_a: np.ndarray, mean_b: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(a), CHUNK):
        yield a[start : start + CHUNK] - mean_a, b[start : start + CHUNK] - mean_b


def _procrustes(a: np.ndarray, b: np.ndarray, mean_a: np.ndarray, mean_b: np.ndarray, _: float) -> tuple[np.ndarray, float]:
    cross = np.zeros((a.shape[1], b.shape[1]))
    squares = 0.0
    for x, y in _chunks(a, b, mean_a, mean_b):
        cross += x.T @ y
        squares += float((x**2).sum())
    if not squares or not cross.any():
        raise WorkbenchError("The anchors' vectors are all alike, so they say nothing of how the spaces lie; use other anchors, or leave out centring.")
    u, values, vt = np.linalg.svd(cross, full_matrices=False)
    return u @ vt, float(values.sum() / squares)


def _least_squares(a: np.ndarray, b: np.ndarray, mean_a: np.ndarray, mean_b: np.ndarray, ridge: float) -> tuple[np.ndarray, float]:
    """By the Gram matrix, as LEP's maps; the narrower side is filled up with zeros."""
    import torch

    width = max(a.shape[1], b.shape[1])

    def padded(x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.pad(x, ((0, 0), (0, width - x.shape[1]))))

    gram = Gram.of(((padded(x), padded(y)) for x, y in _chunks(a, b, mean_a, mean_b)), width)
    level = float(gram.aa.diagonal().sum()) / a.shape[1]
    if not level:
        raise WorkbenchError("The anchors' vectors are all alike, so they say nothing of how the spaces lie; use other anchors, or leave out centring.")
    return solve(gram, ridge * level, min_norm=True).x.numpy()[: a.shape[1], : b.shape[1]], 1.0


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) fp64 between rows; 0 where one of them is zero."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide(np.einsum("nd,nd->n", a, b, dtype=np.float64), lengths, out=np.zeros(len(a)), where=lengths > 0)
