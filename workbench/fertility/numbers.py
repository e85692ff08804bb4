"""The numbers of one tokenizer on one text, from what was counted."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..corpus.scripts import SPACELESS, script
from ..tokenizer.alphabet import show
from .counting import Sample
from .encoder import Encoder

WORST = 20
RENYI = 2.5
LONGEST = 20  # histograms gather what is longer in their last bar
Row = dict[str, Any]


def usage(encoder: Encoder, counts: np.ndarray, new: np.ndarray | None, min_count: int) -> Row:
    """Shares of tokens and of the vocabulary, from how often each id occurs. `new`: ids that the reference lacks."""
    total = max(int(counts.sum()), 1)
    shares = counts[counts > 0] / total
    entropy = np.log((shares**RENYI).sum()) / (1 - RENYI) if len(shares) else 0.0
    often = counts >= min_count
    return {
        "unknown_rate": float(counts[encoder.unknown_id] / total) if encoder.unknown_id is not None else 0.0,
        "byte_fallback_rate": float(counts[encoder.byte_ids].sum() / total),
        "utilisation": float(often.sum() / encoder.size), "utilisation_new": float(often[new].mean()) if new is not None and len(new) else None,
        "renyi": float(entropy / np.log(encoder.size)) if encoder.size > 1 else None,
    }  # fmt: skip


def over_words(sample: Sample, lengths: np.ndarray) -> Row:
    """Numbers over words, each as often as it occurs; the single-token retention rate (strr) is over distinct words."""
    standing = sample.counts * sample.weights
    order = np.argsort(lengths, kind="stable")
    running = np.cumsum(standing[order])
    p95 = lengths[order][min(np.searchsorted(running, 0.95 * running[-1]), len(order) - 1)]
    return {
        "continued_words": float(standing[lengths > 1].sum() / standing.sum()), "p95": int(p95), "max": int(lengths.max()),
        "strr": float(100 * sample.weights[lengths == 1].sum() / sample.weights.sum()),
    }  # fmt: skip


def worst_words(sample: Sample, lengths: np.ndarray) -> Iterator[Row]:
    """The words cut into most tokens, invisible characters by their code point."""
    tokens, counts, names = lengths.tolist(), sample.counts.tolist(), sample.names
    for i in heapq.nsmallest(WORST, range(len(names)), key=lambda i: (-tokens[i], -counts[i], names[i])):
        yield {"word": show(names[i].encode()), "tokens": tokens[i], "count": counts[i]}


class ByScript:
    """The words of a text by their script, found once for all tokenizers."""

    def __init__(self, sample: Sample, spaceless: bool) -> None:
        number: dict[str, int] = {}
        found = (script(word[0]) or next((s for c in word if (s := script(c))), "") for word in sample.names)
        self.kinds = np.fromiter((number.setdefault(kind, len(number)) for kind in found), np.int64, len(sample.names))
        self.standing = sample.counts * sample.weights
        sizes = np.fromiter((len(word.encode()) for word in sample.names), np.int64, len(sample.names))
        self.words, self.bytes = self._sum(self.standing), self._sum(self.standing * sizes)
        self.shown = sorted((i for kind, i in number.items() if spaceless or kind not in SPACELESS), key=lambda i: (-self.words[i], i))
        self.names = [name or "numbers" for name in number]

    def rows(self, lengths: np.ndarray) -> Iterator[Row]:
        tokens = self._sum(self.standing * lengths)
        for i in self.shown:
            yield {
                "script": self.names[i], "words": round(self.words[i]), "tokens": round(tokens[i]), "tokens_per_word": float(tokens[i] / self.words[i]),
                "bytes_per_token": float(self.bytes[i] / max(tokens[i], 1)),
            }  # fmt: skip

    def _sum(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.kinds, values)


def of_words(sample: Sample, lengths: np.ndarray) -> Iterator[Row]:
    """The histogram of the tokens of a word, as flat rows {histogram, bin, count, share}."""
    return _bars("tokens per word", lengths, sample.counts * sample.weights)


def over_tokens(encoder: Encoder, counts: np.ndarray) -> Iterator[Row]:
    """Histograms of bytes and characters of the tokens used, and of scripts of the tokens used and of the vocabulary."""
    looks = encoder.looks
    used = np.flatnonzero(counts)
    used = used[looks["script"][used] >= 0]
    for unit in ("bytes", "characters"):
        yield from _bars(f"{unit} per token", looks[unit][used], counts[used])
    yield from _scripts("script of tokens", encoder.scripts, looks["script"][used], counts[used])
    every = looks["script"][looks["script"] >= 0]
    yield from _scripts("script of vocabulary", encoder.scripts, every, np.ones(len(every)))


def _bars(name: str, values: np.ndarray, weights: np.ndarray) -> Iterator[Row]:
    found = np.bincount(np.minimum(values, LONGEST), weights)
    for value in np.flatnonzero(found).tolist():
        shown = f"{value}+" if value == LONGEST else str(value)
        yield {"histogram": name, "bin": shown, "count": round(found[value]), "share": float(found[value] / found.sum())}


def _scripts(name: str, scripts: list[str], kinds: np.ndarray, weights: np.ndarray) -> Iterator[Row]:
    found = np.bincount(kinds, weights, minlength=len(scripts))
    for i in sorted(np.flatnonzero(found).tolist(), key=lambda i: (-found[i], i)):
        yield {"histogram": name, "bin": scripts[i], "count": round(found[i]), "share": float(found[i] / found.sum())}
