"""Translation pairs found through the input table alone: is the nearest sentence of the other language the translation?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from ...progress import Progress
from ...specs import PairsRef
from ..base import Column, Found, Measure, Sides, Subject
from ..scoring import mean

if TYPE_CHECKING:
    from ..steps import Evaluate

NEAREST = 10  # neighbours that say how crowded a place is (CSLS, arXiv 1710.04087), and within which hit@10 looks
USUAL = 500


class Retrieval(Measure):
    """Every source sentence looks for its translation among all target sentences; a sentence is the mean of its tokens' input rows, no layer is run."""

    kind: ClassVar[str] = "retrieval"
    given: ClassVar[bool] = True
    columns: ClassVar[dict[str, Column]] = {
        "hit_1": Column("pairs found, hit@1", "more", "Share of sentences whose nearest one by cosine is the translation."),
        "hit_10": Column("pairs found, hit@10", "more", "Share of sentences whose translation is among the ten nearest by cosine."),
        "csls_hit_1": Column("pairs found, CSLS", "more", "As hit@1, with sentences that are near to all others held back."),
    }
    reference: PairsRef = Field(description="Parallel text; its held-out pairs are looked for.")
    count: int = Field(USUAL, ge=2, description="Pairs at most.")

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        return [cls(reference=knobs.pairs, count=max(2 * knobs.count, 2))] if knobs.pairs and side == "target" else []

    @property
    def text(self) -> str:
        return self.reference

    def items(self) -> list[tuple[str, str]]:
        from ...corpus import open_parallel

        sources, targets, kept = set(), set(), []
        for a, b in open_parallel(self.reference).held_out:  # a sentence that is there twice would have two right answers
            if a not in sources and b not in targets:
                sources.add(a), targets.add(b)
                kept.append((a, b))
            if len(kept) == self.count:
                break
        return kept

    def unfit(self, subject: Subject) -> str:
        return "" if len(self.items()) > 1 else f"{self.text} has fewer than two held-out pairs"

    def take(self, subject: Subject, items: list[tuple[str, str]], progress: Progress) -> Found:
        similar = matrix(subject, [a for a, _ in items]) @ matrix(subject, [b for _, b in items]).T
        # What is as near as the right one comes before it: a table in which all is alike finds nothing.
        ranks = placed(similar)
        k = min(NEAREST, len(items))
        crowded = [np.partition(similar, -k, axis=axis).take(range(-k, 0), axis=axis).mean(axis=axis) for axis in (1, 0)]
        held_back = placed(2 * similar - crowded[0][:, None] - crowded[1][None, :])
        scores = {"hit_1": ranks == 1, "hit_10": ranks <= NEAREST, "csls_hit_1": held_back == 1}
        return Found([mean(name, hits.astype(float), "share") for name, hits in scores.items()])


def matrix(subject: Subject, texts: list[str]) -> np.ndarray:
    """(n, d) fp64 of length one: the mean of the input rows of each text's tokens."""
    from ...checkpoint import Checkpoint
    from ...refs import locate
    from ...transfer.similar import unit

    table = Checkpoint.open(locate(subject.reference)).input()
    ids = subject.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return unit(np.stack([table[each].double().mean(dim=0).numpy() if each else np.zeros(table.shape[1]) for each in ids]))


def placed(similar: np.ndarray) -> np.ndarray:
    """(n,) the place of the diagonal in its row, 1 the best; of equals it comes last."""
    return (similar >= np.diag(similar)[:, None] - 1e-9).sum(axis=1)
