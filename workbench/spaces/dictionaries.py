"""Translation pairs between two spaces: words, each the mean of its tokens' rows, whatever the two vocabularies cut them into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..corpus.scripts import script
from ..errors import WorkbenchError
from ..transfer.space import dictionary_pairs

if TYPE_CHECKING:
    from .opening import Space

TURNED = 2.0  # so many times as many whole words the other way round: the dictionary has the wrong direction


@dataclass(frozen=True)
class Translations:
    """The pairs that two spaces know, in the dictionary's order.

    Attributes:
        sources, targets: (n) words.
        a, b: (n, d_a), (n, d_b) fp32 their vectors.
        scripts: (n,) that of each target word.
        tokens: (n, 2) ids of the words that are one token each; -1 where a word is cut into several.
        given: pairs of the dictionary, unknown ones included.
        notes: what to beware of, as sentences.
    """

    sources: list[str]
    targets: list[str]
    a: np.ndarray
    b: np.ndarray
    scripts: np.ndarray
    tokens: np.ndarray
    given: int
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [f"{s} – {t}" for s, t in zip(self.sources, self.targets, strict=True)]

    def __len__(self) -> int:
        return len(self.sources)


def read(reference: str | Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """(source, target) of demo:en-ru, a file of two columns, or pairs as they are; each pair once. Raises WorkbenchError where there is none."""
    pairs = dictionary_pairs(reference) if isinstance(reference, str) else [tuple(pair) for pair in reference]
    if not (kept := [(s, t) for s, t in dict.fromkeys((str(s).strip(), str(t).strip()) for s, t in pairs) if s and t]):
        raise WorkbenchError("The dictionary has no pair of words; give a file with two columns, or demo:en-ru.")
    return kept


def translations(a: Space, b: Space, dictionary: str | Sequence[tuple[str, str]]) -> Translations:
    """The pairs of a dictionary that a (its first column) and b (its second) know. The two may be one space.

    A note warns where the dictionary seems to be turned round. Raises WorkbenchError where hardly a pair is known.
    """
    pairs = read(dictionary)
    sources, targets = [s for s, _ in pairs], [t for _, t in pairs]
    (x, cut_x), (y, cut_y) = a.words(sources), b.words(targets)
    known = (cut_x > 0) & (cut_y > 0) & x.any(axis=1) & y.any(axis=1) & np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    notes = _turned(a, b, sources, targets, cut_x, cut_y)
    if known.sum() < 2:
        turn = " It seems to be turned round: its second column must be of the second space." if notes else ""
        raise WorkbenchError(f"{a.name} and {b.name} know {int(known.sum())} of the {len(pairs):,} pairs of the dictionary; give one of their languages.{turn}")
    places = np.flatnonzero(known)
    tokens = np.array([[_single(a, sources[n]), _single(b, targets[n])] for n in places], dtype=np.int64)
    scripts = np.array([_script(targets[n]) for n in places], dtype=object)
    return Translations([sources[n] for n in places], [targets[n] for n in places], x[places], y[places], scripts, tokens, len(pairs), notes)


def _single(space: Space, word: str) -> int:
    ids = space.pieces(word)
    return ids[0] if len(ids) == 1 and " " not in word else -1


def _turned(a: Space, b: Space, sources: list[str], targets: list[str], cut_x: np.ndarray, cut_y: np.ndarray) -> list[str]:
    """Whether the columns fit the spaces better the other way: by the words that each knows as one token, which are those of its own language."""
    if a.reference == b.reference:
        return []
    given = int(((cut_x == 1) & (cut_y == 1)).sum())
    back = sum(len(a.pieces(t)) == 1 and len(b.pieces(s)) == 1 for s, t in zip(sources, targets, strict=True))
    if back <= TURNED * max(given, 1):
        return []
    return [
        f"The dictionary seems to have the wrong direction: of its {len(sources):,} pairs {given:,} are whole tokens of {a.name} and {b.name}, "
        f"turned round {back:,}; give it with the words of {a.name} first."
    ]


def _script(word: str) -> str:
    return next((found for c in word if (found := script(c))), "other")
