"""What a model scored, item by item: the value, its interval, and the paired difference to another model on the same items.

A score keeps one row of sums for each item. The value of any set of items is a rule over the sum of their rows, so that one bootstrap serves ratios
(bits over bytes), shares, and measures of a whole corpus (BLEU, chrF) alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .asking import wilson

RESAMPLES = 1000
AT_ONCE = 100  # rounds drawn in one array
FEWEST = 5  # items: of fewer, resampling shows how alike they are and not how far they are from others
Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Score:
    """A measure of one model on n items.

    Attributes:
        name: of the measure, such as "bits_per_byte".
        stats: (n, k) one row of sums for each item, NaN where the model could not be given the item.
        rule: how the value comes from the sum of the rows: a name in `RULES`.
        text: what it was measured on, where one measure has several.
    """

    name: str
    stats: np.ndarray
    rule: str = "mean"
    text: str = ""

    @property
    def measured(self) -> np.ndarray:
        """(n,) whether an item could be given to the model."""
        return ~np.isnan(self.stats).any(axis=1)

    @property
    def n(self) -> int:
        return int(self.measured.sum())

    @property
    def value(self) -> float | None:
        """None where nothing could be measured."""
        return _finite(RULES[self.rule](self.stats[self.measured].sum(axis=0, keepdims=True))[0]) if self.n else None

    def interval(self, seed: int = 0) -> Interval:
        """95 %: Wilson's for shares, else by bootstrap over the items; (None, None) where they are too few for that."""
        if not self.n:
            return None, None
        sums = self.stats[self.measured]
        if self.rule == "share":
            return wilson(float(sums[:, 0].sum()), self.n)
        return _quantiles(_resampled(sums, self.rule, seed)) if self.n >= FEWEST else (None, None)

    def against(self, control: Score, seed: int = 0) -> tuple[float | None, float | None, float | None]:
        """The difference to a control and its 95 % interval, paired: both are resampled by the same draws of the items that both were given.

        No interval where they are fewer than `FEWEST`.
        """
        both = self.measured & control.measured
        if not both.any():
            return None, None, None
        mine, theirs = self.stats[both], control.stats[both]
        whole = [RULES[self.rule](each.sum(axis=0, keepdims=True))[0] for each in (mine, theirs)]
        if len(mine) < FEWEST:
            return _finite(whole[0] - whole[1]), None, None
        drawn = _resampled(mine, self.rule, seed) - _resampled(theirs, self.rule, seed)
        return _finite(whole[0] - whole[1]), *_quantiles(drawn)


def mean(name: str, values: Any, rule: str = "mean") -> Score:
    """The mean of one number an item; `rule="share"` for numbers that are 0 or 1. NaN where an item could not be given."""
    numbers = np.asarray(values, dtype=float)
    return Score(name, np.stack([numbers, np.where(np.isnan(numbers), np.nan, 1.0)], axis=1), rule)


def _resampled(sums: np.ndarray, rule: str, seed: int) -> np.ndarray:
    """(RESAMPLES,) values over items drawn with replacement; the same draws for any sums of as many items."""
    generator, n = np.random.default_rng(seed), len(sums)
    drawn = [RULES[rule](generator.multinomial(n, np.full(n, 1 / n), size=AT_ONCE) @ sums) for _ in range(RESAMPLES // AT_ONCE)]
    return np.concatenate(drawn)


def _quantiles(values: np.ndarray) -> Interval:
    finite = values[np.isfinite(values)]
    return (float(np.quantile(finite, 0.025)), float(np.quantile(finite, 0.975))) if len(finite) else (None, None)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _ratio(sums: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[:, 0] / sums[:, 1]


def _of_corpus(name: str) -> Callable[[np.ndarray], np.ndarray]:
    def values(sums: np.ndarray) -> np.ndarray:
        return np.array([corpus_metric(name)._compute_score_from_stats(row.tolist()).score for row in sums.round().astype(int)])

    return values


@cache
def corpus_metric(name: str) -> Any:
    """sacrebleu's metric of this name, with the settings that its papers report: "bleu", "bleu_char" (for scripts without spaces) or "chrf"."""
    from sacrebleu.metrics import BLEU, CHRF

    return CHRF() if name == "chrf" else BLEU(tokenize="char" if name == "bleu_char" else "13a")


def corpus_stats(name: str, replies: list[str], wanted: list[str]) -> np.ndarray:
    """(n, k) the counts of each reply that sacrebleu adds up over a corpus."""
    return np.array(corpus_metric(name)._extract_corpus_statistics(replies, [wanted]), dtype=float)


# sums (R, k) → values (R,)
RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ratio": _ratio, "mean": _ratio, "share": _ratio, **{name: _of_corpus(name) for name in ("bleu", "bleu_char", "chrf")},
}  # fmt: skip
